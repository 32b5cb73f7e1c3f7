import assert from "node:assert/strict";
import { test } from "node:test";

import { apply } from "../../static/js/editor/commands.js";
import { additionRefusal, downstream, inputsOf, refusal, upstream } from "../../static/js/editor/connecting.js";
import { freeName, newNode } from "../../static/js/editor/flow-document.js";
import { chain, edge, flow, node, types, wires } from "./drawing.js";

const refused = (drawing, source, target) => refusal(drawing, source, target, types);

test("an edge that closes a circle is refused and both nodes are named", () => {
  const drawing = flow([node("m1", "mixer"), node("m2", "mixer")], [edge("m1", "m2")]);
  assert.equal(refused(drawing, "m2", "m1"), "M1 already leads to M2: an edge from M2 to M1 would close a circle.");
});

test("a node may not feed itself", () => {
  assert.equal(refused(chain(), "sort", "sort"), "SORT cannot feed itself.");
});

test("the same edge twice is refused", () => {
  assert.equal(refused(chain(), "a", "sort"), "A already feeds SORT.");
});

test("ports of other kinds do not fit, and the sentence says what fits", () => {
  assert.equal(refused(chain(), "src", "sort"), "SORT takes items, but SRC gives user.");
  assert.equal(refused(chain(), "end", "sort"), "END gives nothing on, so it cannot feed SORT.");
  assert.equal(refused(chain(), "sort", "src"), "SRC takes no input, so SORT cannot feed it.");
});

test("a full input is refused with the detour that would work", () => {
  const drawing = { ...chain(), edges: chain().edges.filter((each) => each.id !== "b-sort") };
  assert.equal(refused(drawing, "b", "end"), "END takes one main input, and SORT feeds it already: lead B into SORT instead.");
});

test("a full input without a detour says so", () => {
  const drawing = flow([node("a", "finder"), node("b", "finder"), node("end", "sink")], [edge("a", "end")]);
  assert.equal(refused(drawing, "b", "end"), "END takes one main input, and A feeds it already, so B cannot.");
});

test("the fallback input is free although the main input is full", () => {
  const drawing = { ...chain(), nodes: [...chain().nodes, node("f", "spare")] };
  assert.equal(refused(drawing, "f", "end"), null);
});

test("a type the server does not know can neither feed nor be fed", () => {
  const drawing = flow([node("x", "gone"), node("m", "mixer")]);
  assert.equal(refused(drawing, "x", "m"), "This server does not know the type of X, so it cannot feed M.");
  assert.equal(refused(drawing, "m", "x"), "This server does not know the type of X, so M cannot feed it.");
});

test("a second node of a type that may be there once is refused", () => {
  assert.equal(additionRefusal(chain(), types.get("source"), types), "A flow takes one Source, and SRC is there already.");
  assert.equal(additionRefusal(chain(), types.get("finder"), types), null);
});

test("the limit of nodes is told with its number", () => {
  const crowd = flow(Array.from({ length: 20 }, (_, index) => node(`n${index}`, "finder")));
  assert.equal(additionRefusal(crowd, types.get("finder"), types), "A flow may have 20 nodes.");
});

test("a new edge is taken last among the inputs of its target", () => {
  const drawing = { ...chain(), nodes: [...chain().nodes, node("c", "finder")] };
  const outcome = apply(drawing, "connect", { source: "c", target: "sort" }, types);
  assert.deepEqual(inputsOf(outcome.flow, "sort").map((each) => each.source), ["a", "b", "c"]);
});

test("adding a node with its edge adds both or nothing", () => {
  const added = apply(chain(), "add", { node: node("m", "mixer"), from: "a" }, types);
  assert.deepEqual(wires(added.flow).at(-1), "a>m");
  const notAdded = apply(chain(), "add", { node: node("m", "mixer"), from: "src" }, types);
  assert.equal(notAdded.problem, "M takes items, but SRC gives user.");
});

test("removing a node removes its edges, and leaves the given flow as it was", () => {
  const before = chain();
  const outcome = apply(before, "remove", { nodeIds: ["sort"] }, types);
  assert.deepEqual(wires(outcome.flow), ["src>a", "src>b"]);
  assert.deepEqual(before, chain());
});

test("removing with a bridge leads what came in to where it went, as far as allowed", () => {
  const outcome = apply(chain(), "removeAndBridge", { nodeIds: ["sort"] }, types);
  assert.deepEqual(wires(outcome.flow), ["src>a", "src>b", "a>end"]); // b would be a second main input
});

test("a node dropped on an edge stands between its ends and keeps the place among the inputs", () => {
  const drawing = { ...chain(), nodes: [...chain().nodes, node("m", "mixer")] };
  const { flow: spliced } = apply(drawing, "splice", { nodeId: "m", edgeId: "a-sort" }, types);
  assert.deepEqual(inputsOf(spliced, "sort").map((each) => each.source), ["m", "b"]);
  assert.ok(wires(spliced).includes("a>m") && !wires(spliced).includes("a>sort"));
});

test("a node that does not fit between two others is not spliced in", () => {
  const { problem } = apply(chain(), "addOnEdge", { node: node("c", "finder"), edgeId: "a-sort" }, types);
  assert.equal(problem, "C takes user, but A gives items.");
});

test("an edge led elsewhere keeps its place unless the target changes", () => {
  const drawing = { ...chain(), nodes: [...chain().nodes, node("c", "finder")] };
  const { flow: led } = apply(drawing, "reconnect", { edgeId: "a-sort", source: "c", target: "sort" }, types);
  assert.deepEqual(inputsOf(led, "sort").map((each) => each.source), ["c", "b"]);
});

test("reordering changes the order of the edges only", () => {
  const { flow: reordered } = apply(chain(), "reorderInputs", { nodeId: "sort", edgeIds: ["b-sort", "a-sort"] }, types);
  assert.deepEqual(inputsOf(reordered, "sort").map((each) => each.source), ["b", "a"]);
  assert.deepEqual(reordered.nodes, chain().nodes);
});

test("switching off several nodes switches on only when all are off", () => {
  const off = apply(chain(), "toggleDisabled", { nodeIds: ["a", "b"] }, types).flow;
  assert.deepEqual(off.nodes.map((each) => each.disabled), [false, true, true, false, false]);
  const on = apply(off, "toggleDisabled", { nodeIds: ["a", "b"] }, types).flow;
  assert.deepEqual(on, chain());
});

test("moving rounds to whole pixels and leaves others where they are", () => {
  const { flow: moved } = apply(chain(), "move", { positions: { a: { x: 10.4, y: -3.6 } } }, types);
  assert.deepEqual(moved.nodes[1].position, { x: 10, y: -4 });
  assert.equal(moved.nodes[0], moved.nodes.find((each) => each.id === "src"));
});

test("a new node has a free name and its own copy of the defaults", () => {
  const drawing = flow([node("x", "finder", { name: "Finder" }), node("y", "finder", { name: "Finder 2" })]);
  const fresh = newNode(drawing, types.get("finder"), { x: 1, y: 2 }, types);
  assert.equal(fresh.name, "Finder 3");
  fresh.settings.n = 99;
  assert.equal(types.get("finder").defaults.n, 5);
});

test("a numbered name counts on from its stem", () => {
  const drawing = flow([node("x", "finder", { name: "Popular 2" })]);
  assert.equal(freeName(drawing, "Popular 2", types), "Popular 3");
  assert.equal(freeName(drawing, "Popular", types), "Popular");
  assert.equal(freeName(flow([node("x", "finder", { name: "" })]), "Finder", types), "Finder 2");
});

test("unknown keys of a document survive every command", () => {
  const drawing = { ...chain(), colour: "blue" };
  drawing.nodes[1] = { ...drawing.nodes[1], future: { deep: 1 } };
  const { flow: renamed } = apply(drawing, "rename", { nodeId: "a", values: { name: "Other" } }, types);
  assert.equal(renamed.colour, "blue");
  assert.deepEqual(renamed.nodes[1].future, { deep: 1 });
});

test("upstream and downstream hold the node itself and everything along the edges", () => {
  assert.deepEqual([...upstream(chain(), ["sort"])].sort(), ["a", "b", "sort", "src"]);
  assert.deepEqual([...downstream(chain(), ["a"])].sort(), ["a", "end", "sort"]);
});

test("every command says what it did in words", () => {
  assert.equal(apply(chain(), "remove", { nodeIds: ["a", "b"] }, types).label, "delete 2 nodes");
  assert.equal(apply(chain(), "remove", { edgeIds: ["a-sort"] }, types).label, "delete 1 edge");
  assert.equal(apply(chain(), "move", { positions: { a: { x: 1, y: 1 } } }, types).label, "move A");
});
