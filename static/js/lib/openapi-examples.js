/** Requests and examples out of an OpenAPI operation. Pure: no document, no fetch. */

/** The request that a filled-in form means; empty query fields are left out. */
export function requestOf(operation, form, origin) {
  let path = operation.path;
  const query = [];
  for (const { name, in: where, schema } of operation.parameters) {
    const value = form.get(name) ?? "";
    if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "")
      for (const part of schema.type === "array" ? value.split(",") : [value]) query.push(`${encodeURIComponent(name)}=${encodeURIComponent(part.trim())}`);
  }
  const body = form.get("body");
  return { method: operation.method, url: origin + path + (query.length ? `?${query.join("&")}` : ""), body: body === null ? undefined : body };
}

/** The request for a shell; the key comes from the environment, so that it stays out of the history. */
export function curlExample({ method, url, body }) {
  const lines = [`curl -X ${method.toUpperCase()} ${quoted(url)}`, '  -H "X-API-Key: $API_KEY"'];
  if (body !== undefined) lines.push('  -H "Content-Type: application/json"', `  -d ${quoted(compact(body))}`);
  return lines.join(" \\\n");
}

/** The request in Python. */
export function pythonExample({ method, url, body }) {
  const lines = ["import os, requests", "", `answer = requests.${method}(`, `    ${JSON.stringify(url)},`, '    headers={"X-API-Key": os.environ.get("API_KEY", "")},'];
  if (body !== undefined) lines.push('    data="""' + body.replaceAll("\\", "\\\\") + '""".encode(),');
  if (body !== undefined) lines[4] = '    headers={"X-API-Key": os.environ.get("API_KEY", ""), "Content-Type": "application/json"},';
  return [...lines, ")", "print(answer.status_code, answer.json())"].join("\n");
}

/** Something that fits a schema, for a body to begin with. */
export function bodyExample(schema, description) {
  if (schema.$ref) return bodyExample(description.components.schemas[schema.$ref.split("/").at(-1)], description);
  if (schema.examples) return schema.examples[0];
  if (schema.anyOf) return bodyExample(schema.anyOf.find((part) => part.type !== "null") ?? schema.anyOf[0], description);
  if (schema.type === "array") return [bodyExample(schema.items, description)];
  if (schema.type === "object")
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, EXAMPLES[name] ?? bodyExample(inner, description)]));
  return { string: "", number: 0, integer: 0, boolean: false }[schema.type] ?? null;
}

const EXAMPLES = {
  UserId: "reader-1",
  ItemId: "book-1",
  FeedbackType: "like",
  Categories: ["novel"],
  Labels: { tags: ["classic"] },
  Comment: "A title",
  Value: 1,
  Timestamp: "2024-03-01T12:00:00Z",
};

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function compact(body) {
  try {
    return JSON.stringify(JSON.parse(body));
  } catch {
    return body;
  }
}
