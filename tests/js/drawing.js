/** A small table of node types and drawings made of it, for the tests of the pure modules. */
import { readSchema } from "../../static/js/editor/node-types.js";

const items = { name: "candidates", label: "candidates", accepts: ["items"], required: true, max: null, ordered: false };
const person = { name: "user", label: "user", accepts: ["user"], required: true, max: 1, ordered: false };
const type = (name, label, values) => ({
  type: name, label, family: "f", icon: name, summary: "", help: "", at_least: 0, at_most: null, inputs: [], output: null,
  settings: { type: "object", properties: {} }, defaults: {}, card: [], ...values,
});

export const types = readSchema({
  format: 1,
  limits: { bytes: 1_048_576, nodes: 20, edges: 30, name: 64 },
  families: [{ id: "f", label: "All" }],
  types: [
    type("source", "Source", { output: "user", at_least: 1, at_most: 1 }),
    type("finder", "Finder", { inputs: [person], output: "items", defaults: { n: 5 } }),
    type("mixer", "Mixer", { inputs: [{ ...items, ordered: true }], output: "items" }),
    type("sorter", "Sorter", { inputs: [items], output: "items" }),
    type("spare", "Spare", { inputs: [{ ...items, ordered: true }], output: "fallback", at_most: 1 }),
    type("sink", "Sink", {
      at_least: 1, at_most: 1,
      inputs: [{ ...items, name: "main", label: "main", max: 1 },
        { ...items, name: "fallback", label: "fallback", accepts: ["fallback"], max: 1, required: false }],
    }),
  ],
});

export const node = (id, typeName, values = {}) => ({
  id, type: typeName, name: id.toUpperCase(), position: { x: 0, y: 0 }, settings: {}, disabled: false, pin: null, ...values,
});

export const edge = (source, target, order = 0) => ({ id: `${source}-${target}`, source, target, order });

export const flow = (nodes, edges = [], notes = []) => ({ format: 1, name: "Test", nodes, edges, notes });

/** source -> a, b -> sorter -> sink */
export const chain = () =>
  flow(
    [node("src", "source"), node("a", "finder", { settings: { n: 5 } }), node("b", "finder"), node("sort", "sorter"), node("end", "sink")],
    [edge("src", "a"), edge("src", "b"), edge("a", "sort"), edge("b", "sort", 1), edge("sort", "end")],
  );

/** The edges as readable text, in order: ["src>a", ...]. */
export const wires = (drawing) => drawing.edges.map(({ source, target }) => `${source}>${target}`);
