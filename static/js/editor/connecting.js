/** Which edges may be drawn, and the one sentence that says why another may not. Pure. */
import { indexed } from "./flow-index.js";
import { inputFor, nameOf } from "./node-types.js";

/** Why an edge from one node to another may not be drawn, naming both; null when it may. */
export function refusal(flow, sourceId, targetId, types) {
  const index = indexed(flow);
  const [source, target] = [index.node(sourceId), index.node(targetId)];
  if (!source || !target) return "The node at one end of this edge is gone.";
  const [from, to] = [nameOf(source, types), nameOf(target, types)];
  if (source === target) return `${from} cannot feed itself.`;
  if (index.outputs(sourceId).some((edge) => edge.target === targetId)) {
    return `${from} already feeds ${to}.`;
  }
  const [fromType, toType] = [types.get(source.type), types.get(target.type)];
  if (!fromType) return `This server does not know the type of ${from}, so it cannot feed ${to}.`;
  if (!toType) return `This server does not know the type of ${to}, so ${from} cannot feed it.`;
  if (!fromType.output) return `${from} gives nothing on, so it cannot feed ${to}.`;
  if (toType.inputs.length === 0) return `${to} takes no input, so ${from} cannot feed it.`;
  const input = inputFor(fromType, toType);
  if (!input) return mismatch(from, fromType, to, toType);
  if (reaches(flow, targetId, sourceId)) {
    return `${to} already leads to ${from}: an edge from ${from} to ${to} would close a circle.`;
  }
  const feeding = sourcesInto(flow, targetId, input, types);
  if (input.max !== null && feeding.length >= input.max) return full(flow, source, target, input, feeding, types);
  if (flow.edges.length >= types.limits.edges) {
    return `A flow may have ${types.limits.edges} edges, so ${from} cannot feed ${to} as well.`;
  }
  return null;
}

/** Why one more node of a type may not be added; null when it may. */
export function additionRefusal(flow, type, types) {
  if (flow.nodes.length >= types.limits.nodes) return `A flow may have ${types.limits.nodes} nodes.`;
  if (type.at_most === null) return null;
  const same = flow.nodes.filter((node) => node.type === type.type);
  if (same.length < type.at_most) return null;
  const there = same.map((node) => nameOf(node, types)).join(", ");
  const most = type.at_most === 1 ? `one ${type.label}` : `${type.at_most} of ${type.label}`;
  return `A flow takes ${most}, and ${there} is there already.`;
}

/** Which nodes an edge begun at a port may lead to. */
export function fitting(flow, nodeId, side, types) {
  const may = (other) => (side === "source" ? refusal(flow, nodeId, other, types) : refusal(flow, other, nodeId, types)) === null;
  return new Set(flow.nodes.filter((node) => may(node.id)).map((node) => node.id));
}

/** Can `to` be reached from `from` along the edges? A node reaches itself. */
export function reaches(flow, from, to) {
  return downstream(flow, [from]).has(to);
}

/** The ids of the given nodes and of everything that depends on them. */
export function downstream(flow, ids) {
  return walk(ids, (id) => indexed(flow).outputs(id).map((edge) => edge.target));
}

/** The ids of the given nodes and of everything they depend on. */
export function upstream(flow, ids) {
  return walk(ids, (id) => indexed(flow).inputs(id).map((edge) => edge.source));
}

/** The edges into a node in the order in which their lists are taken. */
export function inputsOf(flow, nodeId) {
  return indexed(flow).inputs(nodeId);
}

function mismatch(from, fromType, to, toType) {
  const takes = [...new Set(toType.inputs.flatMap((input) => input.accepts))].join(" or ");
  return `${to} takes ${takes}, but ${from} gives ${fromType.output}.`;
}

function full(flow, source, target, input, feeding, types) {
  const there = feeding[0];
  const most = input.max === 1 ? `one ${input.label} input` : `${input.max} ${input.label} inputs`;
  const [from, to] = [nameOf(source, types), nameOf(target, types)];
  const sentence = `${to} takes ${most}, and ${feeding.map((node) => nameOf(node, types)).join(", ")} feeds it already`;
  const detour = feeding.length === 1 && refusal(flow, source.id, there.id, types) === null;
  return detour ? `${sentence}: lead ${from} into ${nameOf(there, types)} instead.` : `${sentence}, so ${from} cannot.`;
}

function sourcesInto(flow, targetId, input, types) {
  return inputsOf(flow, targetId)
    .map((edge) => indexed(flow).node(edge.source))
    .filter((node) => node && input.accepts.includes(types.get(node.type)?.output));
}

function walk(ids, next) {
  const seen = new Set(ids);
  const open = [...ids];
  while (open.length > 0) {
    for (const id of next(open.pop())) {
      if (seen.has(id)) continue;
      seen.add(id);
      open.push(id);
    }
  }
  return seen;
}
