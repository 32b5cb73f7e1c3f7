/** Versions and going live: activate, open, compare, export and import. */
import { completed } from "./flow-document.js";
import { overlay } from "./flow-diff.js";
import { readFragment } from "./flow-fragment.js";
import { NOTHING } from "./state.js";

export function createReleasing(editor, api) {
  const { store } = editor;
  const path = `/flows/${store.get().record.id}`;
  return { learnLive, openReview, activate, versions, keepVersion, openVersion, versionDocument, closeVersion, compare, activations, rollBack, renameFlow, nameFlow, exportFlow, importFlow };

  /** Activation reviews what is saved, so what is not saved yet is saved first. */
  async function openReview(version) {
    if (!version) await editor.saveNow();
    if (!store.get().conflict) store.set({ dialog: { kind: "review", version } });
  }

  /** Fetch the live version, when it is one of this flow: the header counts the changes against it. */
  async function learnLive() {
    const { record, live } = store.get();
    if (!record.is_active || live?.number === record.active_version) return;
    const document = await versionDocument(record.active_version).catch(() => null);
    if (document) store.set({ live: { number: record.active_version, document } });
  }

  /** @param {object} review what was looked at: the server refuses when it is not what would go live any more */
  async function activate({ version, note, review }) {
    const answer = await api.post(`${path}/activate`, { note, revision: review.revision, replaces: review.active, ...(version && { version }) });
    const { record, draftVersion } = store.get();
    store.set({
      dialog: null, viewing: null,
      record: { ...record, is_active: true, active_version: answer.version, latest_version: Math.max(record.latest_version ?? 0, answer.version) },
      draftVersion: version ? draftVersion : answer.version,
    });
    tellLive(answer, `Version ${answer.version} is live.`, "Roll back");
  }

  /** Who made which version of this flow live, newest first. */
  function activations() {
    return api.get(`/activations?${new URLSearchParams({ flow_id: store.get().record.id })}`);
  }

  /** Undo an activation: what was live before it is live again, at once. */
  async function rollBack({ id }) {
    const done = await api.post(`/activations/${id}/rollback`);
    store.set({ dialog: null });
    await editor.refresh();
    const elsewhere = done.flow_id === store.get().record.id ? "" : ` of “${done.flow_name}”`;
    const what = done.active ? `Version ${done.version}${elsewhere} is live again.` : "What the configuration file says is live again.";
    tellLive(done, what, "Undo");
  }

  function tellLive(entry, text, label) {
    const act = () => rollBack(entry).catch((error) => editor.refuse(error.message));
    store.set({ toast: { text, action: { label, testId: "roll-back", act } } });
    editor.announce(`${text} ${label} is in this notice and among the versions.`);
  }

  function versions() {
    return api.get(`${path}/versions`);
  }

  async function keepVersion(note) {
    await editor.saveNow();
    const { record, revision } = store.get();
    const version = await api.post(`${path}/versions`, { note, revision });
    store.set({ record: { ...record, latest_version: version.number }, draftVersion: version.number });
    editor.announce(`The draft is kept as version ${version.number}.`);
  }

  /** Show a version on the canvas, for reading only. */
  async function openVersion(number) {
    const document = await versionDocument(number);
    store.set({ viewing: { number, document }, selection: NOTHING, dialog: null, comparison: null });
    editor.announce(`Version ${number} is open, read-only.`);
  }

  async function versionDocument(number) {
    const { document } = await api.get(`${path}/versions/${number}`);
    return completed(document);
  }

  function closeVersion() {
    store.set({ viewing: null, comparison: null, selection: NOTHING });
  }

  /** Lay two drawings over each other on the canvas, for reading only; null stands for the draft. */
  async function compare(before, after) {
    const documentOf = (number) => (number === null ? store.get().flow : versionDocument(number));
    const { flow, changes, marks, edgeMarks } = overlay(...(await Promise.all([documentOf(before), documentOf(after)])), editor.types);
    const [from, to] = [before, after].map((number) => (number === null ? "the draft" : `version ${number}`));
    store.set({
      comparison: { before: from, after: to, changes, marks, edgeMarks },
      viewing: { number: after ?? undefined, document: flow }, selection: NOTHING, dialog: null,
    });
    editor.announce(`From ${from} to ${to}; read-only.`);
  }

  /** Another name for the flow, here and in the list of flows; nothing changes when the server refuses it. */
  async function renameFlow(name) {
    const before = store.get().record.name;
    if (await nameFlow(name)) editor.perform("renameFlow", { name }, { flowName: { before, after: name } });
  }

  /** @returns {Promise<boolean>} is the flow called so now? */
  async function nameFlow(name) {
    const record = await api.patch(path, { name }).catch((error) => editor.refuse(error.message));
    if (record.id) store.set((state) => ({ record: { ...state.record, name: record.name } }));
    return Boolean(record.id);
  }

  function exportFlow() {
    const { flow, record } = store.get();
    const url = URL.createObjectURL(new Blob([`${JSON.stringify({ ...flow, name: record.name }, null, 2)}\n`], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: `${record.name}.json` });
    link.click();
    URL.revokeObjectURL(url);
  }

  function importFlow() {
    const chooser = Object.assign(document.createElement("input"), { type: "file", accept: "application/json,.json" });
    chooser.onchange = async () => takeOver(await chooser.files[0].text(), chooser.files[0].name);
    chooser.click();
  }

  /** The server says first whether it can read the document: what it refuses could never be saved. */
  async function takeOver(text, fileName) {
    if (!readFragment(text)) return editor.refuse(`${fileName} is no flow document.`);
    const document = JSON.parse(text);
    const refused = await api.post("/flows/check", { document }).then(() => null, (error) => error.message);
    if (refused) return editor.refuse(`${fileName}: ${refused}`);
    const { flow, record } = store.get();
    const brings = flow.nodes.length === 0 ? document.name : null; // an empty flow has no name worth keeping
    const flowName = brings && brings !== record.name ? { before: record.name, after: brings } : undefined;
    if (editor.perform("import", { document: { ...document, name: brings || flow.name } }, { flowName }).problem) return;
    if (flowName) nameFlow(brings);
    requestAnimationFrame(() => editor.canvas.fit());
  }
}
