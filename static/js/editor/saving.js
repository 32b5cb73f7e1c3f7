/** The draft on its way to the server: autosave with a base revision, merging, and a journal for bad moments. */
import { completed, freshId } from "./flow-document.js";
import { isSame } from "./equality.js";
import { merge } from "./flow-merge.js";
import { mapDocuments } from "./history.js";
import { watch } from "./store.js";
import { sentenceCase } from "./wording.js";

const PAUSE_MS = 1200;
const LONGEST_MS = 4000;
const RETRY_MS = 3000;
const REFRESH_MS = 20_000;
const LOGIN_NEEDED = 401;
const tab = freshId("tab");

/** Does the drawing differ from what the server has? */
export const isUnsaved = (state) => state.flow !== state.saved && !isSame(state.flow, state.saved);

export function createSaving(store, api, editing) {
  const path = `/flows/${store.get().record.id}`;
  const journal = `recflow:unsaved:${store.get().record.id}`;
  let timer = null;
  let dirtySince = null;
  let underway = null;
  let leaving = false; // to the login, with everything unsaved in the journal
  let warnedOf = null; // the revision of somebody else's save that does not go together with what is here
  const LOG_IN = { label: "Log in", testId: "log-in", act: logIn };
  return { start, saveNow, settleConflict, restore, refresh, hearOfChange, setAutosave, askToLogIn };

  /** Watch the drawing from now on, taking up what an earlier visit could not save. */
  function start() {
    watch(store, (state) => state.flow, changed);
    addEventListener("beforeunload", (event) => {
      if (!leaving && (isUnsaved(store.get()) || underway)) event.preventDefault();
    });
    addEventListener("online", () => saveNow());
    addEventListener("focus", refresh);
    setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
    takeUpJournal();
  }

  function changed() {
    const state = store.get();
    if (!isUnsaved(state)) {
      clearTimeout(timer);
      dirtySince = null;
      return forget();
    }
    note(state);
    if (state.readOnly || !state.autosave || state.conflict) return;
    dirtySince ??= Date.now();
    clearTimeout(timer);
    timer = setTimeout(saveNow, Math.min(PAUSE_MS, Math.max(0, dirtySince + LONGEST_MS - Date.now())));
  }

  function setAutosave(autosave) {
    store.set({ autosave });
    if (autosave) changed();
  }

  /** Send the draft; resolves when the server has it, or when it is known why not. One request at a time. */
  async function saveNow() {
    clearTimeout(timer);
    if (store.get().readOnly || store.get().conflict) return;
    while (underway) await underway;
    if (!isUnsaved(store.get())) return;
    underway = put().finally(() => (underway = null));
    await underway;
    if (store.get().saving === "idle") changed();
  }

  async function put() {
    const { flow, revision } = store.get();
    store.set({ saving: "saving" });
    try {
      const answer = await api.put(`${path}/draft`, { base_revision: revision, document: flow });
      dirtySince = null;
      accept(flow, answer);
    } catch (error) {
      if (error.status === 409) await mergeWith(error.body);
      else failed(error);
    }
  }

  function accept(flow, { revision, saved_at: savedAt, version, problems }) {
    store.set({ saved: flow, revision, savedAt, draftVersion: version ?? null, saving: "idle", saveMessage: "", checked: { flow, problems } });
    if (store.get().flow === flow) forget();
  }

  function failed(error) {
    const away = error.status === 0 || error.status >= 500;
    store.set({ saving: away ? "offline" : "failed", saveMessage: error.message });
    editing.announce(`Not saved: ${error.message}`);
    if (away) timer = setTimeout(saveNow, RETRY_MS);
    else store.set({ toast: { text: `Not saved: ${error.message}`, ...(error.status === LOGIN_NEEDED && { action: LOG_IN }) } });
  }

  /** The session is over: what is not saved waits in the journal for whoever comes back from the login. */
  function askToLogIn() {
    store.set({ toast: { text: "You are not logged in any more. Your edits are kept in this browser.", action: LOG_IN } });
  }

  function logIn() {
    leaving = readJournal(journal) !== null;
    location.reload();
  }

  /** Somebody saved in between: bring both changes together, or ask where both changed the same field. */
  async function mergeWith({ document, revision, author, saved_at: savedAt }) {
    const state = store.get();
    const theirs = completed(document);
    const { flow, conflicts } = merge(state.saved, state.flow, theirs);
    const common = { saved: theirs, revision, savedAt, saving: "idle", saveMessage: "", draftVersion: null };
    if (conflicts.length > 0) return ask({ base: state.saved, mine: state.flow, common, conflicts, author });
    store.set({ ...common, flow, history: mapDocuments(state.history, (past, preferred) => merge(state.saved, past, theirs, preferred).flow) });
    say(`${sentenceCase(nameOf(author))} saved this flow too: both changes are in it.`);
    if (isUnsaved(store.get())) await put(); // whoever asked to save, by the button or by a pause, asked for this too
    else changed();
  }

  function ask(conflict) {
    store.set({ saving: "conflict", conflict, dialog: { kind: "conflict" }, toast: null });
  }

  /** @param {"mine"|"theirs"|"copy"} choice what happens to what both changed */
  async function settleConflict(choice) {
    const { conflict, history } = store.get();
    const { base, mine, common } = conflict;
    if (choice === "copy") {
      const copied = await api.post("/flows", { name: `${mine.name} (my copy)`.slice(0, 64), document: mine });
      store.set({ ...common, flow: common.saved, history: mapDocuments(history, () => common.saved), conflict: null, dialog: { kind: "copied", flow: copied } });
      return changed();
    }
    const settle = (document) => merge(base, document, common.saved, choice).flow;
    store.set({ ...common, flow: settle(mine), history: mapDocuments(history, settle), conflict: null, dialog: null });
    changed();
    await saveNow();
  }

  /** The draft becomes an older version; the server keeps the draft as a version first. */
  async function restore(number) {
    await saveNow();
    const record = await api.post(`${path}/restore`, { version: number });
    const document = completed(record.draft.document);
    store.set({ viewing: null });
    editing.perform("restore", { document, version: number });
    accept(document, { ...record.draft, problems: record.problems });
    store.set({ record: { ...store.get().record, latest_version: record.latest_version }, flow: document });
    say(`The draft is version ${number} again. What it was stays in the list of versions, and Undo brings it back.`);
  }

  /** Somebody saved, kept or activated something of this flow; the news of an own save comes back too. */
  async function hearOfChange({ what, revision }) {
    if (underway) await underway;
    if (what !== "saved" || revision > store.get().revision) await refresh();
  }

  /** Take over what somebody else saved meanwhile. Where both changed the same field, the next save asks. */
  async function refresh() {
    if (underway || store.get().conflict) return;
    const record = await api.get(path).catch(() => null);
    if (!record || underway || store.get().conflict) return;
    takeRecord(record);
    const { draft, problems } = record;
    const { flow: mine, saved: base, revision, history } = store.get();
    if (draft.revision <= revision) return;
    const theirs = completed(draft.document);
    const { flow, conflicts } = merge(base, mine, theirs);
    if (conflicts.length > 0) return warn(draft);
    const both = mine !== base && !isSame(mine, base);
    store.set({
      flow: both ? flow : theirs, saved: theirs, revision: draft.revision, savedAt: draft.saved_at, draftVersion: draft.version ?? null,
      history: mapDocuments(history, (past, preferred) => merge(base, past, theirs, preferred).flow), checked: { flow: theirs, problems },
    });
    if (!isSame(theirs, base)) say(`${sentenceCase(nameOf(draft.author))} changed this flow; ${both ? "both changes are in it" : "you see the change"}.`);
  }

  /** With autosave the question comes by itself in a moment. */
  function warn({ revision, author }) {
    if (store.get().autosave || revision === warnedOf) return;
    warnedOf = revision;
    say(`${sentenceCase(nameOf(author))} saved other values of what you changed; saving will show both.`);
  }

  function takeRecord({ name, is_active, active_version, latest_version }) {
    const { record } = store.get();
    const fresh = { ...record, name, is_active, active_version, latest_version };
    if (isSame(record, fresh)) return;
    store.set({ record: fresh });
    if (is_active && active_version !== record.active_version) say(`Version ${active_version} is live now.`);
  }

  /** Without accounts all windows have one name. */
  function nameOf(author) {
    return author && author !== editing.me ? author : "another window";
  }

  function say(text) {
    store.set({ toast: { text } });
    editing.announce(text);
  }

  function takeUpJournal() {
    const kept = readJournal(journal);
    if (!kept) return;
    const state = store.get();
    const left = completed(kept.document);
    if (isSame(left, state.saved)) return forget();
    const base = kept.base_revision === state.revision ? state.saved : completed(kept.base);
    const { flow, conflicts } = merge(base, left, state.saved);
    const common = { saved: state.saved, saving: "idle" };
    if (conflicts.length > 0) return ask({ base, mine: left, common, conflicts, author: null });
    editing.perform("mergeTheirs", { document: flow, author: "your last visit" });
    editing.announce("Edits of your last visit that were not saved are back.");
  }

  function note({ flow, revision, saved }) {
    try {
      localStorage.setItem(journal, JSON.stringify({ tab, base_revision: revision, base: saved, document: flow }));
    } catch {
      // No storage, or full: the question on closing the tab remains.
    }
  }

  function forget() {
    try {
      localStorage.removeItem(journal);
    } catch {
      // Nothing was stored either.
    }
  }
}

function readJournal(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    return kept?.document ? kept : null;
  } catch {
    return null;
  }
}
