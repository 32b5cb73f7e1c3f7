import assert from "node:assert/strict";
import test from "node:test";

import { bodyExample, curlExample, pythonExample, requestOf } from "../../static/js/lib/openapi-examples.js";

const OPERATION = {
  method: "get",
  path: "/api/recommend/{user-id}",
  parameters: [
    { name: "user-id", in: "path", schema: { type: "string" } },
    { name: "n", in: "query", schema: { type: "integer" } },
    { name: "category", in: "query", schema: { type: "array" } },
  ],
};
const form = (values) => new Map(Object.entries({ body: null, ...values }));
const filled = (values) => ({ get: (name) => form(values).get(name) ?? null });

test("a request carries what was filled in and nothing else", () => {
  const request = requestOf(OPERATION, filled({ "user-id": "a/b ü", n: "3", category: "x, y&z" }), "http://h");
  assert.equal(request.url, "http://h/api/recommend/a%2Fb%20%C3%BC?n=3&category=x&category=y%26z");
  assert.equal(request.body, undefined);
  assert.equal(requestOf(OPERATION, filled({ "user-id": "a" }), "").url, "/api/recommend/a");
});

test("a quote in an address or body cannot end the quotes of the shell", () => {
  const text = curlExample({ method: "post", url: "http://h/it's", body: '[{"a": "it\'s"}]' });
  assert.ok(text.includes("'http://h/it'\\''s'"));
  assert.ok(text.includes(`-d '[{"a":"it'\\''s"}]'`));
  assert.ok(text.startsWith("curl -X POST "));
});

test("the example in Python names method, address and body", () => {
  const text = pythonExample({ method: "post", url: "http://h/x", body: "[]" });
  assert.ok(text.includes('requests.post(\n    "http://h/x",'));
  assert.ok(text.includes('"Content-Type": "application/json"'));
});

test("an example of a body follows references and has what belongs to a field", () => {
  const description = { components: { schemas: { User: { type: "object", properties: { UserId: { type: "string" }, Extra: { anyOf: [{ type: "null" }, { type: "number" }] } } } } } };
  assert.deepEqual(bodyExample({ type: "array", items: { $ref: "#/components/schemas/User" } }, description), [{ UserId: "reader-1", Extra: 0 }]);
});
