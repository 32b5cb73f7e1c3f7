/** One run as the browser knows it: a reducer over the events of the WebSocket (docs/protocol.md). Pure. */
import { AS_IT_IS } from "./what-if.js";

/**
 * @typedef {{state: "queued"|"running"|"done"|"cached"|"failed"|"skipped"|"cancelled", count?: number,
 *   unit?: string, ms?: number, pinned?: boolean, share?: number, text?: string, message?: string, field?: string|null, reason?: string,
 *   top?: object[], warnings?: string[], details?: object|null}} NodeRun
 * @typedef {{requestId: string, runId: string|null, status: "sent"|"running"|"finished"|"cancelled"|"rejected"|"lost",
 *   seq: number, flow: object, userId: string, whatIf: import("./what-if.js").WhatIf, until?: string, nodes: Object<string, NodeRun>, items: object[]|null, ms?: number,
 *   degraded: string[], note: string, problems: object[], cancelling: boolean}} Run
 */

const OVER = new Set(["finished", "cancelled", "rejected", "lost"]);

/** A run that was asked for and not yet answered. @returns {Run} */
export function requestedRun({ requestId, flow, userId, whatIf = AS_IT_IS, until }) {
  return {
    requestId, flow, userId, whatIf, until, runId: null, status: "sent", seq: 0, nodes: {}, items: null,
    degraded: [], note: "", problems: [], cancelling: false,
  };
}

export function isOver(run) {
  return OVER.has(run.status);
}

/** The run after one event; events of other runs, and events told twice after a reconnect, change nothing. */
export function afterEvent(run, event) {
  if (!isMine(run, event) || (event.seq && event.seq <= run.seq && run.runId)) return run;
  const change = CHANGES[event.event];
  return change ? { ...run, seq: event.seq ?? run.seq, ...change(run, event) } : run;
}

/** The run after the server forgot it, or after its answer never came. */
export function lostRun(run, message) {
  return { ...run, status: "lost", nodes: stopped(run.nodes, "cancelled"), problems: [{ severity: "blocking", message }] };
}

const CHANGES = {
  "run.accepted": (run, event) => ({
    runId: event.run_id,
    status: "running",
    nodes: Object.fromEntries(event.node_ids.map((id) => [id, { state: "queued" }])),
  }),
  "node.started": (run, event) => node(run, event, { state: "running" }),
  "node.progress": (run, event) => node(run, event, { state: "running", share: event.share, text: event.text }),
  "node.finished": (run, { node_id, count, unit = "item", ms, cached, pinned, top, warnings, details }) =>
    node(run, { node_id }, { state: cached ? "cached" : "done", count, unit, ms, pinned, top, warnings, details }),
  "node.failed": (run, { node_id, message, field, ms, details }) => node(run, { node_id }, { state: "failed", message, field, ms, details }),
  "node.skipped": (run, { node_id, reason }) => node(run, { node_id }, { state: "skipped", reason }),
  "run.finished": (run, { items, ms, degraded, note }) => ({
    status: "finished", items, ms, degraded: degraded ?? [], note: note ?? "", nodes: stopped(run.nodes, "skipped"),
  }),
  "run.cancelled": (run, { ms }) => ({ status: "cancelled", ms, nodes: stopped(run.nodes, "cancelled") }),
  "run.rejected": (run, { problems }) => ({ status: "rejected", problems, nodes: stopped(run.nodes, "cancelled") }),
};

function isMine(run, event) {
  if (isOver(run)) return false;
  if (run.runId) return event.run_id === run.runId;
  return event.request_id === run.requestId;
}

function node(run, event, values) {
  return { nodes: { ...run.nodes, [event.node_id]: values } };
}

/** Nodes that were still waiting or running when the run ended have another state now: no spinner is left. */
function stopped(nodes, state) {
  const ended = ([id, entry]) => [id, ["queued", "running"].includes(entry.state) ? { ...entry, state } : entry];
  return Object.fromEntries(Object.entries(nodes).map(ended));
}
