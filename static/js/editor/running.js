/** The preview: runs the drawing on the canvas for a user and keeps up with what the server says of it. */
import { isSame } from "./equality.js";
import { freshId } from "./flow-document.js";
import { afterEvent, isOver, lostRun, requestedRun } from "./run-state.js";
import { hasRoom } from "./state.js";
import { AS_IT_IS, told, whom } from "./what-if.js";

export function createRunning(store, api, socket, editing) {
  let unanswered = null; // a request that went out over a socket that may drop before the answer
  const asides = new Map(); // runs that no canvas shows: request id -> {run, resolve, reject}
  const replaced = new Set(); // requests that another run took the place of before the server took them up
  const asked = new Map(); // lists of nodes that were asked for: node id -> {resolve, reject}
  return { start, run, runAside, cancel, explain, outputOf, chooseUser, learnUser, suggestUsers, suggestItems, trace };

  function start() {
    socket.listen({ onMessages: hear, onState: linkChanged, onLockedOut: editing.askToLogIn });
  }

  /** Run the unsaved drawing; with `until` only what that node needs. A run of something else gives way to it. */
  function run({ until } = {}) {
    const { flow, userId, whatIf, run: last } = store.get();
    if (!userId.trim() && !whatIf.anonymous) return askForUser();
    const next = requestedRun({ requestId: freshId("r"), flow, userId: whatIf.anonymous ? "" : userId.trim(), whatIf, until });
    if (last && !isOver(last)) {
      if (!last.cancelling && asksTheSame(last, next)) return editing.announce(`Still running for ${whom(next.userId, whatIf)}.`);
      if (last.runId) socket.send({ type: "cancel", run_id: last.runId });
      else replaced.add(last.requestId);
    }
    store.set({ run: next, traced: null, explained: null, compared: null, refusal: null, drawerOpen: !until || store.get().drawerOpen });
    const message = { type: "run", request_id: next.requestId, flow, user_id: next.userId, n: RESULTS, categories: [], what_if: told(whatIf), ...(until && { until }) };
    unanswered = socket.send(message) ? message : null;
    editing.announce(`Running for ${whom(next.userId, whatIf)}.`);
    if (next.userId) learnUser(next.userId);
  }

  /** The words stand over the field, and the cursor in it; on a phone nothing lies before them. */
  function askForUser() {
    if (!hasRoom()) store.set({ panelOpen: false, paletteOpen: false });
    editing.refuse("Enter the ID of a user first, or take a random one.");
    editing.focusUser();
  }

  /** The list that another drawing gives a user, without touching the run on the canvas. */
  function runAside(flow, userId, n = RESULTS, whatIf = AS_IT_IS) {
    const begun = requestedRun({ requestId: freshId("r"), flow, userId, whatIf });
    socket.send({ type: "run", request_id: begun.requestId, flow, user_id: userId, n, categories: [], what_if: told(whatIf) });
    return new Promise((resolve, reject) => asides.set(begun.requestId, { run: begun, resolve, reject }));
  }

  /** Stop the server's work. The screen says cancelled at once when the server never took the run up. */
  function cancel() {
    const { run: current } = store.get();
    if (!current || isOver(current)) return;
    if (current.runId) socket.send({ type: "cancel", run_id: current.runId });
    store.set({ run: { ...current, cancelling: true } });
  }

  /** Why is an item not in the result? The answer comes as `explained`. */
  function explain(itemId) {
    const { run: current } = store.get();
    if (!current?.runId || !itemId.trim()) return;
    store.set({ explained: { item_id: itemId.trim(), waiting: true } });
    socket.send({ type: "explain", run_id: current.runId, item_id: itemId.trim() });
  }

  /** All that came out of a node in the run on the canvas: [{item_id, title, score}], best first. */
  function outputOf(nodeId) {
    const { run: current } = store.get();
    return new Promise((resolve, reject) => {
      asked.set(nodeId, { resolve, reject });
      if (!socket.send({ type: "output", run_id: current.runId, node_id: nodeId })) failAsked();
    });
  }

  function trace(item) {
    store.set((state) => ({ traced: state.traced?.item_id === item?.item_id ? null : item, explained: null, compared: null }));
  }

  /** What-if is about one user: another one is taken as they are. */
  function chooseUser(userId) {
    store.set((state) => ({ userId, refusal: null, whatIf: userId.trim() === state.userId.trim() && !state.whatIf.anonymous ? state.whatIf : AS_IT_IS }));
  }

  async function suggestUsers(kind, query = "", n = 8) {
    return api.get(`/preview/users?${new URLSearchParams({ kind, q: query, n })}`);
  }

  async function suggestItems(query, n = 8) {
    return api.get(`/preview/items?${new URLSearchParams({ q: query, n })}`);
  }

  /** All that came in one frame changes the state once: a run of 300 nodes says hundreds of things a second. */
  function hear(messages) {
    for (const message of messages) {
      if (message.event === "run.accepted" && replaced.delete(message.request_id)) socket.send({ type: "cancel", run_id: message.run_id });
      if (message.event === "run.explained") explained(message);
      if (message.event === "node.output") answered(message);
      for (const aside of asides.values()) hearAside(aside, message);
    }
    const { run: before } = store.get();
    if (!before) return;
    const after = messages.reduce(hearOne, before);
    if (after === before) return;
    if (isOver(after)) return end(after);
    store.set({ run: after });
    if (after.runId && !before.runId && after.cancelling) socket.send({ type: "cancel", run_id: after.runId });
  }

  function hearOne(current, message) {
    if (isForgotten(message, current)) return lostRun(current, message.problems?.[0]?.message ?? "The server forgot this run.");
    return afterEvent(current, message);
  }

  function hearAside(aside, message) {
    aside.run = afterEvent(aside.run, message);
    if (!isOver(aside.run)) return;
    asides.delete(aside.run.requestId);
    if (aside.run.status === "finished") aside.resolve(aside.run.items);
    else aside.reject(new Error(aside.run.problems[0]?.message ?? "The run was cancelled."));
  }

  function end(run) {
    store.set({ run });
    editing.announce(ending(run));
  }

  function explained(message) {
    if (message.run_id === store.get().run?.runId) store.set({ explained: message, traced: null, compared: null });
  }

  function answered({ node_id: nodeId, items }) {
    const waiting = asked.get(nodeId);
    asked.delete(nodeId);
    if (items) waiting?.resolve(items);
    else waiting?.reject(new Error("The server forgot this run: press Run again."));
  }

  /** Back again: ask for what was missed, or once more for a run that was never answered. */
  function linkChanged(link) {
    store.set({ link });
    if (link === "reconnecting") {
      failAsides();
      failAsked();
    }
    const { run: current } = store.get();
    if (!current || isOver(current)) return;
    if (link === "reconnecting") editing.announce("The connection dropped; reconnecting.");
    else if (current.runId) socket.send({ type: "resume", run_id: current.runId, after_seq: current.seq });
    else if (unanswered) socket.send(unanswered);
  }

  function failAsides() {
    for (const aside of asides.values()) aside.reject(new Error("The connection dropped; try again."));
    asides.clear();
  }

  function failAsked() {
    for (const waiting of asked.values()) waiting.reject(new Error("The connection dropped; try again."));
    asked.clear();
  }

  /** What is known of a user is asked for anew with each run: they may have done something since. */
  async function learnUser(userId) {
    const user = await api.get(`/preview/user?${new URLSearchParams({ user_id: userId })}`).catch((error) => ({ user_id: userId, unknown: error.message }));
    if (store.get().userId.trim() === userId) store.set({ user });
  }
}

const RESULTS = 20;

function asksTheSame(run, other) {
  const drawn = run.flow === other.flow || isSame(run.flow, other.flow);
  return drawn && run.userId === other.userId && run.until === other.until && isSame(told(run.whatIf) ?? null, told(other.whatIf) ?? null);
}

function isForgotten(message, run) {
  return message.event === "run.rejected" && !message.request_id && run.runId !== null && !isOver(run);
}

function ending(run) {
  const took = `in ${Math.round(run.ms ?? 0)} ms`;
  if (run.status === "cancelled") return "The run was cancelled.";
  if (run.status === "finished") return `Finished: ${run.items.length} items ${took}. ${run.note}`.trim();
  return run.problems.map((problem) => problem.message).join(" ");
}
