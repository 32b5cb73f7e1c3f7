/** What a report says, in the shape that charts and tables want; pure. */
import { counted, DASH, duration, percent, plain, signed, withInterval } from "./numbers.js";

const HUES = 7;
/** Orders nobody would ship: they show whether the measurement leaks, and stand in the chart only when asked. */
const QUIET = new Set(["random", "echo", "reverse"]);

/** One series a ranker, with a hue each and whether it is shown at first. */
export function seriesOf(report) {
  const names = [...new Set(report.rows.map((row) => row.ranker))];
  const controls = new Set([...QUIET, "popularity"]);
  let hue = 0;
  return names.map((name) => {
    const rows = report.rows.filter((row) => row.ranker === name);
    const measured = rows.filter((row) => row.ndcg != null);
    return {
      name,
      label: rows[0].label,
      className: controls.has(name) ? "series-control" : `series family-${hue++ % HUES}`,
      isShown: measured.length > 0 && !QUIET.has(name),
      isMeasured: measured.length > 0,
      values: new Map(measured.map((row) => [row.shots, { mean: row.ndcg, low: row.ndcg_low, high: row.ndcg_high, n: row.users }])),
    };
  });
}

export function groupsOf(report) {
  return [...new Set(report.rows.map((row) => row.shots))].map((shots) => ({ key: shots, label: shots === 1 ? "1 shot" : `${shots} shots` }));
}

/** What a bar says when one stops at it. */
export function barTitle(label, shots, { mean, low, high, n }, k) {
  const range = low == null ? "" : `, 95 % interval ${plain(low)} to ${plain(high)}`;
  return `${label}, ${counted(shots, "shot")}: NDCG@${k} ${plain(mean)}${range}, ${counted(n, "user")}`;
}

/** @returns {{columns: {label: string, title: string, isNumber: boolean}[], blocks: {shots: number, rows: object[]}[]}} */
export function rankingTable(report) {
  const k = report.settings.k;
  const isAsked = report.rows.some((row) => row.usage_calls != null);
  const columns = [
    column("Ranker", "", false),
    column(`NDCG@${k}`, "Normalized discounted cumulative gain of the first ranks, with its 95 % interval"),
    column("to MF", "Difference to matrix factorization on the same users, with its 95 % interval"),
    column(`HR@${k}`, "Share of users whose hidden item is among the first ranks"),
    column("MRR", "Mean of 1 / rank of the hidden item"),
    column("Coverage", "Share of the catalogue that appears in anybody's first ranks"),
    column("Partial", "Answers that left candidates out"),
    column("Failed", "Users without an answer; they count with the order that came in"),
    ...(isAsked ? [column("Tokens", "Prompt and answer, all users"), column("Cost", "In the currency of the price table")] : []),
    column("per user", "Time for one user"),
  ];
  return { columns, blocks: groupsOf(report).map(({ key, label }) => ({ shots: key, label, rows: report.rows.filter((row) => row.shots === key).map((row) => tableRow(row, isAsked)) })) };
}

function column(label, title, isNumber = true) {
  return { label, title, isNumber };
}

function tableRow(row, isAsked) {
  if (row.not_measured) return { name: row.ranker, label: row.label, notMeasured: row.not_measured };
  const tokens = row.usage_calls == null ? DASH : ((row.usage_prompt_tokens ?? 0) + (row.usage_completion_tokens ?? 0)).toLocaleString("en");
  const seconds = row.usage_seconds == null ? row.seconds_per_user : row.usage_seconds / row.users;
  const cost = row.usage_calls == null ? DASH : row.usage_cost == null ? "unknown" : row.usage_cost.toFixed(2);
  return {
    name: row.ranker,
    label: row.label,
    verdict: verdict(row.ndcg_difference_low, row.ndcg_difference_high),
    reasons: Object.entries(row.reasons ?? {}).map(([reason, count]) => `${count}× ${reason}`),
    cells: [
      withInterval(row.ndcg, row.ndcg_low, row.ndcg_high),
      row.ndcg_difference == null || row.ranker === "mf" ? DASH : `${signed(row.ndcg_difference)} ±${plain((row.ndcg_difference_high - row.ndcg_difference_low) / 2)}`,
      plain(row.hit_rate),
      plain(row.mrr),
      percent(row.coverage),
      percent(row.partial_rate),
      percent(row.failed_rate),
      ...(isAsked ? [tokens, cost] : []),
      duration(seconds),
    ],
  };
}

/** Better or worse only when the whole interval says so. */
export function verdict(low, high) {
  if (low == null || high == null) return "";
  if (low > 0) return "better";
  return high < 0 ? "worse" : "";
}

/** Rows of two reports side by side, those that both have first in their order. */
export function compareReports(one, other) {
  const key = (row) => `${row.ranker}\n${row.shots}`;
  const others = new Map(other.rows.map((row) => [key(row), row]));
  return one.rows
    .filter((row) => row.ndcg != null && others.get(key(row))?.ndcg != null)
    .map((row) => {
      const than = others.get(key(row));
      return { label: row.label, shots: row.shots, one: row, other: than, difference: row.ndcg - than.ndcg, isClear: row.ndcg_low > than.ndcg_high || row.ndcg_high < than.ndcg_low };
    });
}

/**
 * What is measured of a whole flow: its mean, the interval where there is one, and how both are written.
 *
 * @returns {{label: string, about: string, write: (value: number|null) => string, mean: number|null, low: number|null, high: number|null, detail: string}[]}
 */
export function flowMeasures({ metrics, k, coverage, recommendable, ms }) {
  // An interval of few users reaches beyond what its measure can be.
  const estimated = (label, name, write, about, most = 1) => {
    const { mean } = metrics[name];
    const [low, high] = [metrics[name].low, metrics[name].high].map((end) => (end == null ? null : Math.min(Math.max(end, 0), most)));
    return { label, about, write, mean, low, high, detail: low == null ? "" : `${write(low)} to ${write(high)}` };
  };
  const alone = (label, mean, write, detail, about) => ({ label, about, write, mean, low: null, high: null, detail });
  const bits = (value) => (value == null ? DASH : `${plain(value, 1)} bits`);
  const milliseconds = (value) => `${plain(value, 0)} ms`;
  return [
    estimated(`Recall@${k}`, "recall", percent, "Share of users whose hidden like is in the list"),
    estimated(`NDCG@${k}`, "ndcg", plain, "The same, higher places counting more"),
    alone("Coverage", coverage, percent, `${counted(recommendable, "item")} could be shown`, "Share of the catalogue in anybody's list"),
    estimated("Novelty", "novelty", bits, "How surprising items are: log2 of 1 / share of users who like them", Infinity),
    estimated("Diversity", "diversity", (value) => plain(value, 2), "How unlike the items of one list are, by categories and tags"),
    estimated("Fallback", "fallback_share", percent, "Share of places the fallback filled"),
    alone("Time", ms.p50, milliseconds, `95 % under ${milliseconds(ms.p95)}`, "One list, nothing cached"),
  ];
}

/** The measures of two whole flows side by side. */
export function compareFlows(one, other) {
  const others = flowMeasures(other);
  return flowMeasures(one).map((measure, place) => {
    const than = others[place];
    const difference = measure.mean == null || than.mean == null ? null : measure.mean - than.mean;
    const hasIntervals = measure.low != null && than.low != null;
    return { label: measure.label, write: measure.write, one: measure, other: than, difference, isClear: hasIntervals && (measure.low > than.high || measure.high < than.low) };
  });
}

/** Below a picture: how many were asked, and of which data. */
export function pictureNote({ report, settings }) {
  return `${counted(report.users, "user")}, seed ${settings.seed}, data ${report.data.version}, 95 % intervals`;
}

/** What makes two reports hard to compare, in sentences. */
export function caveats(one, other) {
  const said = [];
  if (one.data.version !== other.data.version) said.push("They were measured on different versions of the data.");
  if (one.settings.seed !== other.settings.seed) said.push(`Their seeds differ, so ${one.metrics ? "other users were drawn" : "users were asked about other candidates"}.`);
  if (one.users !== other.users) said.push(`They asked ${one.users.toLocaleString("en")} and ${counted(other.users, "user")}.`);
  if (one.k !== other.k) said.push(`Their lists have ${one.k} and ${counted(other.k, "item")}.`);
  if (JSON.stringify(one.data.rules) !== JSON.stringify(other.data.rules)) said.push("They count different feedback as positive.");
  return said;
}
