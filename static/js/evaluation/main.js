/** The Evaluation page: what is chosen stands in the address, so that a link shows the same; progress comes by socket. */
import { createApi } from "../lib/api.js";
import { openSocket } from "../lib/socket.js";
import { compareView } from "./compare-view.js";
import { make } from "./elements.js";
import { flowView } from "./flow-view.js";
import { onlineView } from "./online-view.js";
import { pendingView, rankingView } from "./ranking-view.js";
import { runList } from "./run-list.js";
import { startForm } from "./start-form.js";

const page = JSON.parse(document.getElementById("page-data").textContent);
const api = createApi(page.api);
const main = document.getElementById("main");
const failure = document.getElementById("failure");
const mayEdit = page.user.role !== "viewer";
let runs = [];
const told = new Map(); // the newest news of each run: an answer that was asked for before may be older
let shown = null;
let turn = 0;

const list = runList(document.getElementById("runs"), {
  mayEdit,
  onCancel: (run) => attempt(async () => update(await api.post(`/evaluations/${run.id}/cancel`))),
  onCompare: (ids) => location.assign(`#${ids.join(",")}`),
});
addEventListener("hashchange", () => attempt(show));
addEventListener("resize", debounced(() => shown?.redraw?.(), 150));
openSocket(page.ws_path).listen({ onMessages: (news) => news.forEach(update), onState: () => {} });
await attempt(async () => {
  runs = await api.get("/evaluations");
  list.draw(runs, chosen());
  await show();
});
document.documentElement.dataset.ready = "1";

/** What the address says: numbers of runs, or "new" or "online". */
function chosen() {
  const words = location.hash.slice(1);
  return /^\d+(,\d+)*$/.test(words) ? words.split(",").map(Number) : words;
}

async function show() {
  const what = chosen();
  const mine = ++turn;
  main.setAttribute("aria-busy", "true");
  list.draw(runs, what);
  const view = await viewOf(what);
  if (mine !== turn) return; // somebody went on, or the run did, while this was on its way
  main.replaceChildren(view.element);
  shown = view;
  view.redraw?.();
  main.removeAttribute("aria-busy");
}

async function viewOf(what) {
  if (what === "online") return onlineView(await api.get("/evaluations/online?days=60"));
  if (Array.isArray(what) && what.length > 1) {
    const found = await Promise.all(what.slice(0, 2).map((id) => api.get(`/evaluations/${id}`)));
    return compareView(...found);
  }
  if (Array.isArray(what)) return runView(await api.get(`/evaluations/${what[0]}`));
  if (what === "new" || runs.length === 0) return form();
  return runView(await api.get(`/evaluations/${(runs.find((run) => run.state === "done") ?? runs[0]).id}`));
}

function runView(run) {
  const actions = { onForget: mayEdit ? () => attempt(() => forget(run)) : null, api: page.api };
  if (!run.report) return pendingView(run, actions);
  return run.kind === "flow" ? flowView(run, actions) : rankingView(run, actions);
}

async function form() {
  if (!mayEdit) return { element: make("p.empty-hint", {}, "Nothing has been measured yet. Somebody who may edit can start a measurement here.") };
  const choices = await api.get("/evaluations/choices");
  const wanted = new URLSearchParams(location.search);
  return startForm({ choices, defaults: page.defaults, wanted, onStart: (body) => attempt(() => start(body)) });
}

/** A run that asks models is confirmed with its cost before anything is spent. */
async function start(body) {
  let run;
  try {
    run = await api.post("/evaluations", body);
  } catch (error) {
    if (error.status !== 409 || !error.body.forecast) throw error;
    if (!confirm(`${error.message}.\n\nStart it?`)) return;
    run = await api.post("/evaluations", { ...body, confirmed: true });
  }
  runs = upToDate([run, ...runs.filter((each) => each.id !== run.id)]);
  location.assign(`#${run.id}`);
}

async function forget(run) {
  if (!confirm(`Delete the measurement “${run.title}”? Its numbers are gone then.`)) return;
  await request(`${page.api}/evaluations/${run.id}`);
  runs = runs.filter((each) => each.id !== run.id);
  location.assign(runs.length ? `#${runs[0].id}` : "#new");
}

async function request(url) {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const answer = await fetch(url, { method: "DELETE", headers: { "X-CSRFToken": token } });
  if (!answer.ok) throw new Error((await answer.json()).message);
}

/** News of one run, from the socket or from an answer. */
function update(news) {
  told.set(news.id, news);
  const before = runs.find((run) => run.id === news.id);
  if (!before) return void attempt(async () => list.draw((runs = upToDate(await api.get("/evaluations"))), chosen()));
  Object.assign(before, news);
  list.draw(runs, chosen());
  const what = chosen();
  if (!Array.isArray(what) || what[0] !== news.id) return;
  if (["queued", "running"].includes(news.state)) shown?.progress?.(before);
  else attempt(show);
}

function upToDate(found) {
  return found.map((run) => ({ ...run, ...told.get(run.id) }));
}

async function attempt(act) {
  failure.hidden = true;
  try {
    await act();
  } catch (error) {
    failure.textContent = error.message;
    failure.hidden = false;
    failure.scrollIntoView({ block: "nearest" }); // the form may be far below it
    main.removeAttribute("aria-busy");
  }
}

function debounced(act, wait) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };
}
