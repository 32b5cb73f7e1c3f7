/** Everything a person does to the drawing: each act is a document command, recorded for undo and announced. */
import { apply } from "./commands.js";
import { freshId, newNode } from "./flow-document.js";
import { copy, readFragment } from "./flow-fragment.js";
import { record, redo, undo } from "./history.js";
import { freePlace, NOTE } from "./places.js";
import { mayEdit, NOTHING, shownFlow } from "./state.js";
import { sentenceCase } from "./wording.js";

export function createEditing(store, types, editor) {
  return {
    perform, undoLast, redoLast, select, announce, refuse,
    addNode, deleteSelected, bridgeSelected, copySelected, cutSelected, pasteText, duplicateSelected,
    toggleDisabledSelected, setSetting, rename, addNote, selectAll,
  };

  /**
   * Do one command. A refusal is told at the pointer and in the live region, and changes nothing.
   *
   * @param {{key?: string, at?: {x: number, y: number}, quiet?: boolean, flowName?: {before: string, after: string}}} [options]
   *   key: edits that coalesce; at: the pointer; flowName: what the flow, beside the drawing, was called before and is now
   * @returns the outcome, with `problem` when refused
   */
  function perform(kind, args, { key = null, at = null, quiet = false, flowName } = {}) {
    const state = store.get();
    if (!mayEdit(state)) return refuse(state.viewing ? "An opened version is read-only." : "You may look at this flow, not change it.", at);
    const outcome = apply(state.flow, kind, args, types);
    if (outcome.problem) return refuse(outcome.problem, at);
    const step = { label: outcome.label, key, at: Date.now(), before: state.flow, after: outcome.flow, flowName };
    store.set({ flow: outcome.flow, history: record(state.history, step), selection: stillThere(state.selection, outcome.flow), refusal: null });
    if (!quiet) announce(`${sentenceCase(outcome.label)}.`);
    return outcome;
  }

  function undoLast() {
    travel(undo, "Undid", "There is nothing to undo.");
  }

  function redoLast() {
    travel(redo, "Did again", "There is nothing to do again.");
  }

  function travel(direction, verb, nothing) {
    const state = store.get();
    if (!mayEdit(state)) return;
    const step = direction(state.history);
    if (!step) return announce(nothing);
    const go = () => store.set({ flow: step.flow, history: step.history, selection: stillThere(state.selection, step.flow), refusal: null });
    editor.keepFocus(go, { onWhatComes: true });
    if (step.flowName) editor.nameFlow(step.flowName);
    announce(`${verb}: ${step.label}.`);
  }

  function select(selection, { open = false } = {}) {
    store.set((state) => ({
      selection: { ...NOTHING, ...selection },
      panelOpen: open || state.panelOpen,
    }));
  }

  function selectAll() {
    const flow = shownFlow(store.get());
    select({ nodes: flow.nodes.map((node) => node.id), notes: flow.notes.map((note) => note.id) });
    announce(`${flow.nodes.length} nodes selected.`);
  }

  function announce(text) {
    // The same words twice are not read twice, unless the text differs: a no-break space makes it differ.
    store.set((state) => ({ announcement: state.announcement === text ? `${text}\u00a0` : text }));
  }

  function refuse(problem, at = null) {
    announce(problem);
    store.set({ refusal: { text: problem, ...(at ?? { x: null, y: null }) } });
    return { problem };
  }

  /** One more node of a type, near `near` where nothing is in the way, selected and with its settings open. */
  function addNode(type, { position, near, from, to, edgeId, at } = {}) {
    const { flow } = store.get();
    const node = newNode(flow, type, position ?? freePlace(flow, near ?? { x: 0, y: 0 }), types);
    const outcome = edgeId ? perform("addOnEdge", { node, edgeId }, { at }) : perform("add", { node, from, to }, { at });
    if (!outcome.problem) select({ nodes: [node.id] }, { open: true });
    return outcome.problem ? outcome : { ...outcome, node };
  }

  function deleteSelected() {
    const { nodes, edges, notes } = store.get().selection;
    if (nodes.length + edges.length + notes.length === 0) return;
    editor.keepFocus(() => perform("remove", { nodeIds: nodes, edgeIds: edges, noteIds: notes }));
  }

  function bridgeSelected() {
    const { nodes } = store.get().selection;
    if (nodes.length > 0) editor.keepFocus(() => perform("removeAndBridge", { nodeIds: nodes }));
  }

  /** The selection as text for the clipboard, null when nothing is selected. */
  function copySelected() {
    const { selection } = store.get();
    if (selection.nodes.length + selection.notes.length === 0) return null;
    announce(`Copied ${selection.nodes.length} nodes.`);
    return copy(shownFlow(store.get()), { nodeIds: selection.nodes, noteIds: selection.notes });
  }

  function cutSelected() {
    const text = copySelected();
    if (text) deleteSelected();
    return text;
  }

  function pasteText(text, at) {
    const fragment = readFragment(text);
    if (fragment) insert("paste", { fragment, at });
  }

  function duplicateSelected() {
    const { flow, selection } = store.get();
    const fragment = readFragment(copy(flow, { nodeIds: selection.nodes, noteIds: selection.notes }));
    if (fragment) insert("duplicate", { fragment });
  }

  function insert(kind, args) {
    const outcome = perform(kind, args);
    if (outcome.problem) return;
    select({ nodes: outcome.added });
    if (outcome.left.length > 0) refuse(outcome.left.join(" "));
  }

  function toggleDisabledSelected() {
    const { nodes } = store.get().selection;
    if (nodes.length > 0) perform("toggleDisabled", { nodeIds: nodes });
  }

  /** Other settings for a node; typing in one field is one step. */
  function setSetting(node, settings, field) {
    return perform("setSettings", { nodeId: node.id, values: { settings } }, { key: `${node.id}:${field}`, quiet: true });
  }

  function rename(nodeId, name) {
    return perform("rename", { nodeId, values: { name } }, { key: `${nodeId}:name`, quiet: true });
  }

  /** An empty sticky note near `near` where nothing is in the way, selected. */
  function addNote(near) {
    const note = { id: freshId("t"), text: "", position: freePlace(store.get().flow, near, NOTE) };
    const outcome = perform("addNote", { note });
    if (!outcome.problem) select({ notes: [note.id] });
    return outcome.problem ? outcome : { ...outcome, note };
  }
}

function stillThere(selection, flow) {
  const keep = (ids, parts) => {
    const there = new Set(parts.map((part) => part.id));
    const kept = ids.filter((id) => there.has(id));
    return kept.length === ids.length ? ids : kept;
  };
  const kept = { nodes: keep(selection.nodes, flow.nodes), edges: keep(selection.edges, flow.edges), notes: keep(selection.notes, flow.notes) };
  const same = Object.keys(kept).every((part) => kept[part] === selection[part]);
  return same ? selection : kept;
}
