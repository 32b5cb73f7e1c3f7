/** A measurement of rankers: the chart by shots, and the table with everything that was counted. */
import { make, table } from "./elements.js";
import { savePng } from "./export.js";
import { counted, plain } from "./numbers.js";
import { groupsOf, pictureNote, rankingTable, seriesOf } from "./reports.js";
import { progressBar } from "./run-list.js";
import { barChart } from "./svg.js";
import { viewHead } from "./view-head.js";

const HEIGHT = 300;

export function rankingView(run, actions) {
  const { report } = run;
  const series = seriesOf(report);
  const figure = make("figure.chart-frame");
  const png = make("button.button.is-small", { type: "button", on: { click: savePicture } }, "PNG");
  const element = make("article", { data: { run: run.id } }, viewHead(run, actions, [png]), figure, legend(), reportTable(report), slots(report), asked(report));
  return { element, redraw };

  function redraw() {
    const shown = series.filter((one) => one.isShown);
    const width = Math.max(280, figure.clientWidth);
    const description = `${shown.map((one) => one.label).join(", ")}; ${counted(report.users, "user")}; whiskers are 95 % intervals. The table below holds every number.`;
    figure.replaceChildren(barChart({ groups: groupsOf(report), series: shown, k: report.settings.k, description }, { width, height: HEIGHT }),
      make("figcaption.chart-caption", {}, `NDCG@${report.settings.k} by known likes of each user, ${counted(report.users, "user")}, 95 % intervals. Random order scores 0.045 among 100.`));
  }

  function legend() {
    return make("div.legend", { role: "group", ariaLabel: "Shown in the chart" }, series.map((one) => make(`label.legend-entry.${one.className.replaceAll(" ", ".")}`, {},
      make("input", { type: "checkbox", checked: one.isShown, disabled: !one.isMeasured, on: { change: (event) => {
        one.isShown = event.target.checked;
        redraw();
      } } }), make("span.legend-swatch"), make("span", {}, one.label))));
  }

  async function savePicture() {
    const shown = series.filter((one) => one.isShown);
    const colors = [...figure.querySelectorAll(".bar")].reduce((found, bar) => found.set(bar.classList.value, getComputedStyle(bar.querySelector(".bar-fill")).fill), new Map());
    const legend = shown.map((one) => ({ label: one.label, color: colors.get(`bar ${one.className}`) }));
    await savePng(figure.querySelector("svg"), { title: `NDCG@${report.settings.k} by training samples`, footnote: pictureNote(run), legend }, `evaluation-${run.id}.png`);
  }
}

/** A run without a result: how far it is, or why there is none. */
export function pendingView(run, actions) {
  const text = make("p.view-facts", { role: "status" });
  const bar = progressBar(run);
  const isLive = ["queued", "running"].includes(run.state);
  const progress = (news) => {
    bar.value = news.share;
    text.textContent = news.state === "queued" ? "Waiting for its turn" : news.text || "Starting";
  };
  if (isLive) progress(run);
  else text.textContent = run.state === "cancelled" ? "Cancelled; answers of models that came before are kept." : "";
  return {
    element: make("article", { data: { run: run.id } }, viewHead(run, isLive ? { ...actions, onForget: null } : actions), isLive && bar, text, run.error && make("p.message.is-error", {}, run.error)),
    progress,
  };
}

function reportTable(report) {
  const { columns, blocks } = rankingTable(report);
  const rows = blocks.flatMap((block) => [
    make("tr.block-head", {}, make("th", { colSpan: columns.length, scope: "colgroup" }, `${block.label}, ${counted(report.users, "user")}`)),
    ...block.rows.map((row) => (row.notMeasured
      ? make("tr.is-missing", {}, make("th", { scope: "row" }, row.label), make("td", { colSpan: columns.length - 1 }, `Not measured: ${row.notMeasured}`))
      : make("tr", {}, make("th", { scope: "row", title: row.reasons.join("\n") }, row.label), row.cells.map((cell, place) => make(`td.is-number${place === 1 && row.verdict ? `.is-${row.verdict}` : ""}`, {}, cell))))),
  ]);
  return table("Measured by ranker and shots", columns, rows);
}

/** A fair ranker scores alike wherever the hidden item stood among the candidates. */
function slots(report) {
  const rows = report.rows.filter((row) => row.slots);
  const columns = [{ label: "Ranker" }, ...["first", "second", "third", "last"].map((name) => ({ label: `${name} quarter`, isNumber: true }))];
  const last = rows.at(-1)?.shots;
  const lines = rows.filter((row) => row.shots === last).map((row) =>
    make("tr", {}, make("th", { scope: "row" }, row.label),
      row.slots.map((slot) => make("td.is-number", { title: `${slot.n} users` }, plain(slot.mean)))));
  return make("details.more", {}, make("summary", {}, "Where the hidden item stood among the candidates"),
    make("p.field-hint", {}, `NDCG at ${counted(last ?? 0, "shot")} by where the hidden item was shown. A slope means that a ranker follows the order it is given.`),
    table("NDCG by place of the hidden item", columns, lines));
}

function asked(report) {
  const busy = Object.entries(report.asked ?? {}).filter(([, each]) => each.calls);
  return busy.length > 0 && make("p.field-hint", {},
    busy.map(([name, each]) =>
      `${name}: ${counted(each.calls, "call")} in ${each.seconds} s, ${Math.round(each.busy_share * 100)} % of the endpoint's own throughput at ${each.in_flight} in flight.`
    ).join(" "));
}
