import assert from "node:assert/strict";
import { test } from "node:test";

import { AS_IT_IS, SOMEBODY, added, changeCount, isRemoved, marked, toggleRemoved, told, whom, withoutAdded } from "../../static/js/editor/what-if.js";

const time = "2026-01-01T12:00:00.000Z";
const dune = { item_id: "dune", title: "Dune", sense: "positive", time };
const like = { item_id: "emma", type: "like", title: "Emma", value: 1 };

test("a user as they are is not told, marked or counted", () => {
  assert.deepEqual([told(AS_IT_IS), marked(AS_IT_IS), changeCount(AS_IT_IS)], [undefined, "", 0]);
});

test("one added and one left out are two changes, and only what the server needs is told", () => {
  const whatIf = toggleRemoved(added(AS_IT_IS, dune), like);
  assert.equal(marked(whatIf), "what-if: 2 changes");
  assert.deepEqual(told(whatIf), { anonymous: false, add: [{ item_id: "dune", sense: "positive", time }], remove: [{ item_id: "emma", type: "like" }] });
  assert.equal(changeCount(AS_IT_IS), 0);
});

test("leaving out twice is letting it count again, of that type only", () => {
  const out = toggleRemoved(AS_IT_IS, like);
  assert.ok(isRemoved(out, like));
  assert.ok(!isRemoved(out, { ...like, type: "read" }));
  assert.deepEqual(toggleRemoved(out, like), AS_IT_IS);
});

test("the last word on an item counts, and can be taken back", () => {
  const whatIf = added(added(AS_IT_IS, dune), { ...dune, sense: "read" });
  assert.deepEqual(whatIf.add.map((row) => row.sense), ["read"]);
  assert.deepEqual(withoutAdded(whatIf, "dune"), AS_IT_IS);
});

test("a session is told even when nothing was done in it, and is no change of anybody", () => {
  assert.deepEqual(told(SOMEBODY), { anonymous: true, add: [], remove: [] });
  assert.equal(marked(added(SOMEBODY, dune)), "");
  assert.equal(whom("", added(SOMEBODY, dune)), "an anonymous session of 1 item");
  assert.equal(whom("ann", AS_IT_IS), "ann");
});

test("an item that is added by its id alone is called by it", () => {
  assert.equal(added(AS_IT_IS, { ...dune, title: "" }).add[0].title, "dune");
});
