/** The API page: operations out of the OpenAPI document, each with a form to try it and examples to copy. */
import { bodyExample, curlExample, pythonExample, requestOf } from "./lib/openapi-examples.js";

const page = JSON.parse(document.getElementById("page-data").textContent);
const place = document.getElementById("operations");
const key = document.getElementById("api-key");
document.getElementById("api-key-form").addEventListener("submit", (event) => event.preventDefault());

try {
  const response = await fetch(page.openapi);
  const description = await response.json();
  place.replaceChildren(...description.tags.map((tag) => chapter(description, tag.name)));
} catch (error) {
  const failure = document.getElementById("failure");
  failure.textContent = `The description could not be loaded: ${error.message}`;
  failure.hidden = false;
  place.replaceChildren();
}
document.documentElement.dataset.ready = "1";

function chapter(description, tag) {
  const section = element("section", "api-chapter");
  section.append(element("h2", "", tag));
  for (const [path, methods] of Object.entries(description.paths))
    for (const [method, operation] of Object.entries(methods))
      if (operation.tags[0] === tag) section.append(card(description, { path, method, ...operation }));
  return section;
}

function card(description, operation) {
  const details = element("details", "operation");
  const head = element("summary");
  head.append(
    element("span", `operation-method is-${operation.method}`, operation.method.toUpperCase()),
    element("span", "operation-path", operation.path),
    element("span", "operation-summary", operation.summary),
  );
  details.append(head);
  details.addEventListener("toggle", () => details.childElementCount === 1 && details.append(opened(description, operation)), { once: true });
  return details;
}

function opened(description, operation) {
  const form = element("form", "operation-body");
  const fields = element("div", "operation-fields");
  fields.append(...operation.parameters.map(field));
  if (operation.parameters.length) form.append(fields);
  const schema = operation.requestBody?.content["application/json"].schema;
  if (schema) form.append(bodyField(bodyExample(schema, description)));
  const examples = element("pre");
  const answer = element("pre");
  answer.setAttribute("role", "status");
  answer.hidden = true;
  const send = Object.assign(element("button", "button is-primary", "Send"), { type: "submit" });
  const sending = element("div");
  sending.append(send);
  form.append(sending, answer, element("h3", "", "From the command line and from Python"), examples, answers(operation));
  const show = () => {
    const request = requestOf(operation, new FormData(form), location.origin);
    examples.textContent = `${curlExample(request)}\n\n${pythonExample(request)}`;
    return request;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(show(), answer);
  });
  show();
  return form;
}

async function attempt({ method, url, body }, answer) {
  const headers = key.value ? { "X-API-Key": key.value } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  answer.hidden = false;
  answer.textContent = "…";
  try {
    const response = await fetch(url, { method: method.toUpperCase(), headers, body, credentials: "omit" });
    answer.textContent = `${response.status} ${response.statusText}\n\n${pretty(await response.text())}`;
  } catch (error) {
    answer.textContent = `The server cannot be reached: ${error.message}`;
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function field(parameter) {
  const label = element("label", "field");
  const input = Object.assign(element("input"), { type: "text", name: parameter.name, required: parameter.required, value: parameter.example ?? "" });
  label.append(element("span", "field-label", parameter.name), input);
  if (parameter.description) label.append(element("span", "field-hint", parameter.description));
  return label;
}

function bodyField(example) {
  const label = element("label", "field");
  const area = Object.assign(element("textarea"), { name: "body", rows: 8, spellcheck: false });
  area.value = JSON.stringify(example, null, 2);
  label.append(element("span", "field-label", "Body"), area);
  return label;
}

function answers(operation) {
  const list = element("dl", "operation-answers");
  for (const [status, { description }] of Object.entries(operation.responses)) list.append(element("dt", "", status), element("dd", "", description));
  return list;
}

function element(tag, className = "", text) {
  const made = Object.assign(document.createElement(tag), { className });
  if (text !== undefined) made.textContent = text;
  return made;
}
