import assert from "node:assert/strict";
import { test } from "node:test";

import { compareLists } from "../../static/js/editor/list-difference.js";

const list = (...ids) => ids.map((id, index) => ({ item_id: id, title: id, rank: index + 1 }));
const ids = (items) => items.map((item) => item.item_id);

test("what entered, left and moved is set arithmetic on the two lists", () => {
  const { entered, left, moved } = compareLists(list("a", "b", "c", "d"), list("b", "a", "e", "d"));
  assert.deepEqual(ids(entered), ["e"]);
  assert.deepEqual(ids(left), ["c"]);
  assert.deepEqual(moved.map(({ item_id: id, from, to }) => [id, from, to]), [["b", 2, 1], ["a", 1, 2]]);
});

test("equal lists differ in nothing", () => {
  assert.deepEqual(compareLists(list("a", "b"), list("a", "b")), { entered: [], left: [], moved: [] });
});

test("an empty list before means that everything entered", () => {
  assert.deepEqual(ids(compareLists([], list("a", "b")).entered), ["a", "b"]);
});
