/** Getting about: opening panels and menus, walking the graph by keys, and the two keyboard modes. */
import { downstream, fitting, refusal, upstream } from "./connecting.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";
import { CARD, centeredAt, GRID, tidyPositions } from "./places.js";
import { mayEdit, shownFlow } from "./state.js";

export function createNavigating(editor) {
  const { store, types, canvas } = editor;
  return {
    openSettings, openRename, openAddMenu, openCommandPalette, addNodeHere, addNoteHere, goToNode, goToProblem, selectAlong, walk,
    startMoving, startConnecting, tapPort, connectEnds, keyInMode, tidyUp, togglePin,
  };

  function openSettings(nodeId = theOne()) {
    if (!nodeId) return;
    editor.select({ nodes: [nodeId] }, { open: true });
    store.set({ panel: "settings" });
    focusSoon(["#inspector-body :is(input, select, textarea, [contenteditable=true])", "#node-name"]);
  }

  function openRename(nodeId = theOne()) {
    if (!nodeId) return;
    editor.select({ nodes: [nodeId] }, { open: true });
    focusSoon("#node-name", (field) => field.select());
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
    focusSoon(`.react-flow__node[data-id="${CSS.escape(outcome.node.id)}"]`, () => {
      if (!canvas.isSeen(outcome.node)) canvas.centerOn(outcome.node);
    });
  }

  function nearby(position, from) {
    if (position) return { x: position.x - (from.side === "target" ? CARD.width : 0), y: position.y - CARD.height / 2 };
    return canvas.middle();
  }

  function addNoteHere() {
    editor.addNote(canvas.middle());
  }

  function goToNode(nodeId) {
    const node = indexed(shownFlow(store.get())).node(nodeId);
    if (!node) return;
    editor.select({ nodes: [nodeId] });
    canvas.centerOn(node);
    focusSoon(`.react-flow__node[data-id="${CSS.escape(nodeId)}"]`);
  }

  /** From the checklist to the node, and to the guilty field when there is one. */
  function goToProblem({ node_id: nodeId, edge_id: edgeId, field }) {
    if (edgeId && !nodeId) return editor.select({ edges: [edgeId] });
    if (!nodeId) return;
    goToNode(nodeId);
    store.set({ panelOpen: true, panel: "settings" });
    if (!field) return;
    const name = CSS.escape(field.split(".")[0]);
    focusSoon(field === "name" ? "#node-name" : `[data-field="${name}"] :is(input, select, textarea, [contenteditable])`);
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
    if (!canvas.isSeen(node)) canvas.centerOn(node);
    focusSoon(`.react-flow__node[data-id="${CSS.escape(node.id)}"]`);
  }

  function startMoving() {
    const nodeId = theOne();
    if (!nodeId || !mayEdit(store.get())) return;
    store.set({ mode: { kind: "move", nodeId } });
    editor.announce("Moving: arrow keys move the node, Escape ends.");
  }

  function startConnecting() {
    const nodeId = theOne();
    if (!nodeId || !mayEdit(store.get())) return;
    const flow = store.get().flow;
    const targets = flow.nodes.filter((node) => node.id !== nodeId);
    if (targets.length === 0) return editor.announce("There is no other node to connect to.");
    const first = Math.max(0, targets.findIndex((node) => refusal(flow, nodeId, node.id, types) === null));
    store.set({ mode: { kind: "connect", nodeId, targets: targets.map((node) => node.id), targetId: targets[first].id }, connecting: { nodeId, side: "source", fits: fitting(flow, nodeId, "source", types) } });
    sayTarget();
  }

  /** Tapped (or Enter on) a port: the first begins an edge, the second ends it; the same one again forgets it. */
  function tapPort(nodeId, side, at) {
    const { flow, connecting } = store.get();
    if (!mayEdit(store.get())) return;
    if (connecting && connecting.nodeId !== nodeId) {
      store.set({ connecting: null });
      connectEnds(connecting, nodeId, at);
    } else if (connecting) {
      store.set({ connecting: null });
      editor.announce("Connecting ended.");
    } else {
      store.set({ connecting: { nodeId, side, fits: fitting(flow, nodeId, side, types) }, refusal: null });
      editor.announce(`Choose a port to connect ${nameOf(indexed(flow).node(nodeId), types)} with.`);
    }
  }

  /** Draw the edge between the end where it was begun and another node. */
  function connectEnds(from, nodeId, at) {
    const ends = from.side === "source" ? { source: from.nodeId, target: nodeId } : { source: nodeId, target: from.nodeId };
    editor.perform("connect", ends, { at });
  }

  /** Does a keyboard mode take this key? */
  function keyInMode(event) {
    const { mode } = store.get();
    if (!mode) return false;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape" || event.key === "Tab") endMode();
    else if (mode.kind === "move" && event.key === "Enter") endMode();
    else if (mode.kind === "move" && arrow) moveBy(mode.nodeId, arrow);
    else if (mode.kind === "connect" && arrow) chooseTarget(arrow[0] + arrow[1]);
    else if (mode.kind === "connect" && event.key === "Enter") connectChosen();
    else return false;
    event.preventDefault();
    return true;
  }

  function moveBy(nodeId, [dx, dy]) {
    const { x, y } = indexed(store.get().flow).node(nodeId).position;
    const position = { x: x + dx * GRID, y: y + dy * GRID };
    editor.perform("move", { positions: { [nodeId]: position } }, { key: `${nodeId}:move`, quiet: true });
    editor.announce(`At ${position.x}, ${position.y}.`);
  }

  function chooseTarget(step) {
    const { mode } = store.get();
    const index = mode.targets.indexOf(mode.targetId);
    store.set({ mode: { ...mode, targetId: mode.targets[(index + step + mode.targets.length) % mode.targets.length] } });
    sayTarget();
  }

  function sayTarget() {
    const { mode, flow } = store.get();
    const problem = refusal(flow, mode.nodeId, mode.targetId, types);
    const target = indexed(flow).node(mode.targetId);
    if (!canvas.isSeen(target)) canvas.centerOn(target);
    editor.announce(problem ?? `Connect to ${nameOf(target, types)}? Enter connects, arrows choose another, Escape cancels.`);
  }

  function connectChosen() {
    const { mode } = store.get();
    endMode();
    editor.perform("connect", { source: mode.nodeId, target: mode.targetId });
  }

  function endMode() {
    const { mode } = store.get();
    store.set({ mode: null, connecting: null });
    canvas.focus(mode.nodeId);
    editor.announce(mode.kind === "move" ? "Moving ended." : "Connecting ended.");
  }

  /** Layers from left to right; the layout library is loaded on first use. */
  async function tidyUp() {
    const dagre = await import("@dagrejs/dagre");
    const outcome = editor.perform("layOut", { positions: tidyPositions(store.get().flow, dagre) });
    if (!outcome.problem) requestAnimationFrame(() => canvas.fit());
  }

  /** Keep what came out of a node for the next previews, or let it run again. */
  function togglePin(nodeId = theOne()) {
    const { flow, run } = store.get();
    const node = nodeId && indexed(flow).node(nodeId);
    if (!node) return;
    const items = run?.nodes[nodeId]?.top?.map((item) => item.item_id);
    if (!node.pin && !items?.length) return editor.refuse(`${nameOf(node, types)} has no output to pin yet: run it first.`);
    editor.perform("pin", { nodeId, values: { pin: node.pin ? null : { items } } });
  }

  /** The one selected node; nothing when several or none are. */
  function theOne() {
    const { nodes } = store.get().selection;
    return nodes.length === 1 ? nodes[0] : null;
  }
}

/** Focus what the next drawing will show: the first of the selectors that finds something. */
function focusSoon(selectors, then = () => {}) {
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const element = [selectors].flat().map((selector) => document.querySelector(selector)).find(Boolean);
    element?.focus({ preventScroll: element.classList.contains("react-flow__node") });
    if (element) then(element);
  }));
}
