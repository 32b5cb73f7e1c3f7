import assert from "node:assert/strict";
import { test } from "node:test";

import { cardValues, fieldsFor, kindsOf, settingsProblems, titleOf, unknownSettings, withKind } from "../../static/js/editor/settings-schema.js";

const plain = {
  type: "object",
  required: ["score", "days"],
  properties: {
    score: { type: "string", minLength: 1 },
    days: { type: "integer", minimum: 1, maximum: 365, title: "Window" },
    share: { type: "number", exclusiveMinimum: 0, default: 0.5 },
    ttl: { anyOf: [{ type: "integer", minimum: 0 }, { type: "null" }], default: null },
    mode: { $ref: "#/$defs/Mode", default: "fast" },
    types: { type: "array", items: { type: "string", minLength: 1 }, minItems: 1, default: ["like"] },
    column: { type: "string", default: "", ui: { visible_when: { mode: ["slow"] } } },
  },
  $defs: { Mode: { enum: ["fast", "slow"], type: "string" } },
};
const good = { score: "1", days: 30, share: 0.5, ttl: null, mode: "fast", types: ["like"], column: "" };
const problems = (values) => settingsProblems(plain, { ...good, ...values }).map((problem) => [problem.field, problem.message]);

const kinds = {
  discriminator: { propertyName: "kind" },
  oneOf: [{ $ref: "#/$defs/Plain" }, { $ref: "#/$defs/Deep" }],
  $defs: {
    Plain: { title: "Plain", type: "object", properties: { kind: { const: "plain" }, limit: { type: "integer", minimum: 1, default: 10 } } },
    Deep: {
      title: "Deep", type: "object", required: ["prompt"],
      properties: {
        kind: { const: "deep" }, limit: { type: "integer", minimum: 1, default: 50 }, prompt: { type: "string", default: "Rank" },
      },
    },
  },
};

test("right settings have no problem", () => assert.deepEqual(problems({}), []));

test("a cleared required field is told as required", () => {
  assert.deepEqual(problems({ score: "" }), [["score", "Score is required."]]);
  assert.deepEqual(problems({ score: "   " }), [["score", "Score is required."]]);
  assert.deepEqual(problems({ days: null }), [["days", "Window is required."]]);
  assert.deepEqual(problems({ score: undefined }), [["score", "Score is required."]]);
});

test("numbers are held to their bounds, and the sentence holds the value", () => {
  assert.deepEqual(problems({ days: 0 }), [["days", "Window must be at least 1, got 0."]]);
  assert.deepEqual(problems({ days: 366 }), [["days", "Window must be at most 365, got 366."]]);
  assert.deepEqual(problems({ days: 1.5 }), [["days", "Window must be a whole number, got 1.5."]]);
  assert.deepEqual(problems({ share: 0 }), [["share", "Share must be above 0, got 0."]]);
  assert.deepEqual(problems({ days: "x" }), [["days", 'Window must be a whole number, got "x".']]);
});

test("null is right where the schema allows it, and the inner type counts elsewhere", () => {
  assert.deepEqual(problems({ ttl: null }), []);
  assert.deepEqual(problems({ ttl: -1 }), [["ttl", "Ttl must be at least 0, got -1."]]);
});

test("a choice outside the list is refused", () => {
  assert.deepEqual(problems({ mode: "odd" }), [["mode", 'Mode must be one of fast, slow, got "odd".']]);
});

test("lists are checked as a whole and entry by entry", () => {
  assert.deepEqual(problems({ types: [] }), [["types", "Types is required."]]);
  assert.deepEqual(problems({ types: ["like", 3] }), [["types", "Each entry of Types must be a text, got 3."]]);
});

test("a field shows only when the field it depends on says so", () => {
  const names = (settings) => fieldsFor(plain, settings).map((field) => field.name);
  assert.ok(!names(good).includes("column"));
  assert.ok(names({ ...good, mode: "slow" }).includes("column"));
});

test("a node of several kinds shows the fields of its kind only", () => {
  assert.deepEqual(kindsOf(kinds).options.map((option) => [option.value, option.title]), [["plain", "Plain"], ["deep", "Deep"]]);
  assert.deepEqual(fieldsFor(kinds, { kind: "plain" }).map((field) => field.name), ["limit"]);
  assert.deepEqual(fieldsFor(kinds, { kind: "deep" }).map((field) => field.name), ["limit", "prompt"]);
});

test("a title given to the kind itself is shown, names of classes are not", () => {
  const variant = (value, tag) => ({ title: "DeepSettings", type: "object", properties: { kind: { const: value, ...tag } } });
  const schema = { discriminator: { propertyName: "kind" }, oneOf: [variant("mf", { title: "Factors" }), variant("none", { title: "Kind" })] };
  assert.deepEqual(kindsOf(schema).options.map((option) => option.title), ["Factors", "None"]);
});

test("another kind keeps shared values that are right and drops what it does not know", () => {
  assert.deepEqual(withKind(kinds, { kind: "deep", limit: 7, prompt: "Mine" }, "plain"), { kind: "plain", limit: 7 });
  assert.deepEqual(withKind(kinds, { kind: "plain", limit: 0 }, "deep"), { kind: "deep", limit: 50, prompt: "Rank" });
});

test("an unknown kind is one problem on the kind", () => {
  assert.deepEqual(settingsProblems(kinds, { kind: "odd" }), [{ field: "kind", message: "Kind must be one of plain, deep." }]);
});

test("a name becomes a label", () => assert.equal(titleOf("cache_size"), "Cache size"));

test("a card tells kinds by their titles, numbers with what they count, and leaves out what does not apply", () => {
  const kind = (value, title, properties) => ({ title, properties: { kind: { const: value, default: value }, ...properties } });
  const settings = {
    discriminator: { propertyName: "kind" },
    oneOf: [
      kind("mf", "Matrix factorization", { n: { type: "integer", title: "Factors", default: 64 } }),
      kind("none", "None", { days: { type: "integer", title: "At most", ui: { unit: "days" } }, how: { type: "string", default: "" } }),
    ],
  };
  const type = { settings, defaults: { kind: "mf", n: 64 }, card: ["kind", "n", "days", "how"] };
  assert.deepEqual(cardValues(type, {}), ["Matrix factorization", "Factors 64"]);
  assert.deepEqual(cardValues(type, { kind: "none", days: 7 }), ["None", "At most 7 days"]);
  assert.deepEqual(cardValues(type, { kind: "none", how: "round_robin" }), ["None", "round robin"]);
});

test("a setting that no kind of the node knows is named, one that is only hidden is not", () => {
  const settings = { properties: { mode: { type: "string" }, k: { type: "integer", ui: { visible_when: { mode: ["other"] } } } } };
  assert.deepEqual(unknownSettings({ settings, defaults: {} }, { mode: "this", k: 3, bygone: 1 }), ["bygone"]);
});
