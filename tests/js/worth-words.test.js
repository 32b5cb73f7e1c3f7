/** What a node is worth, in words: always with the number of users, and careful where nothing is clear. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { measuresTheSame, worthWords } from "../../static/js/editor/worth-words.js";

const worth = (part) => ({ k: 10, users: 60, nodes: [{ node_id: "n", lists_changed: 0.5, ...part }] });
const relative = (mean, low, high) => ({ relative: { mean, low, high } });

test("a loss is told with its interval and the number of users", () => {
  const { short, long } = worthWords(worth(relative(-0.08, -0.12, -0.04)), "n");
  assert.equal(short, "without it: −8.0 % · 60 users");
  assert.equal(long, "Without it: −8.0 % of NDCG@10 (95 % interval −12.0 % to −4.0 %), 60 users.");
});

test("an interval across zero is no clear change", () => {
  const { short, long } = worthWords(worth(relative(-0.008, -0.021, 0.005)), "n");
  assert.equal(short, "without it: −0.8 % · 60 users");
  assert.match(long, /No clear change/);
});

test("one user has no interval and proves nothing", () => {
  const { long } = worthWords({ ...worth(relative(-0.5, null, null)), users: 1 }, "n");
  assert.equal(long, "Without it: −50.0 % of NDCG@10, 1 user. No clear change.");
});

test("what changes no list says so, and a node that the flow needs has no number", () => {
  assert.match(worthWords(worth({ ...relative(0, 0, 0), lists_changed: 0 }), "n").short, /no change · 60 users/);
  assert.deepEqual(worthWords(worth({ not_measured: "The flow cannot run without it" }), "n"), { short: "", long: "Not measured: the flow cannot run without it." });
});

test("a flow that finds nothing has no shares to lose", () => {
  assert.equal(worthWords(worth(relative(null, null, null)), "n").short, "");
});

test("a node that was not part of it has no words", () => {
  assert.equal(worthWords(worth({}), "other"), null);
  assert.equal(worthWords({ evaluation_id: null, nodes: [] }, "n"), null);
  assert.equal(worthWords(null, "n"), null);
});

test("a drawing is measured alike wherever its nodes stand, and anew with another setting, node or line", () => {
  const node = { id: "a", type: "ranker", name: "A", position: { x: 0, y: 0 }, settings: { kind: "mf" } };
  const drawing = { nodes: [node], edges: [{ id: "e", source: "s", target: "a", order: 0 }] };
  const withNode = (change) => ({ ...drawing, nodes: [{ ...node, ...change }] });
  assert.ok(measuresTheSame(drawing, withNode({ name: "B", position: { x: 9, y: 9 }, disabled: false })));
  assert.ok(!measuresTheSame(drawing, withNode({ settings: { kind: "llm" } })));
  assert.ok(!measuresTheSame(drawing, withNode({ disabled: true })));
  assert.ok(!measuresTheSame(drawing, { ...drawing, edges: [] }));
  assert.ok(!measuresTheSame(drawing, { ...drawing, nodes: [node, { ...node, id: "b" }] }));
});
