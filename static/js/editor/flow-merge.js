/** Two people changed the same drawing: bring both changes together, field by field. Pure. */
import { isSame } from "./equality.js";
import { edgeKey, fieldsOf } from "./flow-diff.js";

/**
 * The drawing with what changed on both sides since `base`. Where both gave the same field other values, `mine` stays
 * in the flow and the field is listed in `conflicts`; places are not worth a question. A node that one side edited and
 * the other deleted stays.
 *
 * @returns {{flow: object, conflicts: {node_id: string|null, note_id?: string, name: string, field: string, mine: *, theirs: *}[]}}
 *   without either id it is the flow's own field
 */
export function merge(base, mine, theirs) {
  const conflicts = [];
  const nodes = mergeParts(base.nodes, mine.nodes, theirs.nodes, (node) => node.id, (...three) => mergeNode(...three, conflicts));
  const notes = mergeParts(base.notes, mine.notes, theirs.notes, (note) => note.id, (...three) => mergeNote(...three, conflicts));
  const ids = new Set(nodes.map((node) => node.id));
  const edges = mergeParts(base.edges, mine.edges, theirs.edges, edgeKey, pickPart).filter(
    (edge) => ids.has(edge.source) && ids.has(edge.target),
  );
  const name = pick(base.name, mine.name, theirs.name, (values) =>
    conflicts.push({ node_id: null, name: "Flow", field: "name", ...values }));
  return { flow: { ...mine, name, nodes, edges, notes }, conflicts };
}

/** The flow with the other side's value in each of the given conflicts. */
export function takeTheirs(flow, conflicts) {
  return conflicts.reduce((result, { node_id: nodeId, note_id: noteId, field, theirs }) => {
    const settled = (id) => (part) => (part.id === id ? withField(part, field, theirs) : part);
    if (nodeId !== null) return { ...result, nodes: result.nodes.map(settled(nodeId)) };
    if (noteId !== undefined) return { ...result, notes: result.notes.map(settled(noteId)) };
    return { ...result, name: theirs };
  }, flow);
}

function mergeParts(base, mine, theirs, keyOf, mergePart) {
  const by = (parts) => new Map(parts.map((part) => [keyOf(part), part]));
  const [old, ours, others] = [by(base), by(mine), by(theirs)];
  const merged = mine.flatMap((part) => {
    const [was, other] = [old.get(keyOf(part)), others.get(keyOf(part))];
    if (other) return [mergePart(was ?? other, part, other)];
    const deletedThere = was !== undefined;
    return deletedThere && isSame(was, part) ? [] : [part];
  });
  const back = theirs.filter((part) => {
    const was = old.get(keyOf(part));
    return !ours.has(keyOf(part)) && (was === undefined || !isSame(was, part));
  });
  return [...merged, ...back];
}

function mergeNode(base, mine, theirs, conflicts) {
  if (isSame(mine, theirs)) return mine;
  const [old, ours, others] = [fieldsOf(base), fieldsOf(mine), fieldsOf(theirs)];
  let node = { ...mine, position: pick(base.position, mine.position, theirs.position, () => {}) };
  for (const field of new Set([...ours.keys(), ...others.keys()])) {
    const value = pick(old.get(field), ours.get(field), others.get(field), (values) =>
      conflicts.push({ node_id: mine.id, name: mine.name, field, ...values }));
    node = withField(node, field, value);
  }
  return node;
}

function mergeNote(base, mine, theirs, conflicts) {
  let note = mine;
  for (const field of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
    const value = pick(base[field], mine[field], theirs[field], (values) => {
      if (field !== "position") conflicts.push({ node_id: null, note_id: mine.id, name: "Note", field, ...values });
    });
    note = withKey(note, field, value);
  }
  return note;
}

function pickPart(base, mine, theirs) {
  return pick(base, mine, theirs, () => {});
}

/** The side that changed; mine when both did, which is told to `onConflict`. */
function pick(base, mine, theirs, onConflict) {
  if (isSame(mine, theirs) || isSame(base, theirs)) return mine;
  if (isSame(base, mine)) return theirs;
  onConflict({ mine, theirs });
  return mine;
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
