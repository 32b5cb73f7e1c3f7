import assert from "node:assert/strict";
import { test } from "node:test";

import { byFamily, familyIndex, inputFor, isOrdered, nameOf, readSchema, search } from "../../static/js/editor/node-types.js";
import { freePlace, tidyPositions } from "../../static/js/editor/places.js";
import { chain, flow, node, types } from "./drawing.js";

test("an output goes to the first input that accepts it", () => {
  assert.equal(inputFor(types.get("spare"), types.get("sink")).name, "fallback");
  assert.equal(inputFor(types.get("sorter"), types.get("sink")).name, "main");
  assert.equal(inputFor(types.get("source"), types.get("sink")), null);
  assert.equal(inputFor(types.get("sink"), types.get("mixer")), null);
});

test("order counts where one input says so", () => {
  assert.deepEqual(["mixer", "sorter", "source"].map((name) => isOrdered(types.get(name))), [true, false, false]);
});

test("a node without a name is called by its type, one of an unknown type by that", () => {
  assert.equal(nameOf(node("a", "finder", { name: "" }), types), "Finder");
  assert.equal(nameOf(node("a", "gone", { name: "" }), types), "gone");
  assert.equal(nameOf(node("a", "finder"), types), "A");
});

test("a search finds names before what is merely said of a type", () => {
  const said = (type, label, summary) => ({ type, label, summary });
  const list = [said("plain", "Plain", "items for all"), said("x", "By Item", ""), said("item", "Item to Item", "")];
  assert.deepEqual(search(list, "item").map((type) => type.type), ["item", "x", "plain"]);
  assert.deepEqual(search(list, "nothing such"), []);
});

test("families come in the server's order, empty ones left out, and color by their place", () => {
  const schema = { limits: {}, families: [{ id: "x", label: "X" }, { id: "y", label: "Y" }], types: [{ type: "t", family: "y" }] };
  const table = readSchema(schema);
  assert.deepEqual(byFamily(table).map((family) => family.label), ["Y"]);
  assert.equal(familyIndex(table, table.get("t")), 1);
  assert.equal(familyIndex(table, undefined), "unknown");
});

test("a free place is the wanted one, or the nearest where no card is covered", () => {
  const drawing = flow([node("a", "finder")]);
  assert.deepEqual(freePlace(drawing, { x: 900, y: 0 }), { x: 900, y: 0 });
  const place = freePlace(drawing, { x: 0, y: 0 });
  assert.ok(Math.abs(place.x) >= 216 || Math.abs(place.y) >= 76, JSON.stringify(place));
});

test("a tidy drawing takes its places from the layout, corner and not center", () => {
  class Graph {
    nodes = new Map();
    setGraph() {}
    setDefaultEdgeLabel() {}
    setNode(id, size) { this.nodes.set(id, size); }
    setEdge() {}
    node(id) { return this.nodes.get(id); }
  }
  const layout = (graph) => graph.nodes.forEach((size) => Object.assign(size, { x: 108, y: 38 }));
  assert.deepEqual(tidyPositions(chain(), { graphlib: { Graph }, layout }).src, { x: 0, y: 0 });
});
