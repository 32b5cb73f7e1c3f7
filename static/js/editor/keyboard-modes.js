/** Without dragging: moving a node by arrows, connecting by keys or by tapping two ports. */
import { fitting, refusal } from "./connecting.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";
import { GRID } from "./places.js";
import { mayEdit } from "./state.js";

export function createModes(editor) {
  const { store, types, canvas } = editor;
  return { startMoving, startConnecting, tapPort, connectEnds, keyInMode };

  function startMoving() {
    const { nodes, notes } = store.get().selection;
    const [nodeId, ...others] = [...nodes, ...notes];
    if (!nodeId || others.length > 0 || !mayEdit(store.get())) return;
    store.set({ mode: { kind: "move", nodeId } });
    editor.announce("Moving: the arrow keys move it, Escape ends.");
  }

  function startConnecting() {
    const nodeId = editor.theOne();
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
    const { flow } = store.get();
    const { x, y } = (indexed(flow).node(nodeId) ?? flow.notes.find((note) => note.id === nodeId)).position;
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
}
