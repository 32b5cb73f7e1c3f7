import assert from "node:assert/strict";
import { test } from "node:test";

import { allInWords, colorClass, initials, nameOfPerson, peopleAt } from "../../static/js/editor/people.js";

const person = (name, values = {}) => ({
  id: name ? `account ${name}` : "window 1", name, is_you: false, windows: 1, is_editing: false, node_ids: [], ...values,
});

test("initials are of the first and the last word, or two letters of the only one", () => {
  assert.equal(initials("Ada King Lovelace"), "AL");
  assert.equal(initials("ada.lovelace"), "AL");
  assert.equal(initials("grace"), "GR");
  assert.equal(initials("Łukasz Żak"), "ŁŻ");
  assert.equal(initials("<img src=x>"), "IX");
  assert.equal(initials(""), "");
});

test("a window that nobody is logged in at is another window, and so are one's own", () => {
  assert.equal(nameOfPerson(person("")), "Another window");
  assert.equal(nameOfPerson(person("Ada", { is_you: true })), "You, in another window");
  assert.equal(nameOfPerson(person("Ada", { is_you: true, windows: 2 })), "You, in 2 other windows");
});

test("all are said in one sentence", () => {
  assert.equal(allInWords([person("Ada", { is_editing: true })]), "1 other has this flow open: Ada (editing)");
  assert.equal(allInWords([person("Ada"), person("")]), "2 others have this flow open: Ada (looking), Another window (looking)");
});

test("an account keeps its color, and a window without one stays gray", () => {
  assert.match(colorClass(person("Ada")), /^family-[0-6]$/);
  assert.equal(colorClass(person("Ada")), colorClass(person("Ada", { windows: 3, is_editing: true })));
  assert.notEqual(colorClass(person("ada")), colorClass(person("grace")));
  assert.equal(colorClass(person("")), "family-unknown");
});

test("who is at a node is the same list as long as the people are the same", () => {
  const people = [person("Ada", { node_ids: ["a", "b"] }), person("Grace", { node_ids: ["b"] })];
  assert.deepEqual(peopleAt(people, "b").map((each) => each.name), ["Ada", "Grace"]);
  assert.equal(peopleAt(people, "b"), peopleAt(people, "b"));
  assert.equal(peopleAt(people, "c"), peopleAt(people, "d"));
});
