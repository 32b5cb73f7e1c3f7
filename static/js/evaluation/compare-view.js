/** Two measurements of rankers side by side. */
import { dateTime } from "../lib/times.js";
import { make, table } from "./elements.js";
import { plain, signed, withInterval } from "./numbers.js";
import { caveats, compareReports } from "./reports.js";

export function compareView(one, other) {
  const title = make("h2.view-title", {}, "Two measurements side by side");
  if (!one.report?.rows || !other.report?.rows) return { element: make("article", {}, title, make("p.message", {}, "Only finished measurements of rankers can be laid side by side.")) };
  const warnings = caveats(one.report, other.report);
  const rows = compareReports(one.report, other.report);
  const head = (run) => `${run.title} (${dateTime(run.created_at)}, seed ${run.settings.seed}, n = ${run.report.users})`;
  const columns = [
    { label: "Ranker" }, { label: "Shots", isNumber: true },
    { label: "A", title: head(one), isNumber: true }, { label: "B", title: head(other), isNumber: true },
    { label: "A − B", isNumber: true }, { label: "HR A − B", isNumber: true },
  ];
  return {
    element: make("article", {}, title,
      make("dl.compared", {}, make("dt", {}, "A"), make("dd", {}, head(one)), make("dt", {}, "B"), make("dd", {}, head(other))),
      warnings.length > 0 && make("p.message", {}, warnings.join(" ")),
      rows.length === 0 ? make("p.empty-hint", {}, "They have no ranker and number of shots in common.") : table("Two measurements side by side", columns, rows.map(line)),
      make("p.field-hint", {}, "NDCG with its 95 % interval. Colored: the intervals do not touch.")),
  };
}

function line({ label, shots, one, other, difference, isClear }) {
  const word = isClear ? (difference > 0 ? ".is-better" : ".is-worse") : "";
  return make("tr", {}, make("th", { scope: "row" }, label), make("td.is-number", {}, plain(shots, 0)),
    make("td.is-number", {}, withInterval(one.ndcg, one.ndcg_low, one.ndcg_high)), make("td.is-number", {}, withInterval(other.ndcg, other.ndcg_low, other.ndcg_high)),
    make(`td.is-number${word}`, {}, signed(difference)), make("td.is-number", {}, signed(one.hit_rate - other.hit_rate)));
}
