import assert from "node:assert/strict";
import { test } from "node:test";

import { apply } from "../../static/js/editor/commands.js";
import { changeCount, difference } from "../../static/js/editor/flow-diff.js";
import { DELETED, merge } from "../../static/js/editor/flow-merge.js";
import { isSame } from "../../static/js/editor/equality.js";
import { chain, edge, node, types, wires } from "./drawing.js";

const after = (kind, args, flow = chain()) => apply(flow, kind, args, types).flow;
const settings = (nodeId, values) => after("setSettings", { nodeId, values: { settings: values } });

test("values are the same whatever the order of their keys", () => {
  assert.ok(isSame({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }));
  assert.ok(!isSame({ a: 1 }, { a: 1, b: undefined }));
  assert.ok(!isSame([1], { 0: 1 }));
  assert.ok(!isSame(null, {}));
});

test("a difference lists nodes, fields, moves and edges apart", () => {
  let flow = settings("a", { n: 7 });
  flow = after("move", { positions: { b: { x: 5, y: 5 } } }, flow);
  flow = after("add", { node: node("m", "mixer"), from: "a" }, flow);
  flow = after("remove", { nodeIds: ["end"] }, flow);
  const changes = difference(chain(), flow, types);
  assert.deepEqual(changes.added.map((each) => each.id), ["m"]);
  assert.deepEqual(changes.removed.map((each) => each.id), ["end"]);
  assert.deepEqual(changes.changed, [{ node_id: "a", name: "A", field: "settings.n", before: 5, after: 7 }]);
  assert.deepEqual(changes.moved, ["b"]);
  assert.deepEqual(changes.edges_added.map((each) => `${each.source}>${each.target}`), ["a>m"]);
  assert.deepEqual(changes.edges_removed.map((each) => each.id), ["sort-end"]);
  assert.equal(changeCount(changes), 5); // added, removed, changed, edge added, edge removed; not the move
});

test("changes to different nodes are both kept", () => {
  const theirs = after("rename", { nodeId: "b", values: { name: "Theirs" } });
  const { flow, conflicts } = merge(chain(), settings("a", { n: 7 }), theirs);
  assert.deepEqual(conflicts, []);
  assert.equal(flow.nodes[1].settings.n, 7);
  assert.equal(flow.nodes[2].name, "Theirs");
});

test("different fields of one node are both kept", () => {
  const theirs = after("rename", { nodeId: "a", values: { name: "Theirs" } });
  const { flow, conflicts } = merge(chain(), settings("a", { n: 7 }), theirs);
  assert.deepEqual(conflicts, []);
  assert.deepEqual([flow.nodes[1].name, flow.nodes[1].settings.n], ["Theirs", 7]);
});

test("the same field keeps mine and shows both values", () => {
  const three = [chain(), settings("a", { n: 7 }), settings("a", { n: 8 })];
  const { flow, conflicts } = merge(...three);
  assert.equal(flow.nodes[1].settings.n, 7);
  assert.deepEqual(conflicts, [{ node_id: "a", name: "A", field: "settings.n", mine: 7, theirs: 8 }]);
  assert.equal(merge(...three, "theirs").flow.nodes[1].settings.n, 8);
});

test("a note that both wrote on shows both texts, and one that both moved asks nothing", () => {
  const noted = (text, x) => ({ ...chain(), notes: [{ id: "t", text, position: { x, y: 0 } }] });
  const three = [noted("why", 0), noted("because", 10), noted("therefore", 20)];
  const { flow, conflicts } = merge(...three);
  assert.deepEqual(conflicts, [{ node_id: null, note_id: "t", name: "Note", field: "text", mine: "because", theirs: "therefore" }]);
  assert.deepEqual(flow.notes, [{ id: "t", text: "because", position: { x: 10, y: 0 } }]);
  const other = merge(...three, "theirs").flow;
  assert.deepEqual(other.notes, [{ id: "t", text: "therefore", position: { x: 10, y: 0 } }]);
  assert.equal(other.name, "Test");
});

test("the same change on both sides is no conflict", () => {
  assert.deepEqual(merge(chain(), settings("a", { n: 7 }), settings("a", { n: 7 })).conflicts, []);
});

test("nodes and edges added on either side are all there", () => {
  const mine = after("add", { node: node("m", "mixer"), from: "a" });
  const theirs = after("add", { node: node("t", "mixer"), from: "b" });
  const { flow } = merge(chain(), mine, theirs);
  assert.deepEqual(flow.nodes.map((each) => each.id).slice(5), ["m", "t"]);
  assert.ok(wires(flow).includes("a>m") && wires(flow).includes("b>t"));
});

test("a node they deleted goes, with the edges I did not touch", () => {
  const { flow } = merge(chain(), settings("a", { n: 7 }), after("remove", { nodeIds: ["b"] }));
  assert.deepEqual(flow.nodes.map((each) => each.id), ["src", "a", "sort", "end"]);
  assert.ok(!wires(flow).includes("b>sort"));
});

test("a node that one side deleted and the other edited is asked about, and stays with its edges or goes with them", () => {
  const [deleted, edited] = [after("remove", { nodeIds: ["a"] }), settings("a", { n: 7 })];
  const whole = wires(edited).toSorted();
  const conflict = { node_id: "a", name: "A", field: "settings.n" };
  for (const [mine, theirs, keeps] of [[deleted, edited, "theirs"], [edited, deleted, "mine"]]) {
    const values = keeps === "mine" ? { mine: 7, theirs: DELETED } : { mine: DELETED, theirs: 7 };
    assert.deepEqual(merge(chain(), mine, theirs).conflicts, [{ ...conflict, ...values }]);
    for (const preferred of ["mine", "theirs"]) {
      const { flow } = merge(chain(), mine, theirs, preferred);
      assert.equal(flow.nodes.find((each) => each.id === "a")?.settings.n, preferred === keeps ? 7 : undefined);
      assert.deepEqual(wires(flow).toSorted(), preferred === keeps ? whole : wires(deleted).toSorted());
    }
  }
});

test("no edge leads past nodes that come back", () => {
  const deleted = after("removeAndBridge", { nodeIds: ["a", "sort"] });
  assert.ok(wires(deleted).includes("b>end"));
  const edited = settings("sort", { k: 1 });
  assert.deepEqual(wires(merge(chain(), deleted, edited, "mine").flow), wires(deleted));
  const { flow } = merge(chain(), deleted, edited, "theirs");
  assert.deepEqual(wires(flow).toSorted(), ["b>sort", "sort>end", "src>b"]); // A, which nobody edited, is gone
});

test("an edge to a node that the other side deleted is a change of it", () => {
  const base = { ...chain(), edges: chain().edges.filter((each) => each.id !== "a-sort") };
  const [deleted, wired] = [after("remove", { nodeIds: ["a"] }, base), { ...base, edges: [...base.edges, edge("a", "sort")] }];
  const { flow, conflicts } = merge(base, deleted, wired, "theirs");
  assert.deepEqual(conflicts, [{ node_id: "a", name: "A", field: "new edges", mine: DELETED, theirs: 1 }]);
  assert.deepEqual(wires(flow).toSorted(), wires(wired).toSorted());
  assert.deepEqual(wires(merge(base, deleted, wired).flow).toSorted(), wires(deleted).toSorted());
});

test("a node that was only moved goes without a question", () => {
  const { flow, conflicts } = merge(chain(), after("remove", { nodeIds: ["a"] }), after("move", { positions: { a: { x: 9, y: 9 } } }));
  assert.deepEqual(conflicts, []);
  assert.deepEqual(flow, after("remove", { nodeIds: ["a"] }));
});

test("a note that one side deleted and the other wrote on is asked about", () => {
  const noted = (...notes) => ({ ...chain(), notes });
  const note = { id: "t", text: "why", position: { x: 0, y: 0 } };
  const three = [noted(note), noted(), noted({ ...note, text: "because" })];
  const { flow, conflicts } = merge(...three);
  assert.deepEqual(conflicts, [{ node_id: null, note_id: "t", name: "Note", field: "text", mine: DELETED, theirs: "because" }]);
  assert.deepEqual(flow.notes, []);
  assert.equal(merge(...three, "theirs").flow.notes[0].text, "because");
});

test("an edge drawn on both sides is there once", () => {
  const base = { ...chain(), edges: chain().edges.filter((each) => each.id !== "a-sort") };
  const drawn = (id) => ({ ...base, edges: [...base.edges, { ...edge("a", "sort"), id }] });
  assert.equal(merge(base, drawn("mine"), drawn("theirs")).flow.edges.length, 5);
});
