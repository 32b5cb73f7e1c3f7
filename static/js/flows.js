/** The list of flows: open, rename, duplicate, archive with undo, and start a new one from a template. */
import { createApi } from "./lib/api.js";

const page = JSON.parse(document.getElementById("page-data").textContent);
const api = createApi(page.api);
const list = document.getElementById("flows");
const failure = document.getElementById("failure");
const undo = document.getElementById("undo");
const mayEdit = page.user.role !== "viewer";

document.getElementById("new-flow-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, template } = Object.fromEntries(new FormData(event.target));
  attempt(async () => open(await api.post("/flows", { name: name.trim(), template })));
});
await attempt(show);

async function show() {
  const flows = await api.get("/flows");
  const [current, archived] = [flows.filter((flow) => !flow.archived), flows.filter((flow) => flow.archived)];
  list.replaceChildren(...current.map(row), ...archived.map(row));
  if (flows.length === 0) list.replaceChildren(element("li", "empty-hint", "No flow yet. Start one below."));
}

function row(flow) {
  const item = element("li", `flow-row${flow.archived ? " is-archived" : ""}`);
  const name = Object.assign(element("a", "flow-row-name", flow.name), { href: `${location.pathname.replace(/\/$/, "")}/${flow.id}`, title: flow.name });
  const words = element("span", "flow-row-words");
  words.append(name, element("span", "flow-row-sub", about(flow)));
  item.append(words);
  if (flow.is_active) item.append(element("span", "tag is-live", `Live: version ${flow.active_version}`));
  if (mayEdit) item.append(actions(flow, name));
  return item;
}

function about({ author, updated_at: at, latest_version: version, archived }) {
  const when = new Date(at).toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  return [archived && "Archived", version ? `${version} version${version === 1 ? "" : "s"}` : "no version yet", `changed ${when}`, author && `by ${author}`].filter(Boolean).join(" · ");
}

function actions(flow, name) {
  const buttons = element("span", "flow-row-actions");
  if (!flow.archived) buttons.append(button("Rename", () => rename(flow, name)));
  buttons.append(button("Duplicate", () => attempt(() => duplicate(flow))));
  if (!flow.is_active) buttons.append(button(flow.archived ? "Bring back" : "Archive", () => attempt(() => setArchived(flow, !flow.archived))));
  return buttons;
}

/** The name becomes a field in its place; Enter keeps, Escape leaves it as it was. */
function rename(flow, name) {
  const field = Object.assign(document.createElement("input"), { value: flow.name, maxLength: 64, className: "flow-row-field", ariaLabel: `New name of ${flow.name}` });
  const done = (keep) => attempt(async () => {
    field.onblur = null;
    const wanted = field.value.trim();
    if (keep && wanted && wanted !== flow.name) await api.patch(`/flows/${flow.id}`, { name: wanted });
    await show();
  });
  field.onkeydown = (event) => {
    if (event.key === "Enter") done(true);
    if (event.key === "Escape") done(false);
  };
  field.onblur = () => done(true);
  name.replaceWith(field);
  field.select();
}

async function duplicate(flow) {
  const { draft } = await api.get(`/flows/${flow.id}`);
  const name = `${flow.name} copy`.slice(0, 64);
  await api.post("/flows", { name, document: { ...draft.document, name } });
  await show();
}

async function setArchived(flow, archived) {
  await api.patch(`/flows/${flow.id}`, { archived });
  await show();
  undo.hidden = !archived;
  undo.querySelector("span").textContent = `${flow.name} is archived.`;
  undo.querySelector("button").onclick = () => attempt(() => setArchived(flow, false));
}

function open(flow) {
  location.assign(`${location.pathname.replace(/\/$/, "")}/${flow.id}`);
}

async function attempt(act) {
  failure.hidden = true;
  try {
    await act();
  } catch (error) {
    failure.textContent = error.message;
    failure.hidden = false;
  }
}

function button(label, act) {
  const made = Object.assign(element("button", "button is-small", label), { type: "button" });
  made.addEventListener("click", act);
  return made;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
