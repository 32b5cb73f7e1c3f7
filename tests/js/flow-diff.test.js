import assert from "node:assert/strict";
import { test } from "node:test";

import { difference, overlay } from "../../static/js/editor/flow-diff.js";
import { chain, edge, flow as drawing, node, types } from "./drawing.js";

test("two drawings in one show what came, what went and what changed, each once", () => {
  const before = chain();
  const after = {
    ...before,
    nodes: [...before.nodes.filter((each) => !["b", "src"].includes(each.id)), { ...before.nodes[0], position: { x: 9, y: 9 } }, node("c", "finder")],
    edges: [...before.edges.filter((each) => each.source !== "b" && each.target !== "b"), edge("src", "c"), edge("c", "sort", 1)],
  };
  after.nodes = after.nodes.map((each) => (each.id === "a" ? { ...each, settings: { n: 7 } } : each));
  const { flow, marks, edgeMarks } = overlay(before, after, types);
  assert.deepEqual(Object.fromEntries(marks), { src: "moved", a: "changed", c: "added", b: "removed" });
  assert.deepEqual(Object.fromEntries(edgeMarks), { "src-c": "added", "c-sort": "added", "src-b": "removed", "b-sort": "removed" });
  assert.deepEqual(flow.nodes.map((each) => each.id).sort(), ["a", "b", "c", "end", "sort", "src"]);
  assert.equal(flow.edges.length, 7); // 3 that stayed, 2 that came, 2 that went
});

test("what went stands beside what took its place", () => {
  const before = { ...chain(), nodes: [node("old", "finder")], edges: [] };
  const after = { ...before, nodes: [node("new", "finder")] };
  const [there, ghost] = overlay(before, after, types).flow.nodes;
  assert.deepEqual(there.position, { x: 0, y: 0 });
  assert.ok(Math.abs(ghost.position.x) >= 216 || Math.abs(ghost.position.y) >= 76, JSON.stringify(ghost.position));
});

test("an edge that only changed its place among the inputs is there once, as changed", () => {
  const before = chain();
  const swapped = { "a-sort": 1, "b-sort": 0 };
  const after = { ...before, edges: before.edges.map((each) => ({ ...each, order: swapped[each.id] ?? each.order })) };
  const { flow, edgeMarks } = overlay(before, after, types);
  assert.equal(flow.edges.length, before.edges.length);
  assert.deepEqual(Object.fromEntries(edgeMarks), { "a-sort": "changed", "b-sort": "changed" });
});

test("an id that was given to another edge is not there twice", () => {
  const before = { ...chain(), edges: [{ ...edge("src", "a"), id: "e" }] };
  const after = { ...chain(), edges: [{ ...edge("src", "b"), id: "e" }] };
  const { flow, edgeMarks } = overlay(before, after, types);
  assert.deepEqual(flow.edges.map((each) => each.id), ["e", "e before"]);
  assert.deepEqual(Object.fromEntries(edgeMarks), { e: "added", "e before": "removed" });
});

const kind = (value, properties) => ({ type: "object", properties: { kind: { const: value, default: value }, ...properties } });
const kinds = {
  get: (name) => ({
    type: name, at_most: name === "finder" ? null : 1, defaults: { kind: "plain" },
    settings: { discriminator: { propertyName: "kind" }, oneOf: [kind("plain", { n: { type: "integer", default: 5 } }), kind("deep", { layers: { type: "integer", default: 3 } })] },
  }),
};
const changesOf = (before, after) =>
  difference(drawing([node("a", "finder", { settings: before })]), drawing([node("a", "finder", { settings: after })]), kinds)
    .changed.map(({ field, before: past, after: now }) => [field, past, now]);

test("a setting that is left out is its default", () => {
  assert.deepEqual(changesOf({}, { kind: "plain", n: 5 }), []);
  assert.deepEqual(changesOf({ n: 7 }, {}), [["settings.n", 7, 5]]);
  assert.deepEqual(changesOf({ old: 1 }, {}), [["settings.old", 1, undefined]]);
});

test("another kind is a change and its defaults are none", () => {
  assert.deepEqual(changesOf({ n: 5 }, { kind: "deep", layers: 3 }), [["settings.kind", "plain", "deep"]]);
  assert.deepEqual(changesOf({}, { kind: "deep", layers: 4 }), [["settings.kind", "plain", "deep"], ["settings.layers", undefined, 4]]);
});

test("of a type that there is once the nodes of both drawings are meant by each other", () => {
  const [before, after] = ["1", "2"].map((n) =>
    drawing([node(`src${n}`, "source", { name: "In" }), node(`f${n}`, "finder"), node(`end${n}`, "sink", { name: n })], [edge(`src${n}`, `end${n}`)]));
  const { changes, marks } = overlay(before, after, kinds);
  assert.deepEqual(changes.edges_added, []);
  assert.deepEqual(Object.fromEntries(marks), { end2: "changed", f2: "added", f1: "removed" });
});
