import assert from "node:assert/strict";
import test from "node:test";
import { ago, dateTime, dayOfMonth, duration } from "../../static/js/lib/times.js";

const NOW = Date.parse("2026-03-01T12:00:00Z");

test("a moment is told in the largest unit that still says something", () => {
  const told = (seconds) => ago(NOW - seconds * 1000, NOW);
  assert.deepEqual([2, 40, 89, 90, 5399, 5400, 129599, 129600].map(told), ["just now", "40 s ago", "89 s ago", "2 min ago", "90 min ago", "2 h ago", "36 h ago", "2 days ago"]);
});

test("a clock that runs behind the server's makes no negative ages", () => {
  assert.equal(ago("2026-03-01T12:00:30Z", NOW), "just now");
});

test("a span is exact while it is short", () => {
  const took = (seconds) => duration(NOW, NOW + seconds * 1000);
  assert.deepEqual([0.44, 9.96, 10.4, 119, 200, 7260].map(took), ["0.4 s", "10.0 s", "10 s", "119 s", "3 min 20 s", "2 h 1 min"]);
});

test("dates are written alike, whatever language the browser speaks", () => {
  assert.equal(dateTime(new Date(2026, 2, 1, 9, 5)), "1 Mar 2026, 09:05");
  assert.deepEqual(["2026-03-01", "2026-09-25"].map(dayOfMonth), ["1 Mar", "25 Sep"]);
});
