import assert from "node:assert/strict";
import { test } from "node:test";
import { barTitle, caveats, compareFlows, compareReports, flowMeasures, groupsOf, rankingTable, seriesOf, verdict } from "../../static/js/evaluation/reports.js";

const row = (ranker, shots, ndcg, extra = {}) => ({
  ranker, label: ranker.toUpperCase(), shots, users: 50, ndcg, ndcg_low: ndcg - 0.1, ndcg_high: ndcg + 0.1, hit_rate: 0.5, mrr: 0.25, coverage: 0.125, partial_rate: 0, failed_rate: 0, seconds_per_user: 0.002, ...extra,
});
const report = (rows, more = {}) => ({ rows, users: 50, settings: { k: 10, seed: 0 }, data: { version: "a-1", rules: [] }, ...more });

test("orders nobody would ship are measured but not shown at first", () => {
  const series = seriesOf(report([row("mf", 1, 0.4), row("random", 1, 0.05), row("popularity", 1, 0.2)]));
  assert.deepEqual(series.map((one) => [one.name, one.isShown]), [["mf", true], ["random", false], ["popularity", true]]);
});

test("a ranker that was not measured says why and has no bar", () => {
  const found = report([row("mf", 1, 0.4), { ranker: "llm", label: "LLM", shots: 1, not_measured: "No endpoint" }]);
  assert.equal(seriesOf(found)[1].isMeasured, false);
  assert.equal(rankingTable(found).blocks[0].rows[1].notMeasured, "No endpoint");
});

test("groups stand in the order of the report", () => {
  assert.deepEqual(groupsOf(report([row("mf", 1, 0.4), row("mf", 20, 0.4)])).map((group) => group.label), ["1 shot", "20 shots"]);
});

test("a bar never tells a mean without interval and sample size", () => {
  assert.equal(barTitle("MF", 5, { mean: 0.4, low: 0.3, high: 0.5, n: 50 }, 10), "MF, 5 shots: NDCG@10 0.400, 95 % interval 0.300 to 0.500, 50 users");
});

test("better and worse need the whole interval on one side", () => {
  assert.equal(verdict(0.01, 0.2), "better");
  assert.equal(verdict(-0.2, -0.01), "worse");
  assert.equal(verdict(-0.1, 0.1), "");
  assert.equal(verdict(null, null), "");
});

test("an unknown price is unknown, not zero", () => {
  const found = rankingTable(report([row("llm", 1, 0.3, { usage_calls: 50, usage_prompt_tokens: 900, usage_completion_tokens: 100, usage_seconds: 100 })]));
  const cells = found.blocks[0].rows[0].cells;
  assert.equal(cells.at(-3), "1,000");
  assert.equal(cells.at(-2), "unknown");
  assert.equal(cells.at(-1), "2.0 s");
});

test("two reports are compared row by row where both measured", () => {
  const rows = compareReports(report([row("mf", 1, 0.5), row("fm", 1, 0.4)]), report([row("mf", 1, 0.2)]));
  assert.equal(rows.length, 1);
  assert.ok(Math.abs(rows[0].difference - 0.3) < 1e-12);
  assert.equal(rows[0].isClear, true);
});

test("what makes two reports hard to compare is said", () => {
  const other = report([], { settings: { k: 10, seed: 1 }, data: { version: "a-2", rules: [] } });
  assert.equal(caveats(report([]), other).length, 2);
  assert.deepEqual(caveats(report([]), report([])), []);
});

const estimate = (mean, reach) => ({ mean, low: reach == null ? null : mean - reach, high: reach == null ? null : mean + reach, n: 50 });
const whole = (recall, more = {}) => ({
  k: 10, users: 50, coverage: 0.25, recommendable: 40, ms: { p50: 12, p95: 30 }, settings: { seed: 0 }, data: { version: "a-1", rules: [] },
  metrics: { recall: estimate(recall, 0.125), ndcg: estimate(0.25, 0.125), novelty: estimate(3, 0.5), diversity: estimate(null), fallback_share: estimate(0, 0) }, ...more,
});

test("a whole flow is told with its intervals, and what could not be measured as a dash", () => {
  const told = flowMeasures(whole(0.5)).map(({ label, mean, write, detail }) => [label, write(mean), detail]);
  assert.deepEqual(told, [
    ["Recall@10", "50.0 %", "37.5 % to 62.5 %"],
    ["NDCG@10", "0.250", "0.125 to 0.375"],
    ["Coverage", "25.0 %", "40 items could be shown"],
    ["Novelty", "3.0 bits", "2.5 bits to 3.5 bits"],
    ["Diversity", "–", ""],
    ["Fallback", "0.0 %", "0.0 % to 0.0 %"],
    ["Time", "12 ms", "95 % under 30 ms"],
  ]);
});

test("two whole flows differ clearly where their intervals do not touch", () => {
  const found = Object.fromEntries(compareFlows(whole(0.75), whole(0.25, { coverage: 0.125 })).map((row) => [row.label, [row.difference, row.isClear]]));
  assert.deepEqual(found["Recall@10"], [0.5, true]);
  assert.deepEqual(found["NDCG@10"], [0, false]);
  assert.deepEqual(found.Coverage, [0.125, false]);
  assert.deepEqual(found.Diversity, [null, false]);
});

test("an interval of a share ends where a share ends", () => {
  const [recall] = flowMeasures(whole(0.0625));
  assert.equal(recall.detail, "0.0 % to 18.8 %");
});

test("lists of different lengths are hard to compare", () => {
  assert.deepEqual(caveats(whole(0.5), whole(0.5, { k: 5 })), ["Their lists have 10 and 5 items."]);
});
