/** A part of a drawing as text: what copy puts on the clipboard, and how it comes back under new ids. Pure. */
import { additionRefusal } from "./connecting.js";
import { completedNode, freeName, freshId } from "./flow-document.js";
import { nameOf } from "./node-types.js";

const KIND = "recflow-fragment";
const STEP = 40;

/** The chosen nodes and notes with the edges between them, as JSON text. */
export function copy(flow, { nodeIds, noteIds = [] }) {
  const chosen = new Set(nodeIds);
  return JSON.stringify({
    kind: KIND,
    nodes: flow.nodes.filter((node) => chosen.has(node.id)),
    edges: flow.edges.filter((edge) => chosen.has(edge.source) && chosen.has(edge.target)),
    notes: flow.notes.filter((note) => noteIds.includes(note.id)),
  });
}

/** What a clipboard text holds, or null when it is not ours: pasting garbage does nothing. */
export function readFragment(text) {
  let parsed;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (parsed?.kind !== KIND && parsed?.format === undefined) return null;
  const nodes = Array.isArray(parsed.nodes) ? parsed.nodes.filter(Boolean).map(completedNode).filter(isNode) : [];
  const notes = Array.isArray(parsed.notes) ? parsed.notes.filter((note) => isPlace(note?.position)) : [];
  const ids = new Set(nodes.map((node) => node.id));
  const edges = Array.isArray(parsed.edges)
    ? parsed.edges.filter((edge) => ids.has(edge?.source) && ids.has(edge?.target))
    : [];
  return nodes.length + notes.length > 0 ? { nodes, edges, notes } : null;
}

/**
 * A flow with the fragment in it under new ids and free names, `at` a place or a step beside the original.
 *
 * Nodes that the flow may not have twice are left out; `left` says why, and `added` holds the new ids.
 */
export function paste(flow, { fragment, at }, types) {
  const offset = offsetOf(fragment, at);
  const ids = new Map();
  const left = [];
  const added = [];
  let result = flow;
  for (const node of fragment.nodes) {
    const type = types.get(node.type);
    const problem = type ? additionRefusal(result, type, types) : null;
    if (problem) {
      left.push(problem);
      continue;
    }
    const id = freshId("n");
    ids.set(node.id, id);
    added.push(id);
    const shown = nameOf(node, types);
    const free = freeName(result, shown, types);
    const copied = { ...structuredClone(node), id, name: free === shown ? node.name : free, position: shifted(node, offset) };
    result = { ...result, nodes: [...result.nodes, copied] };
  }
  const edges = fragment.edges
    .filter((edge) => ids.has(edge.source) && ids.has(edge.target))
    .map((edge) => ({ ...edge, id: freshId("e"), source: ids.get(edge.source), target: ids.get(edge.target) }));
  const notes = fragment.notes.map((note) => ({ ...note, id: freshId("t"), position: shifted(note, offset) }));
  if (added.length + notes.length === 0) return { problem: left[0] ?? "There is nothing to paste." };
  return {
    flow: { ...result, edges: [...result.edges, ...edges], notes: [...result.notes, ...notes] },
    added, left,
  };
}

function isNode(node) {
  const { id, type, name, position, settings, disabled, pin } = node;
  const texts = [id, type, name].every((text) => typeof text === "string");
  return texts && isPlace(position) && isObject(settings) && typeof disabled === "boolean" && (pin === null || isObject(pin));
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPlace(position) {
  return Number.isFinite(position?.x) && Number.isFinite(position?.y);
}

function offsetOf(fragment, at) {
  if (!at) return { x: STEP, y: STEP };
  const parts = [...fragment.nodes, ...fragment.notes];
  const left = Math.min(...parts.map((part) => part.position.x));
  const top = Math.min(...parts.map((part) => part.position.y));
  return { x: at.x - left, y: at.y - top };
}

function shifted(part, offset) {
  return { x: Math.round(part.position.x + offset.x), y: Math.round(part.position.y + offset.y) };
}
