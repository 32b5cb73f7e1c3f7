/** SVG elements, and charts drawn from their layouts. Colors come from CSS, so both themes and the export work. */
import { layoutBars, layoutChanges, layoutDays } from "./chart-layout.js";
import { counted, percent, signedPercent } from "./numbers.js";
import { barTitle } from "./reports.js";

const SVG = "http://www.w3.org/2000/svg";

/** @returns {SVGElement} */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** NDCG by shots, a bar a ranker; every bar says its numbers. */
export function barChart({ groups, series, k, description }, size) {
  const chart = layoutBars({ groups, series }, size);
  const labels = new Map(series.map((one) => [one.name, one]));
  return root(size, `NDCG@${k} by training samples`, description, [
    ...ground(chart),
    ...chart.bars.map((bar) => {
      const { label, className } = labels.get(bar.series);
      return svg("g", { class: `bar ${className}` },
        svg("title", {}, barTitle(label, bar.group, bar.value, k)),
        svg("rect", { class: "bar-fill", x: bar.x, y: bar.y, width: bar.width, height: Math.max(0, bar.height), rx: Math.min(2, bar.width / 4) }),
        ...whisker(bar.whisker, Math.min(4, bar.width / 3)));
    }),
    ...chart.labels.map(label),
  ]);
}

/** What the flow loses without each recommender, as shares of its NDCG. */
export function changeChart(rows, { width, description }) {
  const chart = layoutChanges(rows, { width, labelWidth: Math.min(170, width * 0.34) });
  const end = chart.height - 28;
  const digits = chart.ticks.every((tick) => Number.isInteger(Number((tick.value * 100).toFixed(6)))) ? 0 : 1;
  return root({ width, height: chart.height }, "Change of NDCG without each recommender", description, [
    ...chart.ticks.map((tick) => svg("line", { class: "grid", x1: tick.x, x2: tick.x, y1: 0, y2: end })),
    svg("line", { class: "axis", x1: chart.zero, x2: chart.zero, y1: 0, y2: end }),
    ...chart.rows.map((row) => svg("g", { class: `bar ${row.mean < 0 ? "series-loss" : "series-gain"}` },
      svg("title", {}, row.title),
      svg("text", { class: "row-label", x: 0, y: row.y + 4 }, row.label),
      svg("rect", { class: "bar-fill", x: row.x, y: row.y - 7, width: Math.max(row.width, 1), height: 14, rx: 2 }),
      ...(row.whisker ? [svg("path", { class: "whisker", d: `M${row.whisker.x1} ${row.y}H${row.whisker.x2}M${row.whisker.x1} ${row.y - 4}v8M${row.whisker.x2} ${row.y - 4}v8` })] : []))),
    ...chart.ticks.map((tick) => svg("text", { class: "tick", x: tick.x, y: chart.height - 10, "text-anchor": "middle" }, signedPercent(tick.value, digits))),
  ]);
}

/** The positive feedback rate by day, and when versions went live. */
export function dayChart(days, marks, size) {
  const chart = layoutDays(days, marks, size);
  const digits = chart.ticks.at(-1).value < 0.1 ? 1 : 0;
  return root(size, "Positive feedback rate by day", "A point a day with its 95 % interval; a dashed line where a version went live.", [
    ...chart.ticks.map((tick) => svg("line", { class: "grid", x1: chart.plot.left, x2: chart.plot.right, y1: tick.y, y2: tick.y })),
    ...chart.ticks.map((tick) => svg("text", { class: "tick", x: chart.plot.left - 8, y: tick.y + 4, "text-anchor": "end" }, percent(tick.value, digits))),
    ...chart.marks.map((mark) => svg("g", { class: "mark" }, svg("title", {}, mark.title),
      svg("line", { x1: mark.x, x2: mark.x, y1: chart.plot.top, y2: chart.plot.bottom }), svg("text", { class: "tick", x: mark.labelX, y: mark.labelY, "text-anchor": mark.isLeft ? "end" : "start" }, mark.label))),
    ...chart.lines.map((run) => svg("path", { class: "interval", d: `M${run.map((point) => `${point.x} ${point.y1}`).join("L")}L${[...run].reverse().map((point) => `${point.x} ${point.y2}`).join("L")}Z` })),
    ...chart.lines.map((run) => svg("path", { class: "line", d: `M${run.map((point) => `${point.x} ${point.y}`).join("L")}` })),
    ...chart.points.filter((point) => point.y != null).map((point) => svg("circle", { class: "point", cx: point.x, cy: point.y, r: 3 },
      svg("title", {}, `${point.date}: ${percent(point.rate)} of ${counted(point.seen, "seen item")}, 95 % interval ${percent(point.low)} to ${percent(point.high)}`))),
    ...chart.labels.map(label),
  ]);
}

function root({ width, height }, name, description, children) {
  const made = svg("svg", { class: "chart", role: "img", viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": `${name}. ${description}` });
  made.append(...children);
  return made;
}

function ground({ plot, ticks }) {
  return ticks.flatMap((tick) => [
    svg("line", { class: "grid", x1: plot.left, x2: plot.right, y1: tick.y, y2: tick.y }),
    svg("text", { class: "tick", x: plot.left - 8, y: tick.y + 4, "text-anchor": "end" }, tick.text),
  ]);
}

function whisker(ends, cap) {
  return ends ? [svg("path", { class: "whisker", d: `M${ends.x} ${ends.y1}V${ends.y2}M${ends.x - cap} ${ends.y1}h${2 * cap}M${ends.x - cap} ${ends.y2}h${2 * cap}` })] : [];
}

function label({ x, y, text }) {
  return svg("text", { class: "tick is-label", x, y, "text-anchor": "middle" }, text);
}
