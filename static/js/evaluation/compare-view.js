/** Two measurements side by side: of rankers by ranker and shots, of whole flows by what is measured of a list. */
import { dateTime } from "../lib/times.js";
import { make, table } from "./elements.js";
import { DASH, plain, signed, withInterval } from "./numbers.js";
import { caveats, compareFlows, compareReports } from "./reports.js";

export function compareView(one, other) {
  const title = make("h2.view-title", {}, "Two measurements side by side");
  if (!one.report || !other.report || one.kind !== other.kind) return { element: make("article", {}, title, make("p.message", {}, "Only finished measurements of the same kind can be laid side by side: two of rankers, or two of whole flows.")) };
  const warnings = caveats(one.report, other.report);
  const head = (run) => `${run.title} (${dateTime(run.created_at)}, seed ${run.settings.seed}, n = ${run.report.users})`;
  const ends = [{ label: "A", title: head(one), isNumber: true }, { label: "B", title: head(other), isNumber: true }, { label: "A − B", isNumber: true }];
  return {
    element: make("article", {}, title,
      make("dl.compared", {}, make("dt", {}, "A"), make("dd", {}, head(one)), make("dt", {}, "B"), make("dd", {}, head(other))),
      warnings.length > 0 && make("p.message", {}, warnings.join(" ")),
      one.kind === "flow" ? flows(one.report, other.report, ends) : rankers(one.report, other.report, ends)),
  };
}

function rankers(one, other, ends) {
  const rows = compareReports(one, other);
  if (rows.length === 0) return make("p.empty-hint", {}, "They have no ranker and number of shots in common.");
  const columns = [{ label: "Ranker" }, { label: "Shots", isNumber: true }, ...ends, { label: "HR A − B", isNumber: true }];
  return [table("Two measurements side by side", columns, rows.map(line)), make("p.field-hint", {}, "NDCG with its 95 % interval. Colored: the intervals do not touch.")];
}

function flows(one, other, ends) {
  const rows = compareFlows(one, other).map(({ label, write, one: here, other: there, difference, isClear }) => make("tr", {}, make("th", { scope: "row", title: here.about }, label),
    cell(here), cell(there), make(`td.is-number${isClear ? ".is-clear" : ""}`, {}, signedBy(write, difference))));
  return [table("Two whole flows side by side", [{ label: "Measure" }, ...ends], rows), make("p.field-hint", {}, "Means with their 95 % intervals. Bold: the intervals do not touch.")];
}

function signedBy(write, difference) {
  if (difference == null) return DASH;
  const text = write(Math.abs(difference));
  return text === write(0) ? text : `${difference < 0 ? "−" : "+"}${text}`;
}

function cell({ mean, low, write, detail }) {
  return make("td.is-number", { title: detail }, low == null ? write(mean) : `${write(mean)} (${detail})`);
}

function line({ label, shots, one, other, difference, isClear }) {
  const word = isClear ? (difference > 0 ? ".is-better" : ".is-worse") : "";
  return make("tr", {}, make("th", { scope: "row" }, label), make("td.is-number", {}, plain(shots, 0)),
    make("td.is-number", {}, withInterval(one.ndcg, one.ndcg_low, one.ndcg_high)), make("td.is-number", {}, withInterval(other.ndcg, other.ndcg_low, other.ndcg_high)),
    make(`td.is-number${word}`, {}, signed(difference)), make("td.is-number", {}, signed(one.hit_rate - other.hit_rate)));
}
