import assert from "node:assert/strict";
import { test } from "node:test";

import { keyOf } from "../../static/js/editor/shortcuts.js";
import { counted, describeNode, duration, money, score, shortValue } from "../../static/js/editor/wording.js";
import { chain, types } from "./drawing.js";

const key = (name, held = {}) => keyOf({ key: name, code: "", ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held });

test("Ctrl and Cmd are the same key, in whatever order they are held", () => {
  assert.equal(key("z", { ctrlKey: true }), "mod+z");
  assert.equal(key("Z", { metaKey: true, shiftKey: true }), "mod+shift+z");
  assert.equal(key("Enter", { ctrlKey: true, altKey: true }), "mod+alt+enter");
});

test("a sign that needs Shift to be typed is the sign itself", () => {
  assert.equal(key("?", { shiftKey: true }), "?");
  assert.equal(key("+", { shiftKey: true }), "+");
  assert.equal(key("S", { shiftKey: true }), "shift+s");
});

test("Alt does not change which letter was pressed", () => {
  assert.equal(key("†", { code: "KeyT", altKey: true, shiftKey: true }), "shift+alt+t");
});

test("one item is not many", () => {
  assert.deepEqual([counted(0, "item"), counted(1, "item"), counted(1200, "item")], ["0 items", "1 item", "1,200 items"]);
});

test("times are as exact as they need to be", () => {
  assert.deepEqual([undefined, 0.4, 12.3, 2340].map(duration), ["", "<1 ms", "12 ms", "2.3 s"]);
});

test("scores of all sizes stay short", () => {
  assert.deepEqual([0.64611, 12.34, 1234.5, 1763856000, null, NaN].map(score), ["0.646", "12.3", "1235", "1.76B", "", ""]);
});

test("a setting's value is shown as words", () => {
  const shown = [undefined, null, "", "round_robin", "len(a_b)", ["a", "b"], [], true].map(shortValue);
  assert.deepEqual(shown, ["not set", "none", "empty", "round robin", "len(a_b)", "a, b", "none", "true"]);
});

test("a screen reader hears type, name, state, inputs and outputs", () => {
  const flow = chain();
  const about = { types, flow, run: { state: "done", count: 5, unit: "item" }, stale: null, problems: [{}] };
  assert.equal(describeNode(flow.nodes[3], about), "Sorter; SORT; done, 5 items; 1 problem; fed by A, B; feeds END");
});

test("what is not counted in items is called what it is", () => {
  const flow = chain();
  const about = { types, flow, run: { state: "done", count: 1, unit: "like" }, stale: null, problems: [] };
  assert.match(describeNode(flow.nodes[0], about), /done, 1 like;/);
});

test("money keeps the figures that count, however small", () => {
  assert.equal(money(0, "USD"), "no cost");
  assert.equal(money(0.00012345, "USD"), "USD 0.00012");
  assert.equal(money(3.14159, "EUR"), "EUR 3.14");
  assert.equal(money(0.5), "0.5");
});
