/** React Flow in, document commands out: the drawing on screen, drawn from the store and never changed by itself. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Background, BackgroundVariant, MiniMap, ReactFlow, SelectionMode, useNodesInitialized, useReactFlow } from "@xyflow/react";
import { html } from "../lib/html.js";
import { fitting, refusal } from "./connecting.js";
import { ConnectionLine, FlowEdge } from "./edge-line.js";
import { familyIndex, nameOf } from "./node-types.js";
import { NodeCard } from "./node-card.js";
import { NoteCard } from "./note-card.js";
import { CARD, centeredAt, GRID, NOTE } from "./places.js";
import { mayEdit, shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";

const NODE_KINDS = { card: NodeCard, note: NoteCard };
const EDGE_KINDS = { line: FlowEdge };
export const DRAGGED_TYPE = "application/x-recflow-node";
const FIT = { padding: 0.12, maxZoom: 1 };

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
  useFitBesideDrawer(screen, fitted);

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
      onNodeClick=${(_event, node) => node.type === "card" && store.set({ panelOpen: true })}
      onNodeDoubleClick=${(_event, node) => node.type === "card" && editor.openSettings(node.id)}
      onMoveStart=${(event) => event && (fitted.current = false)}
      onPaneClick=${() => store.set({ refusal: null, connecting: null })}
      connectionLineComponent=${ConnectionLine} connectionRadius=${28} connectOnClick=${false}
      nodesDraggable=${editable} nodesConnectable=${editable} edgesReconnectable=${editable} elementsSelectable
      selectionMode=${SelectionMode.Partial} multiSelectionKeyCode=${["Meta", "Control", "Shift"]}
      deleteKeyCode=${null} disableKeyboardA11y zoomOnDoubleClick=${false} autoPanOnNodeFocus=${false}
      snapToGrid=${false} minZoom=${0.1} maxZoom=${2} elevateNodesOnSelect=${false} nodeDragThreshold=${2}
      aria-label="Flow canvas">
      <${Background} variant=${BackgroundVariant.Dots} gap=${GRID} size=${1.4} />
      <${MiniMap} pannable zoomable ariaLabel="Overview of the flow" nodeClassName=${minimapClass} nodeBorderRadius=${12} />
    </${ReactFlow}>
  </div>`;
}

/** What other parts may ask of the canvas. */
function canvasControls(screen, fitted) {
  const duration = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200);
  const pane = () => document.querySelector(".react-flow").getBoundingClientRect();
  return {
    fit() {
      fitted.current = true;
      return screen.fitView({ ...FIT, duration: duration() });
    },
    zoomIn: () => screen.zoomIn({ duration: duration() }),
    zoomOut: () => screen.zoomOut({ duration: duration() }),
    resetZoom: () => screen.zoomTo(1, { duration: duration() }),
    centerOn(node) {
      fitted.current = false;
      const { x, y } = node.position;
      return screen.setCenter(x + CARD.width / 2, y + CARD.height / 2, { zoom: Math.max(screen.getZoom(), 0.8), duration: duration() });
    },
    focus: (nodeId) => document.querySelector(`.react-flow__node[data-id="${CSS.escape(nodeId)}"]`)?.focus({ preventScroll: true }),
    /** The middle of what is seen, as a place for a new card. */
    middle() {
      const box = pane();
      return centeredAt(screen.screenToFlowPosition({ x: box.left + box.width / 2, y: box.top + box.height / 2 }));
    },
    middleOnScreen() {
      const box = pane();
      return { x: box.left + box.width / 2, y: box.top + box.height / 3 };
    },
    isSeen(node) {
      const box = pane();
      const corner = screen.flowToScreenPosition(node.position);
      const far = screen.flowToScreenPosition({ x: node.position.x + CARD.width, y: node.position.y + CARD.height });
      return corner.x >= box.left && corner.y >= box.top && far.x <= box.right && far.y <= box.bottom;
    },
  };
}

/** The results take room from the canvas: a flow that was seen whole, and not edited since, is seen whole again. */
function useFitBesideDrawer(screen, fitted) {
  const open = useEditorState((state) => state.drawerOpen);
  const flow = useEditorState((state) => state.flow);
  const first = useRef(flow);
  useEffect(() => {
    if (flow !== first.current) fitted.current = false;
  }, [flow]);
  useEffect(() => {
    if (fitted.current) requestAnimationFrame(() => screen.fitView(FIT));
  }, [open]);
}

/** React Flow's nodes, made anew only where something about them changed, so that the others are not drawn again. */
function useNodes(flow, selection, dragged, measured, sizes, editor) {
  const cache = useRef(new Map());
  return useMemo(() => {
    const [nodes, notes] = [new Set(selection.nodes), new Set(selection.notes)];
    const fresh = new Map();
    const current = selection.nodes.find((id) => flow.nodes.some((node) => node.id === id)) ?? flow.nodes[0]?.id;
    const keep = (part, kind, selected) => {
      const position = dragged[part.id] ?? part.position;
      const old = cache.current.get(part.id);
      const size = measured.get(part.id);
      const tabIndex = kind === "note" || part.id === current ? 0 : -1;
      const same = old && old.data.part === part && old.selected === selected && old.position === position && old.measured === size
        && old.domAttributes.tabIndex === tabIndex;
      const made = same ? old : reactFlowNode(part, kind, { position, selected, size, tabIndex }, editor);
      fresh.set(part.id, made);
      return made;
    };
    const result = [
      ...flow.notes.map((note) => keep(note, "note", notes.has(note.id))),
      ...flow.nodes.map((node) => keep(node, "card", nodes.has(node.id))),
    ];
    cache.current = fresh;
    return result;
  }, [flow, selection, dragged, sizes]);
}

function reactFlowNode(part, kind, { position, selected, size, tabIndex }, { types }) {
  const isNote = kind === "note";
  return {
    id: part.id, type: kind, position, selected, data: { part }, measured: size, ...(isNote ? NOTE : CARD),
    ariaLabel: isNote ? `Note: ${part.text || "empty"}` : undefined,
    ariaRole: "group", zIndex: isNote ? 0 : 1, connectable: !isNote,
    className: isNote ? "" : `family-${familyIndex(types, types.get(part.type))}`,
    domAttributes: isNote
      ? { "data-testid": `note-${part.id}`, tabIndex, "aria-roledescription": "sticky note" }
      : { "data-testid": `node-${part.id}`, tabIndex, "aria-labelledby": `about-${part.id}` },
  };
}

function useEdges(flow, selection, types) {
  const cache = useRef(new Map());
  return useMemo(() => {
    const selected = new Set(selection.edges);
    const nodes = new Map(flow.nodes.map((node) => [node.id, node]));
    const fresh = new Map();
    const result = flow.edges.filter((edge) => nodes.has(edge.source) && nodes.has(edge.target)).map((edge) => {
      const old = cache.current.get(edge.id);
      const label = `${nameOf(nodes.get(edge.source), types)} feeds ${nameOf(nodes.get(edge.target), types)}`;
      const same = old && old.data.edge === edge && old.selected === selected.has(edge.id) && old.ariaLabel === label;
      const made = same ? old : {
        id: edge.id, type: "line", source: edge.source, target: edge.target, data: { edge }, selected: selected.has(edge.id),
        ariaLabel: label, focusable: true, domAttributes: { "data-testid": `edge-${edge.source}-${edge.target}`, tabIndex: -1 },
      };
      fresh.set(edge.id, made);
      return made;
    });
    cache.current = fresh;
    return result;
  }, [flow, selection]);
}

/** Once every card is drawn, show the whole flow and say so on <html>. */
function useReady(screen) {
  const initialized = useNodesInitialized();
  const { store } = useEditor();
  const isEmpty = useEditorState((state) => shownFlow(state).nodes.length === 0);
  useEffect(() => {
    if (document.documentElement.dataset.ready || !(initialized || isEmpty)) return;
    if (!isEmpty) screen.fitView(FIT);
    document.documentElement.dataset.ready = "1";
    performance.mark("editor-ready");
  }, [initialized, isEmpty]);
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

export function pointOf(event) {
  const touch = event.changedTouches?.[0] ?? event;
  return { x: touch.clientX, y: touch.clientY };
}

function nodeUnder({ x, y }) {
  return document.elementFromPoint(x, y)?.closest(".react-flow__node")?.dataset.id ?? null;
}

function edgeUnder({ x, y }) {
  const found = document.elementsFromPoint(x, y).map((element) => element.closest(".react-flow__edge")).find(Boolean);
  return found?.dataset.id ?? null;
}

function markEdgeUnder(at) {
  const id = at && edgeUnder(at);
  for (const edge of document.querySelectorAll(".react-flow__edge.is-target")) if (edge.dataset.id !== id) edge.classList.remove("is-target");
  if (id) document.querySelector(`.react-flow__edge[data-id="${CSS.escape(id)}"]`)?.classList.add("is-target");
}

function isPane({ x, y }) {
  const element = document.elementFromPoint(x, y);
  return Boolean(element?.classList.contains("react-flow__pane") || element?.classList.contains("react-flow__background"));
}

function minimapClass(node) {
  return node.type === "note" ? "minimap-note" : node.className;
}
