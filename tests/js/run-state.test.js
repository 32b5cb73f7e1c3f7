import assert from "node:assert/strict";
import { test } from "node:test";

import { apply } from "../../static/js/editor/commands.js";
import { afterEvent, isOver, lostRun, requestedRun } from "../../static/js/editor/run-state.js";
import { staleNodes } from "../../static/js/editor/staleness.js";
import { chain, types } from "./drawing.js";

const asked = () => requestedRun({ requestId: "r1", flow: chain(), userId: "u1" });
const told = (run, ...events) => events.reduce(afterEvent, run);
const accepted = { event: "run.accepted", request_id: "r1", run_id: "R", seq: 1, node_ids: ["a", "b"], user_id: "u1" };
const started = { event: "node.started", run_id: "R", seq: 2, node_id: "a" };
const finished = { event: "node.finished", run_id: "R", seq: 3, node_id: "a", count: 12, ms: 4.5, cached: false, top: [], warnings: [] };

test("a node goes from queued over running to done with its count and time", () => {
  const run = told(asked(), accepted);
  assert.deepEqual(run.nodes, { a: { state: "queued" }, b: { state: "queued" } });
  assert.equal(told(run, started).nodes.a.state, "running");
  const { state, count, ms } = told(run, started, finished).nodes.a;
  assert.deepEqual({ state, count, ms }, { state: "done", count: 12, ms: 4.5 });
});

test("an answer from memory is cached, not done", () => {
  assert.equal(told(asked(), accepted, { ...finished, seq: 2, cached: true }).nodes.a.state, "cached");
});

test("events of another run change nothing", () => {
  const run = told(asked(), accepted);
  assert.equal(afterEvent(run, { ...started, run_id: "other" }), run);
  assert.equal(afterEvent(asked(), { ...accepted, request_id: "r2" }).runId, null);
});

test("an event told twice after a reconnect counts once", () => {
  const run = told(asked(), accepted, started, finished);
  assert.equal(afterEvent(run, started), run);
});

test("when a run ends no node is left waiting", () => {
  const run = told(asked(), accepted, started, { event: "run.cancelled", run_id: "R", seq: 3, ms: 9 });
  assert.deepEqual([run.status, run.nodes.a.state, run.nodes.b.state], ["cancelled", "cancelled", "cancelled"]);
  assert.ok(isOver(run));
});

test("nodes that finished before the cancel keep their results", () => {
  const run = told(asked(), accepted, started, finished, { event: "run.cancelled", run_id: "R", seq: 4, ms: 9 });
  assert.deepEqual([run.nodes.a.state, run.nodes.b.state], ["done", "cancelled"]);
});

test("a finished run holds the list, the note and what was degraded", () => {
  const run = told(asked(), accepted, { event: "run.finished", run_id: "R", seq: 2, items: [{ item_id: "i" }], ms: 7, degraded: ["x"], note: "cold" });
  assert.deepEqual([run.status, run.items.length, run.degraded, run.note, run.ms], ["finished", 1, ["x"], "cold", 7]);
});

test("a rejected run holds the problems", () => {
  const run = told(asked(), { event: "run.rejected", request_id: "r1", run_id: null, problems: [{ message: "No." }] });
  assert.deepEqual([run.status, run.problems], ["rejected", [{ message: "No." }]]);
});

test("a failed node keeps its message", () => {
  const run = told(asked(), accepted, { event: "node.failed", run_id: "R", seq: 2, node_id: "b", message: "Broke.", field: null, ms: 1 });
  assert.deepEqual([run.nodes.b.state, run.nodes.b.message], ["failed", "Broke."]);
});

test("a lost run says why and leaves nothing spinning", () => {
  const run = lostRun(told(asked(), accepted, started), "The server forgot this run.");
  assert.deepEqual([run.status, run.nodes.a.state, run.problems[0].message], ["lost", "cancelled", "The server forgot this run."]);
});

test("a changed node and what follows are stale with a reason, what comes before is not", () => {
  const flow = apply(chain(), "setSettings", { nodeId: "a", values: { settings: { n: 6 } } }, types).flow;
  assert.deepEqual(Object.fromEntries(staleNodes(flow, asked(), types)), {
    a: "Its settings changed since the run",
    sort: "A before it changed since the run",
    end: "SORT before it changed since the run",
  });
});

test("moving or renaming makes nothing stale", () => {
  let { flow } = apply(chain(), "move", { positions: { a: { x: 9, y: 9 } } }, types);
  ({ flow } = apply(flow, "rename", { nodeId: "a", values: { name: "Other" } }, types));
  assert.equal(staleNodes(flow, asked(), types).size, 0);
});

test("another order of inputs makes a node stale", () => {
  const { flow } = apply(chain(), "reorderInputs", { nodeId: "sort", edgeIds: ["b-sort", "a-sort"] }, types);
  assert.equal(staleNodes(flow, asked(), types).get("sort"), "Its inputs changed since the run");
});
