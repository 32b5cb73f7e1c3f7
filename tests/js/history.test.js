import assert from "node:assert/strict";
import { test } from "node:test";

import { apply } from "../../static/js/editor/commands.js";
import { BURST_MS, emptyHistory, enter, mapDocuments, record, redo, undo } from "../../static/js/editor/history.js";
import { chain, node, types } from "./drawing.js";

const step = (before, after, values = {}) => ({ label: "edit", at: 0, before, after, ...values });

test("undo gives back the very document before the step, redo the one after it", () => {
  const [first, second] = [{ name: 1 }, { name: 2 }];
  const once = record(emptyHistory(), step(first, second));
  const back = undo(once);
  assert.equal(back.flow, first);
  assert.equal(redo(back.history).flow, second);
});

test("with nothing to undo or redo there is nothing", () => {
  assert.equal(undo(emptyHistory()), null);
  assert.equal(redo(emptyHistory()), null);
});

test("typing in one field is one step until the pause", () => {
  let history = record(emptyHistory(), step("", "a", { key: "name:n1", at: 0 }));
  history = record(history, step("a", "ab", { key: "name:n1", at: BURST_MS }));
  assert.equal(history.past.length, 1);
  assert.equal(undo(history).flow, "");
  history = record(history, step("ab", "abc", { key: "name:n1", at: 2 * BURST_MS + 1 }));
  assert.equal(history.past.length, 2);
});

test("edits of different fields, and edits without a field, stay apart", () => {
  let history = record(emptyHistory(), step(0, 1, { key: "name:n1" }));
  history = record(history, step(1, 2, { key: "name:n2" }));
  history = record(record(history, step(2, 3)), step(3, 4));
  assert.equal(history.past.length, 4);
});

test("a burst does not join a step that was undone to", () => {
  let history = record(emptyHistory(), step(0, 1, { key: "k" }));
  history = record(history, step(1, 2));
  history = undo(history).history;
  history = record(history, step(1, 3, { key: "k" }));
  assert.equal(history.past.length, 2);
});

test("a new edit forgets what was undone", () => {
  const back = undo(record(emptyHistory(), step(0, 1))).history;
  assert.equal(redo(record(back, step(0, 2))), null);
});

test("thirty mixed edits, thirty undos and thirty redos end where they should", () => {
  const first = chain();
  let [flow, history] = [first, emptyHistory()];
  const edits = [
    (n) => ["add", { node: node(`m${n}`, "mixer") }],
    (n) => ["connect", { source: "a", target: `m${n}` }],
    (n) => ["move", { positions: { a: { x: n, y: n } } }],
    (n) => ["rename", { nodeId: "b", values: { name: `B${n}` } }],
    (n) => ["remove", { nodeIds: [`m${n}`] }],
    () => ["toggleDisabled", { nodeIds: ["b"] }],
  ];
  for (let index = 0; index < 30; index += 1) {
    const [kind, args] = edits[index % edits.length](Math.floor(index / edits.length));
    const outcome = apply(flow, kind, args, types);
    assert.equal(outcome.problem, undefined);
    history = record(history, step(flow, outcome.flow, { at: index * 10_000 }));
    flow = outcome.flow;
  }
  const last = JSON.stringify(flow);
  for (let index = 0; index < 30; index += 1) ({ history, flow } = undo(history));
  assert.equal(JSON.stringify(flow), JSON.stringify(first));
  for (let index = 0; index < 30; index += 1) ({ history, flow } = redo(history));
  assert.equal(JSON.stringify(flow), last);
});

test("every document of the history can be changed at once", () => {
  const history = mapDocuments(record(emptyHistory(), step(1, 2)), (flow) => flow * 10);
  assert.deepEqual([history.past[0].before, history.past[0].after], [10, 20]);
});

test("what a panel goes back to is kept through edits, and takes part in every change of all documents", () => {
  const edited = undo(record(enter(emptyHistory(), 1), step(1, 2))).history;
  assert.equal(edited.entered, 1);
  assert.equal(mapDocuments(redo(edited).history, (flow) => flow * 10).entered, 10);
});
