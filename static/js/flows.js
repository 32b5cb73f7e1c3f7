/** The list of flows: open, rename, duplicate, archive with undo, and start a new one from a template. */
import { createApi } from "./lib/api.js";
import { dateTime } from "./lib/times.js";

const page = JSON.parse(document.getElementById("page-data").textContent);
const api = createApi(page.api);
const list = document.getElementById("flows");
const failure = document.getElementById("failure");
const undo = document.getElementById("undo");
const filter = document.getElementById("filter");
const mayEdit = page.user.role !== "viewer";
const UNDO_MS = 12_000;
let shows = "current"; // or "archived"
let flows = [];
let undoTimer = null;

const form = document.getElementById("new-flow-form");
const create = form.querySelector("[type=submit]");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, template } = Object.fromEntries(new FormData(form));
  create.disabled = true; // a double click makes one flow
  await attempt(async () => open(await api.post("/flows", { name: name.trim(), template })));
  create.disabled = failure.hidden; // the editor is on its way
});
addEventListener("pageshow", () => (create.disabled = false)); // also when one comes back to this page
filter.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-shows]");
  if (chosen) draw(chosen.dataset.shows);
});
await attempt(show);

async function show() {
  flows = await api.get("/flows");
  draw(flows.some((flow) => flow.archived) ? shows : "current");
}

/** The flows in use, or those put away. */
function draw(which) {
  shows = which;
  const archived = flows.filter((flow) => flow.archived);
  const listed = shows === "archived" ? archived : flows.filter((flow) => !flow.archived);
  list.replaceChildren(...listed.map(row));
  if (listed.length === 0) list.replaceChildren(element("li", "empty-hint", "No flow is in use. Bring one back from the archive, or start one below."));
  list.hidden = flows.length === 0;
  filter.hidden = archived.length === 0;
  filter.querySelector("[data-shows=archived]").textContent = `Archived (${archived.length})`;
  for (const each of filter.children) each.setAttribute("aria-pressed", each.dataset.shows === shows);
  document.getElementById("no-flows").hidden = flows.length > 0;
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
  return [archived && "Archived", version ? `${version} version${version === 1 ? "" : "s"}` : "no version yet", `changed ${dateTime(at)}`, author && `by ${author}`].filter(Boolean).join(" · ");
}

/** The live flow can be neither archived nor deleted; whoever tries is told why by the server. */
function actions(flow, name) {
  const buttons = element("span", "flow-row-actions");
  if (!flow.archived) buttons.append(button("Rename", () => rename(flow, name)));
  buttons.append(button("Duplicate", () => attempt(() => duplicate(flow))));
  buttons.append(button(flow.archived ? "Bring back" : "Archive", () => attempt(() => setArchived(flow, !flow.archived))));
  buttons.append(button("Delete", () => attempt(() => remove(flow))));
  for (const each of buttons.children) each.setAttribute("aria-label", `${each.textContent} ${flow.name}`);
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
  const name = `${flow.name.slice(0, 59)} copy`;
  const { id } = await api.post("/flows", { name, document: { ...draft.document, name } });
  await show();
  offerUndo(`${name} is a copy of the draft.`, () => api.delete(`/flows/${id}`));
}

async function setArchived(flow, archived) {
  await api.patch(`/flows/${flow.id}`, { archived });
  await show();
  offerUndo(`${flow.name} is ${archived ? "archived" : "back in use"}.`, () => api.patch(`/flows/${flow.id}`, { archived: !archived }));
}

async function remove(flow) {
  await api.delete(`/flows/${flow.id}`);
  await show();
  offerUndo(`${flow.name} is deleted.`, () => api.post(`/flows/${flow.id}/undelete`));
}

/** Say what was done; for a while it can be taken back. The focus stays where the list is. */
function offerUndo(words, takeBack) {
  clearTimeout(undoTimer);
  const hide = () => (undo.hidden = true);
  undo.querySelector("span").textContent = words;
  undo.querySelector("button").onclick = () => attempt(async () => {
    hide();
    await takeBack();
    await show();
  });
  undo.hidden = false;
  undoTimer = setTimeout(hide, UNDO_MS);
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
    failure.scrollIntoView({ block: "nearest" }); // the form may be far below it
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
