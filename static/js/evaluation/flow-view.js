/** A measurement of a whole flow: what its final list is worth, and what each recommender adds to it. */
import { make, table } from "./elements.js";
import { savePng } from "./export.js";
import { counted, DASH, percent, plain, signed, signedPercent, withInterval } from "./numbers.js";
import { flowMeasures, pictureNote, verdict } from "./reports.js";
import { changeChart } from "./svg.js";
import { viewHead } from "./view-head.js";

export function flowView(run, actions) {
  const { report } = run;
  const measured = report.ablation.filter((part) => part.ndcg);
  const hasShares = measured.some((part) => part.relative.mean != null);
  const figure = make("figure.chart-frame");
  const png = make("button.button.is-small", { type: "button", on: { click: savePicture } }, "PNG");
  const parts = report.ablation.length > 0 && [
    make("h3.view-part", {}, "Without each recommender"),
    make("p.field-hint", {}, `Change of NDCG@${report.k} when a node is switched off, ${counted(report.users, "user")}. An interval across zero: the sample does not show that the node matters.`),
    hasShares && figure,
    partsTable(report),
  ];
  return { element: make("article", { data: { run: run.id } }, viewHead(run, actions, [png]), tiles(report), parts, notes(report)), redraw };

  function redraw() {
    if (!hasShares) return;
    const rows = measured.map((part) => ({
      label: part.name,
      ...part.relative,
      title: `Without ${part.name}: ${signedPercent(part.relative.mean)} of NDCG, 95 % interval ${signedPercent(part.relative.low)} to ${signedPercent(part.relative.high)}, ${counted(part.ndcg.n, "user")}`
    }));
    figure.replaceChildren(changeChart(rows, { width: Math.max(280, figure.clientWidth), description: "Bars to the left: the flow is worse without this node. The table below holds every number." }));
  }

  async function savePicture() {
    const facts = flowMeasures(report).map(({ label, mean, write, detail }) => `${label}: ${write(mean)}${detail && ` (${detail})`}`);
    if (hasShares) facts.push("", `Change of NDCG@${report.k} without each recommender:`);
    await savePng(figure.querySelector("svg"), { title: run.title, footnote: pictureNote(run), facts }, `evaluation-${run.id}.png`);
  }
}

function tiles(report) {
  return make("dl.tiles", {}, flowMeasures(report).map(({ label, mean, write, detail, about }) => tile(label, write(mean), detail, about)));
}

function tile(name, value, detail, title) {
  return make("div.tile", { title }, make("dt", {}, name), make("dd.tile-value", {}, value), make("dd.tile-detail", {}, detail));
}

function partsTable(report) {
  const columns = [{ label: "Without" }, { label: `NDCG@${report.k}`, isNumber: true }, { label: "of the whole", isNumber: true }, { label: `Recall@${report.k}`, isNumber: true }, { label: "Lists changed", isNumber: true }];
  const rows = report.ablation.map((part) => (part.not_measured
    ? make("tr.is-missing", {}, make("th", { scope: "row" }, part.name), make("td", { colSpan: 4 }, part.not_measured))
    : make("tr", {}, make("th", { scope: "row" }, part.name),
      make(`td.is-number.${verdictClass(part.ndcg)}`, {}, part.lists_changed === 0 ? "no change" : `${signed(part.ndcg.mean, 4)} ±${plain(half(part.ndcg), 4)}`),
      make("td.is-number", {}, part.relative.mean == null ? DASH : signedPercent(part.relative.mean)),
      make("td.is-number", {}, signed(part.recall.mean, 4)), make("td.is-number", {}, percent(part.lists_changed, 0)))));
  const whole = make("tr", {},
    make("th", { scope: "row" }, "nothing: the whole flow"),
    make("td.is-number", {}, withInterval(report.metrics.ndcg.mean, report.metrics.ndcg.low, report.metrics.ndcg.high, 4)),
    make("td.is-number", {}, DASH),
    make("td.is-number", {}, plain(report.metrics.recall.mean, 4)),
    make("td.is-number", {}, DASH));
  return table("Change without each recommender", columns, [whole, ...rows]);
}

function verdictClass({ low, high }) {
  return `is-${verdict(low, high) || "unclear"}`;
}

function half({ low, high }) {
  return low == null ? null : (high - low) / 2;
}

function notes(report) {
  const degraded = Object.entries(report.degraded).map(([text, count]) => `${text} (${counted(count, "time")})`);
  const lines = [...degraded, ...report.notes.map((line) => `${line} (without the hidden likes)`)];
  return lines.length > 0 && make("details.more", { open: degraded.length > 0 },
    make("summary", {}, degraded.length ? "What went wrong, and what was trained" : "What was trained for it"),
    make("ul.plain-list", {}, lines.map((line) => make("li", {}, line))));
}
