/** Two people changed the same drawing: bring both changes together, field by field. Pure. */
import { isSame } from "./equality.js";
import { edgeKey, fieldChanges, fieldsOf } from "./flow-diff.js";

/** What stands in a conflict for the side that deleted the node or note whose field the other side changed. */
export const DELETED = Object.freeze({ deleted: true });

/**
 * The drawing with what changed on both sides since `base`. Where both gave the same field other values, or one side
 * deleted what the other edited, the `preferred` side stays in the flow and the field is listed in `conflicts`; places
 * are not worth a question. A node that is preferred to its deletion has the edges of its side, and none leads past it.
 *
 * @param {"mine"|"theirs"} preferred
 * @returns {{flow: object, conflicts: {node_id: string|null, note_id?: string, name: string, field: string, mine: *, theirs: *}[]}}
 *   without either id it is the flow's own field
 */
export function merge(base, mine, theirs, preferred = "mine") {
  const conflicts = [...deletions(base, mine, theirs), ...deletions(base, theirs, mine).map(mirrored)];
  const stays = conflicts.filter((conflict) => conflict[preferred] !== DELETED);
  const [ours, others] = preferred === "mine" ? [mine, withBack(base, theirs, stays)] : [withBack(base, mine, stays), theirs];
  const choose = (values) => values[preferred];
  const asked = (about) => (values) => {
    conflicts.push({ ...about, ...values });
    return choose(values);
  };
  const nodes = mergeParts(base.nodes, ours.nodes, others.nodes, (node) => node.id, (...three) => mergeNode(...three, asked));
  const notes = mergeParts(base.notes, ours.notes, others.notes, (note) => note.id, (...three) => mergeNote(...three, asked));
  const ids = new Set(nodes.map((node) => node.id));
  const edges = mergeParts(base.edges, ours.edges, others.edges, edgeKey, (...three) => pick(...three, choose)).filter(
    (edge) => ids.has(edge.source) && ids.has(edge.target),
  );
  const name = pick(base.name, ours.name, others.name, asked({ node_id: null, name: "Flow", field: "name" }));
  return { flow: { ...ours, name, nodes, edges, notes }, conflicts };
}

/** A conflict for each field of a node or note that `mine` deleted and `theirs` changed; an edge drawn to it changes it too. */
function deletions(base, mine, theirs) {
  const drawn = theirs.edges.filter((edge) => !has(base.edges, edge));
  const nodes = lostPairs(base.nodes, mine.nodes, theirs.nodes).flatMap(([node, edited]) => {
    const n = drawn.filter((edge) => edge.source === node.id || edge.target === node.id).length;
    const changes = fieldChanges(node, edited).map(({ field, after }) => ({ field, theirs: after }));
    const all = n > 0 ? [...changes, { field: "new edges", theirs: n }] : changes;
    return all.map((change) => ({ node_id: node.id, name: node.name, mine: DELETED, ...change }));
  });
  const notes = lostPairs(base.notes, mine.notes, theirs.notes).filter(([note, edited]) => note.text !== edited.text);
  const asked = ({ id, text }) => ({ node_id: null, note_id: id, name: "Note", field: "text", mine: DELETED, theirs: text });
  return [...nodes, ...notes.map(([, edited]) => asked(edited))];
}

/** [as it was, as they have it] for each part that `mine` deleted and `theirs` did not. */
function lostPairs(base, mine, theirs) {
  const kept = new Set(mine.map((part) => part.id));
  const lost = base.filter((part) => !kept.has(part.id));
  return lost.map((part) => [part, theirs.find((other) => other.id === part.id)]).filter(([, other]) => other);
}

function mirrored({ mine, theirs, ...about }) {
  return { ...about, mine: theirs, theirs: mine };
}

/** `flow` as if it had not deleted what the conflicts are about: with its old edges, and without those that led past it. */
function withBack(base, flow, conflicts) {
  const back = new Set(conflicts.flatMap((conflict) => conflict.node_id ?? conflict.note_id ?? []));
  const missing = (parts) => base[parts].filter((part) => back.has(part.id) && !flow[parts].some((other) => other.id === part.id));
  const nodes = missing("nodes");
  if (nodes.length + missing("notes").length === 0) return flow;
  const ids = new Set(nodes.map((node) => node.id));
  const leadsPast = (edge) => !has(base.edges, edge) && leadsThrough(base, edge, ids);
  return {
    ...flow,
    nodes: [...flow.nodes, ...nodes],
    notes: [...flow.notes, ...missing("notes")],
    edges: [...flow.edges.filter((edge) => !leadsPast(edge)), ...base.edges.filter((edge) => ids.has(edge.source) || ids.has(edge.target))],
  };
}

/** Did a way between the ends of this edge go through nothing but the given nodes? */
function leadsThrough(flow, { source, target }, ids, seen = new Set()) {
  return flow.edges.filter((edge) => edge.source === source && ids.has(edge.target) && !seen.has(edge.target)).some((edge) =>
    has(flow.edges, { source: edge.target, target }) || leadsThrough(flow, { source: edge.target, target }, ids, seen.add(edge.target)));
}

function has(edges, { source, target }) {
  return edges.some((edge) => edge.source === source && edge.target === target);
}

/** What one side deleted is gone: whatever is worth a question was put back before. */
function mergeParts(base, mine, theirs, keyOf, mergePart) {
  const by = (parts) => new Map(parts.map((part) => [keyOf(part), part]));
  const [old, ours, others] = [by(base), by(mine), by(theirs)];
  const merged = mine.flatMap((part) => {
    const [was, other] = [old.get(keyOf(part)), others.get(keyOf(part))];
    if (other) return [mergePart(was ?? other, part, other)];
    return was === undefined ? [part] : [];
  });
  return [...merged, ...theirs.filter((part) => !ours.has(keyOf(part)) && !old.has(keyOf(part)))];
}

function mergeNode(base, mine, theirs, asked) {
  if (isSame(mine, theirs)) return mine;
  const [old, ours, others] = [fieldsOf(base), fieldsOf(mine), fieldsOf(theirs)];
  let node = { ...mine, position: pick(base.position, mine.position, theirs.position, (values) => values.mine) };
  for (const field of new Set([...ours.keys(), ...others.keys()])) {
    const value = pick(old.get(field), ours.get(field), others.get(field), asked({ node_id: mine.id, name: mine.name, field }));
    node = withField(node, field, value);
  }
  return node;
}

function mergeNote(base, mine, theirs, asked) {
  let note = mine;
  for (const field of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
    const onConflict = field === "position" ? (values) => values.mine : asked({ node_id: null, note_id: mine.id, name: "Note", field });
    note = withKey(note, field, pick(base[field], mine[field], theirs[field], onConflict));
  }
  return note;
}

/** The side that changed; when both did, what `onConflict` makes of {mine, theirs}. */
function pick(base, mine, theirs, onConflict) {
  if (isSame(mine, theirs) || isSame(base, theirs)) return mine;
  if (isSame(base, mine)) return theirs;
  return onConflict({ mine, theirs });
}

function withField(node, field, value) {
  if (!field.startsWith("settings.")) return withKey(node, field, value);
  return { ...node, settings: withKey(node.settings ?? {}, field.slice("settings.".length), value) };
}

function withKey(object, key, value) {
  if (value !== undefined) return { ...object, [key]: value };
  const { [key]: _gone, ...rest } = object;
  return rest;
}
