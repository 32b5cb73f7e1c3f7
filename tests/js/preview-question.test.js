import assert from "node:assert/strict";
import { test } from "node:test";

import { questionOf } from "../../static/js/editor/preview-question.js";
import { chain, edge, flow, node, types } from "./drawing.js";

const line = flow(
  [node("src", "source", { settings: { positive: ["like"] } }), node("a", "finder"), node("mix", "mixer"), node("sort", "sorter")],
  [edge("src", "a"), edge("a", "mix"), edge("mix", "sort")],
);
const sort = line.nodes[3];
const proposed = (id) => ({ kind: "proposed", node_ids: [id] });
const run = {
  userId: "ann", flow: line,
  items: [{ item_id: "x", steps: [proposed("a"), { kind: "ranked", node_ids: ["sort"] }] }, { item_id: "far", steps: [proposed("a")] }],
  nodes: { mix: { top: [{ item_id: "y" }, { item_id: "x" }] } },
};
const ask = (values) => questionOf(sort, { kind: "k" }, { flow: line, run, userId: "ann", ...values }, types);

test("candidates are those that came in when the user was last run, with who proposed them", () => {
  assert.deepEqual(ask(), {
    settings: { kind: "k" }, user_id: "ann", data_source: { positive: ["like"] }, items: ["y", "x"], sources: { x: ["A"] },
  });
});

test("a node that told its whole input is believed more than the head of the list before it", () => {
  const told = { items: [{ item_id: "x", rank_before: 2 }, { item_id: "z", rank_before: 3 }, { item_id: "y", rank_before: 1 }] };
  assert.deepEqual(ask({ run: { ...run, nodes: { ...run.nodes, sort: { details: told } } } }).items, ["y", "x", "z"]);
});

test("nothing is known of candidates without a run, or after one for somebody else", () => {
  assert.equal("items" in ask({ run: null }), false);
  assert.equal("items" in ask({ userId: "bob" }), false);
  assert.equal(ask({ userId: " bob " }).user_id, "bob");
});

test("lists of several inputs are not taken for the one that they become", () => {
  const two = chain();
  const of = { flow: two, run: { ...run, flow: two, nodes: { a: { top: [{ item_id: "x" }] } } }, userId: "ann" };
  assert.equal("items" in questionOf(two.nodes[3], {}, of, types), false);
});

test("what is supposed of the user goes along, and candidates of another supposition do not", () => {
  const whatIf = { anonymous: false, add: [{ item_id: "x", title: "X", sense: "positive", time: "t" }], remove: [] };
  assert.deepEqual(ask({ whatIf }).what_if, { anonymous: false, add: [{ item_id: "x", sense: "positive", time: "t" }], remove: [] });
  assert.equal("items" in ask({ whatIf }), false); // the run was for the user as they are
  assert.deepEqual(ask({ whatIf, run: { ...run, whatIf } }).items, ["y", "x"]);
  assert.equal("what_if" in ask(), false);
});

test("a session without a name is asked for nobody, whoever was chosen before", () => {
  const whatIf = { anonymous: true, add: [], remove: [] };
  const question = ask({ whatIf, run: { ...run, userId: "", whatIf } });
  assert.deepEqual([question.user_id, question.what_if.anonymous, question.items], ["", true, ["y", "x"]]);
});
