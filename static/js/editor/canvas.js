/** React Flow in, document commands out: the drawing on screen, drawn from the store and never changed by itself. */
import { useCallback, useEffect, useRef, useState } from "react";
import { Background, BackgroundVariant, MiniMap, ReactFlow, SelectionMode, useReactFlow } from "@xyflow/react";
import { html } from "../lib/html.js";
import { useEdges, useNodes } from "./canvas-elements.js";
import { canvasControls, useReady, ZOOM } from "./canvas-view.js";
import { fitting, refusal } from "./connecting.js";
import { ConnectionLine, FlowEdge } from "./edge-line.js";
import { useKeepInSight } from "./keep-in-sight.js";
import { NodeCard } from "./node-card.js";
import { NoteCard } from "./note-card.js";
import { CARD, centeredAt, GRID } from "./places.js";
import { edgeUnder, isPane, markEdgeUnder, nodeUnder, pointOf } from "./pointer.js";
import { mayEdit, shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";

const NODE_KINDS = { card: NodeCard, note: NoteCard };
const EDGE_KINDS = { line: FlowEdge };
export const DRAGGED_TYPE = "application/x-recflow-node";
const FAR = 0.6; // below this zoom cards say less, in larger letters
const TINY = 0.45; // below this one they only say their name, over a bar in the color of their state

export function Canvas() {
  const editor = useEditor();
  const { store, types } = editor;
  const flow = useEditorState(shownFlow);
  const selection = useEditorState((state) => state.selection);
  const editable = useEditorState(mayEdit);
  const [dragged, setDragged] = useState({}); // where nodes are while they are dragged: id -> position
  const measured = useRef(new Map());
  const [sizes, setSizes] = useState(0); // counts up when React Flow measured cards anew
  const nodes = useNodes(flow, selection, dragged, measured.current, sizes, editor);
  const edges = useEdges(flow, selection, types);
  const screen = useReactFlow();
  useReady(screen);
  const fitted = useRef(true); // shows the view the whole flow, untouched since?
  useEffect(() => editor.attachCanvas(canvasControls(screen, fitted)), [screen]);
  useKeepInSight(screen, fitted);

  const onNodesChange = useCallback((changes) => {
    const positions = {};
    if (changes.some((change) => change.type === "dimensions")) setSizes((count) => count + 1);
    for (const change of changes) {
      if (change.type === "dimensions" && change.dimensions) measured.current.set(change.id, change.dimensions);
      if (change.type === "position" && change.position && change.dragging) positions[change.id] = change.position;
    }
    if (Object.keys(positions).length > 0) setDragged((before) => ({ ...before, ...positions }));
    const picks = changes.filter((change) => change.type === "select");
    if (picks.length > 0) store.set((state) => ({ selection: afterPicks(state, picks) }));
  }, []);

  const onEdgesChange = useCallback((changes) => {
    const picks = changes.filter((change) => change.type === "select");
    if (picks.length > 0) store.set((state) => ({ selection: { ...state.selection, edges: picked(state.selection.edges, picks) } }));
  }, []);

  const onNodeDragStop = useCallback((_event, node, together) => {
    const positions = Object.fromEntries(together.map((each) => [each.id, each.position]));
    setDragged({});
    const before = shownFlow(store.get());
    const moved = together.some(({ id, position }) => isElsewhere(before, id, position));
    if (!moved) return;
    editor.perform("move", { positions });
    if (together.length === 1) spliceIfDroppedOnEdge(editor, node, screen);
  }, [screen]);

  const connectionStarted = useCallback((event, { nodeId, handleType }) => {
    store.set({ connecting: { nodeId, side: handleType, fits: fitting(store.get().flow, nodeId, handleType, types) }, refusal: null });
  }, []);

  const isValidConnection = useCallback(
    ({ source, target }) => refusal(store.get().flow, source, target, types) === null, []);

  const connected = useCallback(({ source, target }) => editor.perform("connect", { source, target }), []);

  const connectionEnded = useCallback((event, connection) => {
    const from = store.get().connecting;
    store.set({ connecting: null });
    if (!from || connection.isValid) return;
    const at = pointOf(event);
    const over = connection.toNode?.id ?? nodeUnder(at);
    if (over && over !== from.nodeId) return editor.connectEnds(from, over, at);
    if (over || !isPane(at)) return;
    editor.openAddMenu({ at, position: screen.screenToFlowPosition(at), from });
  }, [screen]);

  const reconnected = useCallback((edge, { source, target }) => editor.perform("reconnect", { edgeId: edge.id, source, target }), []);

  const root = useRef(null);
  const seenFrom = useCallback((_event, { zoom }) => {
    root.current?.classList.toggle("is-far", zoom < FAR);
    root.current?.classList.toggle("is-tiny", zoom < TINY);
  }, []);

  /** A click on one of several selected nodes means that one; React Flow would keep them all. */
  const onNodeClick = useCallback((event, { id, type }) => {
    const isOneOfMany = !event.ctrlKey && !event.metaKey && !event.shiftKey && store.get().selection.nodes.length > 1;
    if (type === "card") isOneOfMany ? editor.select({ nodes: [id] }, { open: true }) : store.set({ panelOpen: true });
  }, []);

  const onDrop = (event) => {
    const type = types.get(event.dataTransfer.getData(DRAGGED_TYPE));
    if (!type) return;
    event.preventDefault();
    const at = pointOf(event);
    editor.addNode(type, { position: centeredAt(screen.screenToFlowPosition(at)), edgeId: edgeUnder(at), at });
    markEdgeUnder(null);
  };

  const onDragOver = (event) => {
    if (!event.dataTransfer.types.includes(DRAGGED_TYPE)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    markEdgeUnder(pointOf(event));
  };

  const onDoubleClick = (event) => {
    if (!isPane(pointOf(event)) || !editable) return;
    const at = pointOf(event);
    editor.openAddMenu({ at, position: screen.screenToFlowPosition(at) });
  };

  return html`<div className="canvas" data-testid="canvas" onDrop=${onDrop} onDragOver=${onDragOver}
      onDragLeave=${() => markEdgeUnder(null)} onDoubleClick=${onDoubleClick}>
    <${ReactFlow}
      nodes=${nodes} edges=${edges} nodeTypes=${NODE_KINDS} edgeTypes=${EDGE_KINDS}
      onNodesChange=${onNodesChange} onEdgesChange=${onEdgesChange} onNodeDragStop=${onNodeDragStop}
      onConnect=${connected} onConnectStart=${connectionStarted} onConnectEnd=${connectionEnded}
      isValidConnection=${isValidConnection} onReconnect=${reconnected} reconnectRadius=${12}
      onNodeClick=${onNodeClick}
      onNodeDoubleClick=${(_event, node) => node.type === "card" && editor.openSettings(node.id)}
      onMoveStart=${(event) => event && (fitted.current = false)}
      onPaneClick=${() => store.set({ refusal: null, connecting: null })}
      connectionLineComponent=${ConnectionLine} connectionRadius=${28} connectOnClick=${false}
      nodesDraggable=${editable} nodesConnectable=${editable} edgesReconnectable=${editable} elementsSelectable
      selectionMode=${SelectionMode.Partial} multiSelectionKeyCode=${["Meta", "Control", "Shift"]}
      deleteKeyCode=${null} disableKeyboardA11y zoomOnDoubleClick=${false} autoPanOnNodeFocus=${false}
      onMove=${seenFrom} attributionPosition="top-right" snapToGrid=${false} minZoom=${ZOOM.least} maxZoom=${ZOOM.most} elevateNodesOnSelect=${false} nodeDragThreshold=${2}
      ref=${root} aria-label="Flow canvas">
      <${Background} variant=${BackgroundVariant.Dots} gap=${GRID} size=${1.4} />
      <${MiniMap} pannable zoomable ariaLabel="Overview of the flow" nodeClassName=${minimapClass} nodeBorderRadius=${12} />
    </${ReactFlow}>
  </div>`;
}

function afterPicks({ selection, flow }, picks) {
  const notes = new Set(flow.notes.map((note) => note.id));
  return {
    ...selection,
    nodes: picked(selection.nodes, picks.filter((pick) => !notes.has(pick.id))),
    notes: picked(selection.notes, picks.filter((pick) => notes.has(pick.id))),
  };
}

function picked(ids, picks) {
  const chosen = new Set(ids);
  for (const { id, selected } of picks) selected ? chosen.add(id) : chosen.delete(id);
  return chosen.size === ids.length && ids.every((id) => chosen.has(id)) ? ids : [...chosen];
}

function isElsewhere(flow, id, { x, y }) {
  const part = [...flow.nodes, ...flow.notes].find((each) => each.id === id);
  return part && (Math.round(x) !== part.position.x || Math.round(y) !== part.position.y);
}

/** A node without edges, dropped on an edge into which it fits, is put between its ends. */
function spliceIfDroppedOnEdge(editor, node, screen) {
  const { flow } = editor.store.get();
  if (flow.edges.some((edge) => edge.source === node.id || edge.target === node.id)) return;
  const middle = screen.flowToScreenPosition({ x: node.position.x + CARD.width / 2, y: node.position.y + CARD.height / 2 });
  const edgeId = edgeUnder(middle);
  if (edgeId) editor.perform("splice", { nodeId: node.id, edgeId }, { at: middle });
}

function minimapClass(node) {
  return node.type === "note" ? "minimap-note" : node.className;
}
