/** For whom, and for which candidates, a node's prompt or request is shown: what the last run knows of them. Pure. */
import { indexed } from "./flow-index.js";
import { isSame } from "./equality.js";
import { nameOf } from "./node-types.js";
import { AS_IT_IS, told } from "./what-if.js";

const MOST = 500; // candidates that the server shows a prompt for

/**
 * @param {object} node whose settings are shown
 * @param {object} settings its settings, kind included
 * @param {{flow: object, run: object|null, userId: string, whatIf?: import("./what-if.js").WhatIf}} scene the drawing, its last run, the user of the preview and what they did otherwise
 */
export function questionOf(node, settings, { flow, run, userId, whatIf = AS_IT_IS }, types) {
  const user = whatIf.anonymous ? "" : userId.trim();
  const otherwise = told(whatIf);
  const items = run && run.userId === user && isSame(told(run.whatIf ?? AS_IT_IS), otherwise) ? incoming(node, flow, run) : null;
  return {
    settings,
    user_id: user,
    data_source: sourceSettings(flow, types),
    ...(otherwise && { what_if: otherwise }),
    ...(items && { items, sources: proposersOf(items, run, types) }),
  };
}

/** The candidates that the node met in a run, best first; null when that is not known. */
function incoming(node, flow, run) {
  const told = run.nodes[node.id]?.details?.items;
  if (told?.length > 0) return told.toSorted((a, b) => a.rank_before - b.rank_before).slice(0, MOST).map((item) => item.item_id);
  const sources = indexed(flow).inputs(node.id).map((edge) => edge.source);
  const top = sources.length === 1 ? run.nodes[sources[0]]?.top : null;
  return top?.length > 0 ? top.map((item) => item.item_id) : null;
}

/** Item -> names of the nodes that proposed it, for those that came into the result. */
function proposersOf(items, run, types) {
  const wanted = new Set(items);
  const index = indexed(run.flow);
  const name = (id) => nameOf(index.node(id) ?? { name: id }, types);
  const shown = (run.items ?? []).filter((item) => wanted.has(item.item_id));
  return Object.fromEntries(shown.map((item) => {
    const proposals = item.steps.filter((step) => step.kind === "proposed");
    return [item.item_id, proposals.map((step) => name(step.node_ids.at(-1)))];
  }));
}

/** Settings of the node that tells who the user is: what counts as positive feedback is said there. */
function sourceSettings(flow, types) {
  return flow.nodes.find((node) => types.get(node.type)?.output === "user")?.settings ?? {};
}
