/** Quick questions about a drawing: made once for each (documents never change), forgotten with it. Pure. */

const known = new WeakMap();
const NONE = Object.freeze([]);

/** @returns {{node: (id: string) => object|undefined, inputs: (id: string) => object[], outputs: (id: string) => object[]}} */
export function indexed(flow) {
  let index = known.get(flow);
  if (!index) known.set(flow, (index = build(flow)));
  return index;
}

function build(flow) {
  const nodes = new Map(flow.nodes.map((node) => [node.id, node]));
  const [inputs, outputs] = [new Map(), new Map()];
  for (const edge of flow.edges) {
    append(inputs, edge.target, edge);
    append(outputs, edge.source, edge);
  }
  for (const edges of inputs.values()) edges.sort((a, b) => a.order - b.order);
  return {
    node: (id) => nodes.get(id),
    inputs: (id) => inputs.get(id) ?? NONE,
    outputs: (id) => outputs.get(id) ?? NONE,
  };
}

function append(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}
