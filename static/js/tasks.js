/** The Tasks page: what runs and what ran, followed by asking the ledger every second while something runs. */
import { createApi } from "./lib/api.js";
import { ago, duration } from "./lib/times.js";

const BUSY_MS = 1000;
const IDLE_MS = 5000;
const STATES = { queued: ["Waiting", "is-waiting"], running: ["Running", "is-running"], paused: ["Paused", "is-waiting"], done: ["Done", "is-done"], failed: ["Failed", "is-failed"], cancelled: ["Cancelled", "is-cancelled"] };

const page = JSON.parse(document.getElementById("page-data").textContent);
const api = createApi(page.api);
const place = (id) => document.getElementById(id);
/** Job id -> its row and how to bring it up to date, so that an open log and the focus stay where they are. */
const rows = new Map();
let over = null; // ids of jobs that had ended at the last look
let timer = null;
let asked = 0;

place("models-actions").append(...button("Train all", () => start({ kind: "fit" })));
document.addEventListener("visibilitychange", () => document.hidden || follow());
await follow();
document.documentElement.dataset.ready = "1";

/** Ask now, and again after a while; only the newest question is answered for. */
async function follow() {
  clearTimeout(timer);
  const mine = ++asked;
  let wait = IDLE_MS;
  try {
    const found = await api.get("/jobs");
    if (mine !== asked) return;
    wait = show(found) ? BUSY_MS : IDLE_MS;
    place("failure").hidden = true;
  } catch (error) {
    if (mine !== asked) return;
    tell(error);
  }
  if (!document.hidden) timer = setTimeout(follow, wait);
}

/** @returns {boolean} does anything run or wait? */
function show({ jobs, models, lists }) {
  const live = jobs.filter((job) => !isOver(job));
  announce(jobs);
  const shown = new Set(jobs.map((job) => job.id));
  for (const id of rows.keys()) if (!shown.has(id)) rows.delete(id);
  fill("running", live.map(jobRow), "Nothing runs. Jobs start by themselves when models or lists are due.");
  fill("finished", jobs.filter(isOver).map(jobRow), "Nothing has run yet.");
  fill("models", models.map((model) => modelRow(model, live)), "The live version needs no models.");
  fill("made", [listsRow(lists, live), snapshotRow(jobs, live)]);
  return live.some((job) => job.state !== "paused");
}

/** Put rows into a list, moving no node that is already where it belongs. */
function fill(id, wanted, whenEmpty) {
  const list = place(id);
  const focused = list.contains(document.activeElement) && document.activeElement.ariaLabel;
  const elements = wanted.length ? wanted : [element("li", "empty-hint", whenEmpty)];
  elements.forEach((item, index) => {
    const there = list.children[index];
    if (there === item || there?.isEqualNode(item)) return;
    if (there && !elements.includes(there)) there.replaceWith(item);
    else list.insertBefore(item, there ?? null);
  });
  while (list.children.length > elements.length) list.lastElementChild.remove();
  if (focused && document.activeElement === document.body) [...list.querySelectorAll("button")].find((there) => there.ariaLabel === focused)?.focus();
}

function jobRow(job) {
  if (!rows.has(job.id)) rows.set(job.id, makeJobRow(job.id));
  const row = rows.get(job.id);
  row.update(job);
  return row.item;
}

function makeJobRow(id) {
  const item = element("li", "job");
  item.dataset.testid = `job-${id}`;
  const [title, name, state, by] = [element("span", "job-title"), element("span", ""), element("span", "tag"), element("span", "job-about")];
  const [actions, bar, text, error] = [element("span", "job-actions"), element("progress", "job-bar"), element("span", "job-text"), element("span", "job-error")];
  const [log, lines] = [element("details", "job-log"), element("pre", "")];
  title.append(name, state, by);
  log.append(element("summary", "", "Log"), lines);
  item.append(title, actions, bar, text, error, log);
  let was = "";
  const read = async () => (lines.textContent = (await api.get(`/jobs/${id}`)).log || "Nothing written yet.");
  log.addEventListener("toggle", () => log.open && attempt(read));
  const update = (job) => {
    const [words, look] = stateOf(job);
    name.textContent = job.title;
    state.textContent = words;
    state.className = `tag ${look}`;
    by.textContent = job.asked_by && `asked by ${job.asked_by}`;
    bar.hidden = job.state !== "running" && job.state !== "paused";
    bar.value = job.share;
    bar.ariaLabel = `Progress of ${job.title}`;
    text.textContent = about(job);
    error.textContent = job.error;
    const now = `${job.state}${job.cancel_asked}${job.pause_asked}`;
    if (now !== was) actions.replaceChildren(...jobActions(job));
    if (log.open && (job.state === "running" || now !== was)) attempt(read);
    was = now;
  };
  return { item, update };
}

/** A running job that is to stop says so until its worker has seen it. */
function stateOf({ state, cancel_asked: isStopping, pause_asked: isResting }) {
  if (state === "running" && isStopping) return ["Stopping", "is-cancelled"];
  if (state === "running" && isResting) return ["Pausing", "is-waiting"];
  return STATES[state];
}

function about(job) {
  const { state, text, share, created_at: asked, started_at: began, finished_at: ended } = job;
  if (state === "queued") return `asked ${ago(asked)}`;
  const far = `${Math.round(share * 100)} %`;
  if (state === "running") return [far, text, ...madeOf(job), duration(began, Date.now())].filter(Boolean).join(" · ");
  if (state === "paused") return [far, text, ...madeOf(job), "goes on where it stopped"].filter(Boolean).join(" · ");
  return [text, ...madeOf(job), ago(ended), began && state === "done" && duration(began, ended)].filter(Boolean).join(" · ");
}

/** What a job has made, how fast, how long that will still take, and what it has cost. */
function madeOf({ state, made, of, unit, rate, cost, cost_unknown: unpriced, currency }) {
  if (!made && !cost && !unpriced) return [];
  const count = `${made.toLocaleString("en")}${of ? ` of ${of.toLocaleString("en")}` : ""} ${unit}`;
  const speed = rate ? `${rate >= 10 ? Math.round(rate).toLocaleString("en") : rate}/s` : "";
  const left = state === "running" && rate && of > made ? `about ${duration(0, ((of - made) / rate) * 1000)} left` : "";
  const paid = unpriced ? "cost unknown: the model has no price in Settings" : cost ? `${cost.toFixed(cost < 1 ? 4 : 2)} ${currency} so far` : "";
  return [state === "done" ? "" : count, speed, left, state === "done" ? paid.replace(" so far", "") : paid];
}

function jobActions({ id, state, title, can_pause: canPause, cancel_asked: isStopping, pause_asked: isResting }) {
  if (state === "failed" || state === "cancelled") return button("Try again", () => api.post(`/jobs/${id}/retry`), `Try ${title} again`);
  if (state === "done" || isStopping) return [];
  const cancel = button("Cancel", () => api.post(`/jobs/${id}/cancel`), `Cancel ${title}`);
  if (!canPause) return cancel;
  if (isResting) return [...button("Resume", () => api.post(`/jobs/${id}/resume`), `Resume ${title}`), ...cancel];
  return [...button("Pause", () => api.post(`/jobs/${id}/pause`), `Pause ${title}`), ...cancel];
}

function modelRow({ key, job_key: jobKey, label, about: words, versions, period_s: period }, live) {
  const item = row(label, words, live, jobKey, versions.length ? [] : [["Not trained", "is-waiting"]], () => start({ kind: "fit", model: key }), "Train now");
  item.append(element("span", "job-text", `Trained again after ${Math.round(period / 60)} min when feedback changed`));
  if (versions.length) item.append(versionTable(label, versions));
  return item;
}

function versionTable(label, versions) {
  const table = element("table", "versions");
  const metrics = versions[0].metrics.map((metric) => metric.label);
  const head = element("tr", "");
  head.append(...["Trained", "Took", ...metrics].map((text) => element("th", "", text)), element("th", "is-optional", "Positive feedback"));
  const body = element("tbody", "");
  for (const version of versions) {
    const line = element("tr", "");
    const values = metrics.map((name) => version.metrics.find((metric) => metric.label === name)?.value.toFixed(3) ?? "–");
    line.append(...[ago(version.fitted_at * 1000), `${version.seconds.toFixed(1)} s`, ...values].map((text) => element("td", "", text)), element("td", "is-optional", version.n_positive.toLocaleString("en")));
    body.append(line);
  }
  const top = element("thead", "");
  top.append(head);
  table.append(top, body);
  table.ariaLabel = `Versions of ${label}`;
  return table;
}

function listsRow({ version, count, made_at: at, job_key: key }, live) {
  const item = row("Prepared lists", `version ${version}`, live, key, [], () => start({ kind: "lists" }), "Refresh now");
  item.append(element("span", "job-text", count ? `${count.toLocaleString("en")} lists, the newest ${ago(at * 1000)}` : "None yet: requests are answered by running the flow"));
  return item;
}

function snapshotRow(jobs, live) {
  const last = jobs.find((job) => job.kind === "snapshot" && job.state === "done");
  const item = row("Snapshot of the data", "", live, "snapshot", [], () => start({ kind: "snapshot" }), "Refresh now");
  item.append(element("span", "job-text", last ? `${last.text} · ${ago(last.finished_at)}` : "Made when it is needed"));
  return item;
}

function row(name, words, live, jobKey, tags, act, label) {
  const item = element("li", "job");
  const title = element("span", "job-title", name);
  if (words) title.append(element("span", "job-about", words));
  title.append(...tags.map(([text, look]) => element("span", `tag ${look}`, text)));
  const actions = element("span", "job-actions");
  const isUnderWay = live.some((job) => job.key === jobKey);
  actions.append(...button(label, act, `${label}: ${name}`, isUnderWay));
  item.append(title, actions);
  return item;
}

function isOver({ state }) {
  return state === "done" || state === "failed" || state === "cancelled";
}

const start = (wanted) => api.post("/jobs", wanted);

/** A screen reader hears what ended since the last look, also what began after it. */
function announce(jobs) {
  const ended = over && jobs.filter((job) => isOver(job) && !over.has(job.id));
  if (ended?.length) place("announcement").textContent = ended.map((job) => `${job.title}: ${STATES[job.state][0]}${job.error && `, ${job.error}`}`).join(". ");
  over = new Set(jobs.filter(isOver).map((job) => job.id));
}

/** A button for whoever may press it; pressed, it waits for the server and looks again. */
function button(label, act, name = label, disabled = false) {
  if (!page.may_edit) return [];
  const made = Object.assign(element("button", "button is-small", label), { type: "button", disabled, ariaLabel: name });
  made.addEventListener("click", () => attempt(async () => {
    await act();
    await follow();
  }));
  return [made];
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    tell(error);
  }
}

function tell(error) {
  place("failure").textContent = error.message;
  place("failure").hidden = false;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
