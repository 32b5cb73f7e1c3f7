/** The table of node types as the server publishes it (GET /api/flow-schema), ready to be asked. Pure. */

/**
 * @typedef {{name: string, label: string, accepts: string[], required: boolean, max: number|null, ordered: boolean}} Input
 * @typedef {{type: string, label: string, family: string, icon: string, summary: string, help: string,
 *   at_least: number, at_most: number|null, inputs: Input[], output: string|null, settings: object,
 *   defaults: object, card: string[]}} NodeType
 * @typedef {{get: (type: string) => NodeType|undefined, list: NodeType[], families: {id: string, label: string}[],
 *   limits: {bytes: number, nodes: number, edges: number, name: number}}} NodeTypes
 */

/** @returns {NodeTypes} */
export function readSchema(schema) {
  const byName = new Map(schema.types.map((type) => [type.type, type]));
  return {
    get: (type) => byName.get(type),
    list: schema.types,
    families: schema.families,
    limits: schema.limits,
  };
}

/** The input of a node of type `target` that takes what a node of type `source` gives; null when none does. */
export function inputFor(source, target) {
  if (!source?.output || !target) return null;
  return target.inputs.find((input) => input.accepts.includes(source.output)) ?? null;
}

/** What a sentence calls a node: its own name, else what its type is called. */
export function nameOf(node, types) {
  return node.name || types.get(node.type)?.label || node.type;
}

/** Does the order of the edges into this type matter? */
export function isOrdered(type) {
  return Boolean(type?.inputs.some((input) => input.ordered));
}

/** The place of a family in the server's list: it picks the colour, so that no file names a family either. */
export function familyIndex(types, type) {
  const index = types.families.findIndex((family) => family.id === type?.family);
  return index < 0 ? "unknown" : index;
}

/** Does a type answer to a search? Every word must occur in what is said of it. */
export function matches(type, query) {
  const text = `${type.label} ${type.type} ${type.summary}`.toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** The types that answer to a search, those first whose name begins with it, then those whose name holds it. */
export function search(list, query) {
  const wanted = query.trim().toLowerCase();
  const distance = ({ label }) => {
    const at = label.toLowerCase().indexOf(wanted);
    return at < 0 ? 2 : Math.min(at, 1);
  };
  return list.filter((type) => matches(type, wanted)).sort((a, b) => distance(a) - distance(b));
}

/** Types in the server's order under the headings of their families; families without a type are left out. */
export function byFamily(types, list = types.list) {
  return types.families
    .map((family) => ({ ...family, types: list.filter((type) => type.family === family.id) }))
    .filter((family) => family.types.length > 0);
}
