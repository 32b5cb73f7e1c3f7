/**
 * The drawing as a plain object and everything that may be done to it. Pure: each function takes a flow and returns
 * `{flow}`, a new one that shares what did not change, or `{problem}`, one sentence that names what is in the way.
 */
import { additionRefusal, inputsOf, refusal } from "./connecting.js";
import { nameOf } from "./node-types.js";

/**
 * @typedef {{id: string, type: string, name: string, position: {x: number, y: number}, settings: object,
 *   disabled: boolean, pin: object|null}} Node
 * @typedef {{id: string, source: string, target: string, order: number}} Edge
 * @typedef {{format: number, name: string, nodes: Node[], edges: Edge[], notes: object[]}} Flow
 * @typedef {{flow: Flow, problem?: undefined} | {problem: string, flow?: undefined}} Outcome
 */

const ORIGIN = Object.freeze({ x: 0, y: 0 });

/** An id that no other tab draws as well. */
export function freshId(prefix) {
  return prefix + globalThis.crypto.randomUUID().replaceAll("-", "").slice(0, 10);
}

/** A node of a type as it comes from the palette. */
export function newNode(flow, type, position, types) {
  return {
    id: freshId("n"), type: type.type, name: freeName(flow, type.label, types), position: whole(position),
    settings: structuredClone(type.defaults), disabled: false, pin: null,
  };
}

/** A flow with one more node. With `from` (or `to`) it is wired to that node, or nothing is added. */
export function addNode(flow, { node, from, to }, types) {
  const type = types.get(node.type);
  const problem = type ? additionRefusal(flow, type, types) : null;
  if (problem) return { problem };
  let outcome = { flow: { ...flow, nodes: [...flow.nodes, node] } };
  if (from) outcome = connect(outcome.flow, { source: from, target: node.id }, types);
  if (to && outcome.flow) outcome = connect(outcome.flow, { source: node.id, target: to }, types);
  return outcome;
}

/** A flow with one more edge, put last among the inputs of its target. */
export function connect(flow, { source, target, order }, types) {
  const problem = refusal(flow, source, target, types);
  if (problem) return { problem };
  const last = Math.max(-1, ...inputsOf(flow, target).map((edge) => edge.order));
  const edge = { id: freshId("e"), source, target, order: order ?? last + 1 };
  return { flow: { ...flow, edges: [...flow.edges, edge] } };
}

/** A flow in which one edge leads elsewhere; the edge stays as it was when the new way is refused. */
export function reconnect(flow, { edgeId, source, target }, types) {
  const without = remove(flow, { edgeIds: [edgeId] }).flow;
  const old = flow.edges.find((edge) => edge.id === edgeId);
  return connect(without, { source, target, order: old?.target === target ? old.order : undefined }, types);
}

/** A flow without some nodes, edges and notes; edges of a removed node go with it. */
export function remove(flow, { nodeIds = [], edgeIds = [], noteIds = [] }) {
  const [nodes, edges, notes] = [new Set(nodeIds), new Set(edgeIds), new Set(noteIds)];
  return {
    flow: {
      ...flow,
      nodes: flow.nodes.filter((node) => !nodes.has(node.id)),
      edges: flow.edges.filter((edge) => !edges.has(edge.id) && !nodes.has(edge.source) && !nodes.has(edge.target)),
      notes: flow.notes.filter((note) => !notes.has(note.id)),
    },
  };
}

/** A flow without some nodes, in which whatever fed them feeds what they fed, as far as that is allowed. */
export function removeAndBridge(flow, { nodeIds }, types) {
  let result = flow;
  for (const nodeId of nodeIds) {
    const before = inputsOf(result, nodeId).map((edge) => edge.source);
    const after = result.edges.filter((edge) => edge.source === nodeId);
    result = remove(result, { nodeIds: [nodeId] }).flow;
    for (const edge of after) {
      for (const source of before) {
        const order = before.length === 1 ? edge.order : undefined;
        result = connect(result, { source, target: edge.target, order }, types).flow ?? result;
      }
    }
  }
  return { flow: result };
}

/** A flow in which a node stands between the two ends of an edge; the place among the inputs is kept. */
export function splice(flow, { nodeId, edgeId }, types) {
  const edge = flow.edges.find((candidate) => candidate.id === edgeId);
  const without = remove(flow, { edgeIds: [edgeId] }).flow;
  const first = connect(without, { source: edge.source, target: nodeId }, types);
  return first.problem ? first : connect(first.flow, { source: nodeId, target: edge.target, order: edge.order }, types);
}

/** A flow with one more node, put between the two ends of an edge. */
export function addNodeOnEdge(flow, { node, edgeId }, types) {
  const added = addNode(flow, { node }, types);
  return added.problem ? added : splice(added.flow, { nodeId: node.id, edgeId }, types);
}

/** A flow in which nodes and notes stand elsewhere: `positions` maps their ids to {x, y}. */
export function move(flow, { positions }) {
  const placed = (part) => (positions[part.id] ? { ...part, position: whole(positions[part.id]) } : part);
  return { flow: { ...flow, nodes: flow.nodes.map(placed), notes: flow.notes.map(placed) } };
}

/** A flow in which one node has other values for some of its own keys (name, settings, disabled, pin, ...). */
export function changeNode(flow, { nodeId, values }) {
  return { flow: { ...flow, nodes: changed(flow.nodes, nodeId, values) } };
}

/** A flow in which the given nodes are all switched off, or on again when they all were off. */
export function toggleDisabled(flow, { nodeIds }) {
  const chosen = new Set(nodeIds);
  const disabled = !flow.nodes.filter((node) => chosen.has(node.id)).every((node) => node.disabled);
  return { flow: { ...flow, nodes: flow.nodes.map((node) => (chosen.has(node.id) ? { ...node, disabled } : node)) } };
}

/** A flow in which the edges into a node are taken in the order of `edgeIds`. */
export function reorderInputs(flow, { nodeId, edgeIds }) {
  const place = new Map(edgeIds.map((id, index) => [id, index]));
  const numbered = (edge) => (edge.target === nodeId && place.has(edge.id) ? { ...edge, order: place.get(edge.id) } : edge);
  return { flow: { ...flow, edges: flow.edges.map(numbered) } };
}

/** A flow with one more sticky note. */
export function addNote(flow, { note }) {
  return { flow: { ...flow, notes: [...flow.notes, note] } };
}

/** A flow in which one sticky note has other values. */
export function changeNote(flow, { noteId, values }) {
  return { flow: { ...flow, notes: changed(flow.notes, noteId, values) } };
}

/** A flow with another name. */
export function renameFlow(flow, { name }) {
  return { flow: { ...flow, name } };
}

/** Another whole document: an import, a restored version, a merge. */
export function replaceFlow(flow, { document }) {
  return { flow: completed(document) };
}

/** A document with the lists and values that every other function relies on, as the server completes it; unknown keys stay. */
export function completed(document) {
  const { nodes = [], edges = [], notes = [] } = document;
  return {
    ...document, nodes: nodes.map(completedNode), edges: edges.map((edge) => ({ order: 0, ...edge })),
    notes: notes.map((note) => ({ text: "", position: ORIGIN, ...note })),
  };
}

export function completedNode(node) {
  return { name: "", position: ORIGIN, settings: {}, disabled: false, pin: null, ...node };
}

/** `wanted`, or `wanted 2`, `wanted 3` ... when nodes are called so already, by a name of their own or by their type's. */
export function freeName(flow, wanted, types) {
  const taken = new Set(flow.nodes.map((node) => nameOf(node, types)));
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/ \d+$/, "");
  let number = 2;
  while (taken.has(`${stem} ${number}`)) number += 1;
  return `${stem} ${number}`;
}

function changed(parts, id, values) {
  return parts.map((part) => (part.id === id ? { ...part, ...values } : part));
}

function whole({ x, y }) {
  return { x: Math.round(x), y: Math.round(y) };
}
