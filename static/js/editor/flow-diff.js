/**
 * What differs between two drawings, in the shape of the server's review (docs/protocol.md). As there, a setting that is
 * left out is its default, and of a type that a flow may hold once the node of one drawing is that of the other. Pure.
 */
import { isSame } from "./equality.js";
import { freePlace } from "./places.js";
import { leftOut } from "./settings-schema.js";

const PLACE = "position";
const IDENTITY = new Set(["id", PLACE, "settings"]);

/**
 * @returns {{added: object[], removed: object[], changed: {node_id: string, name: string, field: string, before: *,
 *   after: *}[], moved: string[], edges_added: object[], edges_removed: object[]}}
 */
export function difference(past, after, types) {
  const before = namedAs(past, after, types);
  const old = new Map(before.nodes.map((node) => [node.id, node]));
  const now = new Map(after.nodes.map((node) => [node.id, node]));
  const kept = after.nodes.filter((node) => old.has(node.id));
  return {
    added: after.nodes.filter((node) => !old.has(node.id)),
    removed: before.nodes.filter((node) => !now.has(node.id)),
    changed: kept.flatMap((node) => realChanges(old.get(node.id), node, types)),
    moved: kept.filter((node) => !isSame(old.get(node.id).position, node.position)).map((node) => node.id),
    edges_added: missingEdges(after, before),
    edges_removed: missingEdges(before, after),
  };
}

/**
 * Two drawings in one: `after`, together with the nodes and edges of `before` that it lost.
 *
 * @returns {{flow: object, changes: object, marks: Map<string, string>, edgeMarks: Map<string, string>}} the marks say of
 *   a node or an edge, by its id, whether it was added, changed, removed or (a node) only moved
 */
export function overlay(past, after, types) {
  const before = namedAs(past, after, types);
  const changes = difference(before, after, types);
  const had = new Set(before.edges.map(edgeKey));
  const has = new Set(after.edges.map(edgeKey));
  const taken = new Set(after.edges.map((edge) => edge.id));
  const lost = changes.edges_removed
    .filter((edge) => !has.has(edgeKey(edge)))
    .map((edge) => (taken.has(edge.id) ? { ...edge, id: `${edge.id} before` } : edge));
  return {
    flow: { ...changes.removed.reduce(withGhost, after), edges: [...after.edges, ...lost] },
    changes,
    marks: new Map([
      ...changes.moved.map((id) => [id, "moved"]),
      ...changes.changed.map((change) => [change.node_id, "changed"]),
      ...changes.added.map((node) => [node.id, "added"]),
      ...changes.removed.map((node) => [node.id, "removed"]),
    ]),
    edgeMarks: new Map([
      ...changes.edges_added.map((edge) => [edge.id, had.has(edgeKey(edge)) ? "changed" : "added"]), // changed: its place among the inputs
      ...lost.map((edge) => [edge.id, "removed"]),
    ]),
  };
}

/** Beside what stands at its old place now. */
function withGhost(flow, node) {
  return { ...flow, nodes: [...flow.nodes, { ...node, position: freePlace(flow, node.position) }] };
}

/** How many things differ, moves apart: the "3 changes" of the header. */
export function changeCount(changes) {
  return ["added", "removed", "changed", "edges_added", "edges_removed"].reduce((sum, key) => sum + changes[key].length, 0);
}

/** A node's values as `field -> value`, each setting under its own name: the grain of diffs and merges. */
export function fieldsOf(node) {
  const fields = new Map();
  for (const [key, value] of Object.entries(node)) if (!IDENTITY.has(key)) fields.set(key, value);
  for (const [key, value] of Object.entries(node.settings ?? {})) fields.set(`settings.${key}`, value);
  return fields;
}

/** What an edge is to a reader: its two ends. */
export function edgeKey(edge) {
  return `${edge.source}→${edge.target}`;
}

/** Every field that one of the two says otherwise, be it in so many words: the grain of edits. */
export function fieldChanges(before, after) {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  const names = new Set([...old.keys(), ...now.keys()]);
  return [...names]
    .filter((field) => !isSame(old.get(field), now.get(field)))
    .map((field) => ({ node_id: after.id, name: after.name, field, before: old.get(field), after: now.get(field) }));
}

/** What counts otherwise in the two. */
function realChanges(before, after, types) {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  const [usual, usualNow] = [usualFields(before, types), usualFields(after, types)];
  const names = new Set([...old.keys(), ...now.keys()]);
  return [...names] // what only one of two kinds knows is no change while it has its default
    .filter((field) => !isSame(firstOf(field, old, usual, usualNow), firstOf(field, now, usualNow, usual)))
    .map((field) => ({ node_id: after.id, name: after.name, field, before: firstOf(field, old, usual), after: firstOf(field, now, usualNow) }));
}

function usualFields(node, types) {
  const type = types.get(node.type);
  return type ? fieldsOf({ settings: leftOut(type, node.settings) }) : new Map();
}

function firstOf(field, ...fields) {
  return fields.find((each) => each.has(field))?.get(field);
}

/** The first drawing with the ids of the second for nodes that can only be meant by each other. */
function namedAs(before, after, types) {
  const [left, came] = [unmatched(before, after, types), unmatched(after, before, types)];
  const ids = new Map();
  for (const [type, nodes] of left) {
    const others = came.get(type) ?? [];
    if (nodes.length === 1 && others.length === 1) ids.set(nodes[0].id, others[0].id);
  }
  if (ids.size === 0) return before;
  const named = (id) => ids.get(id) ?? id;
  return {
    ...before,
    nodes: before.nodes.map((node) => ({ ...node, id: named(node.id) })),
    edges: before.edges.map((edge) => ({ ...edge, source: named(edge.source), target: named(edge.target) })),
  };
}

/** Type -> nodes that the other drawing has not, of types that a flow may hold once. */
function unmatched(flow, other, types) {
  const there = new Set(other.nodes.map((node) => node.id));
  const found = new Map();
  for (const node of flow.nodes) {
    if (there.has(node.id) || types.get(node.type)?.at_most !== 1) continue;
    found.set(node.type, [...(found.get(node.type) ?? []), node]);
  }
  return found;
}

function missingEdges(flow, other) {
  const there = new Map(other.edges.map((edge) => [edgeKey(edge), edge]));
  return flow.edges.filter((edge) => there.get(edgeKey(edge))?.order !== edge.order);
}
