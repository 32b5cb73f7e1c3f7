import assert from "node:assert/strict";
import { test } from "node:test";

import { apply } from "../../static/js/editor/commands.js";
import { copy, readFragment } from "../../static/js/editor/flow-fragment.js";
import { chain, flow, node, types } from "./drawing.js";

test("copied nodes come back with new ids, free names and the edges between them", () => {
  const fragment = readFragment(copy(chain(), { nodeIds: ["a", "b", "sort"] }));
  const { flow: pasted, added } = apply(chain(), "paste", { fragment }, types);
  assert.equal(added.length, 3);
  assert.deepEqual(pasted.nodes.slice(5).map((each) => each.name), ["A 2", "B 2", "SORT 2"]);
  assert.equal(new Set(pasted.nodes.map((each) => each.id)).size, 8);
  const inner = pasted.edges.slice(5).map(({ source, target }) => [source, target]);
  assert.deepEqual(inner, [[added[0], added[2]], [added[1], added[2]]]);
});

test("a copied node that is called after its type gets a name only where another node is called so too", () => {
  const drawing = flow([node("a", "finder", { name: "" })]);
  const names = (into) => {
    const { flow: pasted } = apply(into, "paste", { fragment: readFragment(copy(drawing, { nodeIds: ["a"] })) }, types);
    return pasted.nodes.map((each) => each.name);
  };
  assert.deepEqual(names(drawing), ["", "Finder 2"]);
  assert.deepEqual(names(flow([node("b", "mixer", { name: "Finder" })])), ["Finder", "Finder 2"]);
  assert.deepEqual(names(flow([node("b", "mixer", { name: "" })])), ["", ""]);
});

test("pasting at a place puts the upper left corner there and keeps the shape", () => {
  const drawing = flow([node("a", "finder", { position: { x: 100, y: 50 } }), node("b", "finder", { position: { x: 300, y: 20 } })]);
  const fragment = readFragment(copy(drawing, { nodeIds: ["a", "b"] }));
  const { flow: pasted } = apply(flow([]), "paste", { fragment, at: { x: 0, y: 0 } }, types);
  assert.deepEqual(pasted.nodes.map((each) => each.position), [{ x: 0, y: 30 }, { x: 200, y: 0 }]);
});

test("a node that may be there once is left out and the reason is told", () => {
  const fragment = readFragment(copy(chain(), { nodeIds: ["src", "a"] }));
  const { flow: pasted, left } = apply(chain(), "paste", { fragment }, types);
  assert.equal(pasted.nodes.length, 6);
  assert.deepEqual(left, ["A flow takes one Source, and SRC is there already."]);
});

test("nodes of unknown types are pasted as they are", () => {
  const fragment = readFragment(copy(flow([node("x", "gone", { settings: { deep: [1] } })]), { nodeIds: ["x"] }));
  const { flow: pasted } = apply(flow([]), "paste", { fragment }, types);
  assert.deepEqual(pasted.nodes[0].settings, { deep: [1] });
});

test("garbage on the clipboard is no fragment", () => {
  for (const text of ["", "hello", "null", "[]", "{}", '{"nodes": 3}', '{"kind": "recflow-fragment", "nodes": [{"id": 1}]}', "{"]) {
    assert.equal(readFragment(text), null, text);
  }
});

test("an exported flow can be pasted too", () => {
  const fragment = readFragment(JSON.stringify(chain()));
  assert.equal(fragment.nodes.length, 5);
  assert.equal(fragment.edges.length, 5);
});

test("what a node on the clipboard lacks is completed, and a node that no server would keep is left out", () => {
  const bare = { id: "a", type: "finder", position: { x: 1, y: 2 } };
  const read = (...nodes) => readFragment(JSON.stringify({ format: 1, nodes: [bare, ...nodes] })).nodes;
  assert.deepEqual(read(), [{ ...bare, name: "", settings: {}, disabled: false, pin: null }]);
  const wrong = [{ pin: "yes" }, { settings: [] }, { settings: null }, { disabled: 1 }, { name: null }, { type: 5 }, { position: { x: "0", y: 0 } }];
  for (const values of wrong) assert.equal(read({ ...bare, id: "b", ...values }).length, 1, JSON.stringify(values));
  assert.equal(read(null, 3, { ...bare, id: "b" }).length, 2);
});
