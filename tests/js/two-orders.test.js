import assert from "node:assert/strict";
import { test } from "node:test";

import { layBeside } from "../../static/js/editor/two-orders.js";

const order = (...ids) => ids.map((id, index) => ({ item_id: id, title: id, rank: index + 1 }));

test("each item of the second order has the place it had in the first", () => {
  const { rows, top, shared, meanShift } = layBeside(order("a", "b", "c"), order("c", "a", "b"));
  assert.deepEqual(rows.map((row) => [row.item_id, row.rank, row.was]), [["c", 1, 3], ["a", 2, 1], ["b", 3, 2]]);
  assert.deepEqual([top, shared], [3, 3]);
  assert.equal(meanShift, 4 / 3);
});

test("what the best ten have in common is counted, not the whole", () => {
  const ids = Array.from({ length: 12 }, (_, index) => `i${index}`);
  const { top, shared } = layBeside(order(...ids), order(...ids.toReversed()));
  assert.deepEqual([top, shared], [10, 8]);
});

test("orders of other items are not compared", () => {
  assert.equal(layBeside(order("a", "b"), order("a", "c")), null);
  assert.equal(layBeside(order("a", "b"), order("a")), null);
  assert.equal(layBeside([], []), null);
});
