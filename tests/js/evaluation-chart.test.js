import assert from "node:assert/strict";
import { test } from "node:test";
import { layoutBars, layoutChanges, layoutDays, scaleTo } from "../../static/js/evaluation/chart-layout.js";
import { duration, signed, signedPercent, withInterval } from "../../static/js/evaluation/numbers.js";

const value = (mean, half = 0.1) => ({ mean, low: mean - half, high: mean + half, n: 10 });

test("ticks are round and reach the highest interval", () => {
  assert.deepEqual(scaleTo(0.61).ticks, [0, 0.2, 0.4, 0.6, 0.8]);
  assert.equal(scaleTo(0.61).digits, 1);
  assert.deepEqual(scaleTo(0.05).ticks, [0, 0.02, 0.04, 0.06]);
  assert.deepEqual(scaleTo(0).ticks, [0, 0.5, 1]);
  assert.equal(scaleTo(0.09).digits, 3); // 0.025 needs three
});

test("bars stand in their group, in the order of the series, on the ground line", () => {
  const chart = layoutBars({
    groups: [{ key: 1, label: "1 shot" }, { key: 5, label: "5 shots" }],
    series: [{ name: "mf", label: "MF", values: new Map([[1, value(0.3)], [5, value(0.4)]]) }, { name: "fm", label: "FM", values: new Map([[5, value(0.2)]]) }],
  }, { width: 456, height: 200 });
  assert.deepEqual(chart.bars.map((bar) => [bar.series, bar.group]), [["mf", 1], ["mf", 5], ["fm", 5]]);
  for (const bar of chart.bars) assert.ok(Math.abs(bar.y + bar.height - chart.plot.bottom) < 1e-9);
  const [, second, third] = chart.bars;
  assert.ok(second.x + second.width <= third.x);
  assert.ok(second.x > (chart.plot.left + chart.plot.right) / 2 - 1);
});

test("an interval spans its ends, and a mean without one has no whisker", () => {
  const data = { groups: [{ key: 1, label: "" }], series: [{ name: "a", label: "", values: new Map([[1, value(0.5, 0.3)]]) }, { name: "b", label: "", values: new Map([[1, { mean: 0.5, low: null, high: null, n: 1 }]]) }] };
  const [one, other] = layoutBars(data, { width: 300, height: 154 }).bars; // 100 pixels from 0 to 0.8
  assert.equal(one.whisker.y2 - one.whisker.y1, 75);
  assert.equal(other.whisker, null);
});

test("losses go left of zero and gains right of it", () => {
  const { rows, zero } = layoutChanges([{ label: "a", mean: -0.02, low: -0.04, high: 0 }, { label: "b", mean: 0.01, low: null, high: null }], { width: 500 });
  assert.equal(rows[0].x + rows[0].width, zero);
  assert.equal(rows[1].x, zero);
  assert.ok(rows[0].whisker.x1 < rows[0].x);
});

test("a day without anything seen is a gap, and a mark stands at its moment", () => {
  const day = (date, rate) => ({ date, rate, low: rate, high: rate, seen: 1 });
  const found = layoutDays([day("2026-01-01", 0.1), day("2026-01-02", null), day("2026-01-03", 0.2)], [{ since: "2026-01-02T12:00:00Z", label: "v2" }, { since: "2025-12-01T00:00:00Z", label: "v1" }], { width: 356, height: 160 });
  assert.deepEqual(found.lines.map((line) => line.length), [1, 1]);
  assert.deepEqual(found.marks.map((mark) => [mark.label, mark.x]), [["v2", 44 + 150]]);
});

test("labels of versions that went live on one day stand below each other", () => {
  const days = [1, 2, 3, 4].map((number) => ({ date: `2026-01-0${number}`, rate: 0.1, low: 0, high: 0.2, seen: 5 }));
  const at = (day, hour, label) => ({ since: `2026-01-0${day}T${hour}:00:00Z`, label });
  const size = { width: 656, height: 160 }; // 150 pixels a day; half of the plot has room for three labels
  const marks = layoutDays(days, [at(1, "12", "Home v1"), at(1, "13", "Shop v1"), at(3, "00", "Home v2"), at(4, "20", "Shop v2")], size).marks;
  assert.deepEqual(marks.map((mark) => [mark.label, mark.labelY, mark.isLeft]), [
    ["Home v1", 24, false], ["Shop v1", 38, false], ["Home v2", 24, false], ["Shop v2", 24, true],
  ]);
  const crowd = layoutDays(days, [1, 2, 3, 4, 5].map((number) => at(2, "12", `Home v${number}`)), size).marks;
  assert.deepEqual(crowd.map((mark) => mark.label), ["Home v1", "Home v2", "Home v3", "", ""]);
});

test("numbers are written with a real minus, their interval, and the unit that fits", () => {
  assert.equal(signed(-0.0123, 2), "−0.01");
  assert.equal(signed(-0.0001, 2), "0.00");
  assert.equal(signedPercent(-0.008), "−0.8 %");
  assert.equal(withInterval(0.4321, 0.4, 0.5), "0.432 ±0.050");
  assert.equal(withInterval(0.4, null, null), "0.400");
  assert.deepEqual([0.0004, 0.02, 2, 12.34].map(duration), ["400 µs", "20 ms", "2.0 s", "12 s"]);
});
