/** Getting about: opening panels and menus, going to nodes and problems, walking the graph by keys. */
import { flushSync } from "react-dom";
import { downstream, upstream } from "./connecting.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";
import { CARD, centeredAt, tidyPositions } from "./places.js";
import { mayEdit, shownFlow } from "./state.js";

const COLUMN_GAP = 104;

export function createNavigating(editor) {
  const { store, types, canvas } = editor;
  return {
    openSettings, openRename, openAddMenu, openCommandPalette, addNodeHere, addNoteHere, goToNode, goToProblem, selectAlong, walk,
    theOne, tidyUp, togglePin, focusSelected, focusUser, keepFocus,
  };

  function openSettings(nodeId = theOne()) {
    if (!nodeId) return;
    editor.select({ nodes: [nodeId] }, { open: true });
    store.set({ panel: "settings" });
    focusDrawn(["#inspector-body :is(input, select, textarea, [contenteditable=true])", "#node-name"]);
  }

  function openRename(nodeId = theOne()) {
    if (!nodeId) return;
    editor.select({ nodes: [nodeId] }, { open: true });
    focusDrawn("#node-name", (field) => field.select());
  }

  /** @param {{at?: {x: number, y: number}, position?: object, from?: {nodeId: string, side: string}}} [where] */
  function openAddMenu(where = {}) {
    if (mayEdit(store.get())) store.set({ dialog: { kind: "add", ...where } });
  }

  function openCommandPalette() {
    store.set({ dialog: { kind: "commands" } });
  }

  /** One more node where the menu was opened, beside the selected node, or in the middle of what is seen. */
  function addNodeHere(type, { position, from } = {}) {
    const ends = from ? { [from.side === "source" ? "from" : "to"]: from.nodeId } : {};
    const outcome = editor.addNode(type, { ...ends, near: position && !from ? centeredAt(position) : nearby(position, from) });
    if (outcome.problem) return;
    focusDrawn(`.react-flow__node[data-id="${CSS.escape(outcome.node.id)}"]`, () => {
      if (!canvas.isSeen(outcome.node)) canvas.centerOn(outcome.node);
    });
  }

  function nearby(position, from) {
    if (position) return { x: position.x - (from.side === "target" ? CARD.width : 0), y: position.y - CARD.height / 2 };
    const beside = indexed(store.get().flow).node(theOne());
    return beside ? { x: beside.position.x + CARD.width + COLUMN_GAP, y: beside.position.y } : canvas.middle();
  }

  function addNoteHere() {
    const { note } = editor.addNote(canvas.middle());
    if (!note) return;
    focusDrawn(`.react-flow__node[data-id="${CSS.escape(note.id)}"] textarea`, () => {
      if (!canvas.isSeen(note)) canvas.centerOn(note);
    });
  }

  function goToNode(nodeId) {
    const node = indexed(shownFlow(store.get())).node(nodeId);
    if (!node) return;
    editor.select({ nodes: [nodeId] });
    canvas.centerOn(node);
    focusDrawn(`.react-flow__node[data-id="${CSS.escape(nodeId)}"]`);
  }

  /** From the checklist to the node, and to the guilty field when there is one. */
  function goToProblem({ node_id: nodeId, edge_id: edgeId, field }) {
    if (edgeId && !nodeId) return editor.select({ edges: [edgeId] });
    if (!nodeId) return;
    goToNode(nodeId);
    store.set({ panelOpen: true, panel: "settings" });
    if (!field) return;
    const its = `[data-field="${CSS.escape(field.split(".")[0])}"]`;
    focusDrawn(field === "name" ? "#node-name" : [`${its} [aria-invalid=true]`, `${its} :is(input, select, textarea, .cm-content, button)`]);
  }

  function selectAlong(direction) {
    const { selection } = store.get();
    const along = direction === "upstream" ? upstream : downstream;
    const nodes = [...along(shownFlow(store.get()), selection.nodes)];
    editor.select({ nodes });
    editor.announce(`${nodes.length} nodes selected.`);
  }

  /** Left and right walk along edges, up and down between the nodes that share a column of the walk. */
  function walk(key) {
    const flow = shownFlow(store.get());
    const here = indexed(flow).node(theOne()) ?? flow.nodes[0];
    if (!here) return;
    const next = { ArrowLeft: before, ArrowRight: after, ArrowUp: () => sibling(-1), ArrowDown: () => sibling(1) }[key]();
    if (!next) return editor.announce("No node there.");
    goTo(next);

    function before() {
      return indexed(flow).node(indexed(flow).inputs(here.id)[0]?.source);
    }
    function after() {
      return indexed(flow).node(indexed(flow).outputs(here.id)[0]?.target);
    }
    function sibling(step) {
      const column = flow.nodes.filter((node) => Math.abs(node.position.x - here.position.x) < 160).sort((a, b) => a.position.y - b.position.y);
      return column[column.findIndex((node) => node.id === here.id) + step];
    }
  }

  function goTo(node) {
    editor.select({ nodes: [node.id] });
    focusPart(node);
  }

  /** Layers from left to right; the layout library is loaded on first use. */
  async function tidyUp() {
    const dagre = await import("@dagrejs/dagre");
    const outcome = editor.perform("layOut", { positions: tidyPositions(store.get().flow, dagre) });
    if (!outcome.problem) requestAnimationFrame(() => canvas.fit());
  }

  /** Keep all that came out of a node for the next previews, or let it run again. */
  async function togglePin(nodeId = theOne()) {
    const { flow, run } = store.get();
    const node = nodeId && indexed(flow).node(nodeId);
    if (!node) return;
    if (node.pin) return void editor.perform("pin", { nodeId, values: { pin: null } });
    if (!run?.nodes[nodeId]?.top?.length) return void editor.refuse(`${nameOf(node, types)} has no output to pin yet: run it first.`);
    try {
      const items = (await editor.outputOf(nodeId)).map((item) => item.item_id);
      editor.perform("pin", { nodeId, values: { pin: { items } } });
    } catch (error) {
      editor.refuse(error.message);
    }
  }

  function focusSelected() {
    const [nodeId] = store.get().selection.nodes;
    if (nodeId) focusDrawn(`.react-flow__node[data-id="${CSS.escape(nodeId)}"]`);
  }

  function focusUser() {
    focusDrawn("#user-id");
  }

  /**
   * Make a change. Where it takes away what has the focus, the node that is read next has it then, so that Tab goes on from
   * there; and on request what the change brings, unless the focus is outside the canvas.
   */
  function keepFocus(change, { onWhatComes = false } = {}) {
    const before = partsOf(store.get().flow);
    const focused = document.activeElement ?? document.body;
    const focusedId = focused.closest(".react-flow__node")?.dataset.id;
    change();
    flushSync();
    const after = partsOf(store.get().flow);
    const isFree = focused === document.body || focused.matches("#content, .canvas *");
    const come = onWhatComes && isFree ? missing(before, after)[0] : null;
    if (come) return focusPart(come);
    const gone = missing(after, before);
    const isLost = focused !== document.body && document.activeElement === document.body;
    if (!isLost || gone.length === 0) return;
    const place = gone.find((part) => part.id === focusedId) ?? gone[0];
    const nodes = store.get().flow.nodes.toSorted(asRead);
    const next = nodes.find((node) => asRead(node, place) > 0) ?? nodes.at(-1);
    next ? focusPart(next) : focusDrawn("#content");
  }

  function focusPart(part) {
    if (!canvas.isSeen(part)) canvas.centerOn(part);
    focusDrawn(`.react-flow__node[data-id="${CSS.escape(part.id)}"]`);
  }

  /** The one selected node; nothing when several or none are. */
  function theOne() {
    const { nodes } = store.get().selection;
    return nodes.length === 1 ? nodes[0] : null;
  }
}

function partsOf({ nodes, notes }) {
  return [...nodes, ...notes];
}

/** The parts of the second list that are not in the first. */
function missing(known, parts) {
  const ids = new Set(known.map((part) => part.id));
  return parts.filter((part) => !ids.has(part.id));
}

/** From left to right, as a flow runs, and down a column. */
function asRead(a, b) {
  return a.position.x - b.position.x || a.position.y - b.position.y;
}

/**
 * Draw at once what was changed and focus it: the first of the selectors that finds something. Not in a later frame: the
 * next key, which may be pressed already, would mean something to the canvas.
 */
function focusDrawn(selectors, then = () => {}) {
  flushSync();
  const element = [selectors].flat().map((selector) => document.querySelector(selector)).find(Boolean);
  element?.focus({ preventScroll: element.classList.contains("react-flow__node") });
  if (element) then(element);
}
