/** Which results of a run no longer belong to the drawing, and why. Pure. */
import { inputsOf } from "./connecting.js";
import { isSame } from "./equality.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";

/** node id -> the reason why its result is out of date; nodes that are up to date are not in the map. */
export function staleNodes(flow, run, types) {
  const reasons = new Map();
  if (!run || run.flow === flow) return reasons;
  const before = new Map(run.flow.nodes.map((node) => [node.id, node]));
  const visited = new Set();
  for (const node of flow.nodes) visit(node.id);
  return reasons;

  function visit(id) {
    if (visited.has(id)) return;
    visited.add(id);
    const node = indexed(flow).node(id);
    if (!node) return;
    const sources = inputsOf(flow, id).map((edge) => edge.source);
    sources.forEach(visit);
    const reason = ownReason(node, before.get(id), sources) ?? inheritedReason(sources);
    if (reason) reasons.set(id, reason);
  }

  function ownReason(node, old, sources) {
    if (!old) return "Added since the run";
    if (node.disabled !== old.disabled) return node.disabled ? "Switched off since the run" : "Switched on since the run";
    if (node.type !== old.type || !isSame(node.settings, old.settings)) return "Its settings changed since the run";
    if (!isSame(node.pin, old.pin)) return "Its pinned output changed since the run";
    const oldSources = inputsOf(run.flow, node.id).map((edge) => edge.source);
    return isSame(sources, oldSources) ? null : "Its inputs changed since the run";
  }

  function inheritedReason(sources) {
    const changed = sources.find((source) => reasons.has(source));
    return changed ? `${nameOf(indexed(flow).node(changed), types)} before it changed since the run` : null;
  }
}
