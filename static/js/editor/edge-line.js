/** One edge: its line, how many items went along it, and its place where the order of inputs counts. */
import { memo, useEffect } from "react";
import { BaseEdge, EdgeLabelRenderer, getBezierPath, useReactFlow } from "@xyflow/react";
import { html } from "../lib/html.js";
import { problemsOf } from "./checking.js";
import { inputsOf, refusal } from "./connecting.js";
import { indexed } from "./flow-index.js";
import { inputFor, isOrdered } from "./node-types.js";
import { shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { counted } from "./wording.js";

export const FlowEdge = memo(function FlowEdge({ source, target, sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition, selected, data }) {
  const { types } = useEditor();
  const run = useEditorState((state) => state.run?.nodes[source] ?? null);
  const targetState = useEditorState((state) => state.run?.nodes[target]?.state ?? null);
  const pin = useEditorState((state) => indexed(shownFlow(state)).node(source)?.pin ?? null);
  const place = useEditorState((state) => placeOf(shownFlow(state), data.edge, types));
  const misfit = useEditorState((state) => !fits(shownFlow(state), data.edge, types) || isRefused(state, types, data.edge.id));
  const traced = useEditorState((state) => isTraced(state.traced, source, target));
  const change = useEditorState((state) => state.comparison?.edgeMarks.get(data.edge.id) ?? null);
  const [path, labelX, labelY] = getBezierPath({ sourceX, sourceY, sourcePosition, targetX, targetY, targetPosition });
  const label = pin ? `pinned · ${counted(run?.pinned ? run.count : pin.items?.length ?? 0, "item")}` : cameOut(run);
  const look = ["edge-path", selected && "is-selected", misfit && "is-misfit", traced && "is-traced", targetState === "running" && "is-running", change && `change-${change}`];
  return html`
    <${BaseEdge} path=${path} className=${look.filter(Boolean).join(" ")} interactionWidth=${22} />
    ${(label || place) && html`<${EdgeLabelRenderer}>
      <div className=${`edge-label ${traced ? "is-traced" : ""} ${label ? "" : "is-bare"}`} style=${at(labelX, labelY)}>
        ${place && html`<span className="order-badge" title=${`Input ${place} of this node`}>${place}</span>`}${label}</div>
    </${EdgeLabelRenderer}>`}`;
});

/** The line that follows the pointer while an edge is drawn: red, with the reason beside it, where it may not end. */
export function ConnectionLine({ fromX, fromY, toX, toY, fromPosition, toPosition, connectionStatus, fromNode, toNode, fromHandle }) {
  const { store, types, announce } = useEditor();
  const { getZoom } = useReactFlow();
  const [path] = getBezierPath({ sourceX: fromX, sourceY: fromY, sourcePosition: fromPosition, targetX: toX, targetY: toY, targetPosition: toPosition });
  const refused = connectionStatus === "invalid" && toNode && toNode.id !== fromNode.id;
  const ends = fromHandle.type === "source" ? [fromNode.id, toNode?.id] : [toNode?.id, fromNode.id];
  const reason = refused ? refusal(store.get().flow, ...ends, types) : null;
  useEffect(() => {
    if (reason) announce(reason);
  }, [reason]);
  return html`<g>
    <path className=${`connection-path ${reason ? "is-refused" : ""} ${connectionStatus === "valid" ? "is-valid" : ""}`} d=${path} />
    ${reason && html`<foreignObject x=${toX + 14} y=${toY + 10} width="300" height="90" className="connection-reason">
      <div className="refusal-box" data-testid="refusal" style=${{ transformOrigin: "0 0", transform: `scale(${1 / getZoom()})` }}>${reason}</div>
    </foreignObject>`}
  </g>`;
}

function cameOut(run) {
  return run?.count === undefined ? null : counted(run.count, run.unit);
}

function at(x, y) {
  return { transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` };
}

function placeOf(flow, edge, types) {
  if (!isOrdered(types.get(indexed(flow).node(edge.target)?.type))) return null;
  const inputs = inputsOf(flow, edge.target);
  return inputs.length > 1 ? inputs.findIndex((each) => each.id === edge.id) + 1 : null;
}

function fits(flow, edge, types) {
  const [source, target] = [edge.source, edge.target].map((id) => indexed(flow).node(id));
  return inputFor(types.get(source?.type), types.get(target?.type)) !== null;
}

/** Has the server's check something against it, such as one input too many? */
function isRefused(state, types, edgeId) {
  return problemsOf(state, types).some((problem) => problem.edge_id === edgeId && problem.severity === "blocking");
}

function isTraced(item, source, target) {
  if (!item) return false;
  const touched = new Set(item.steps.flatMap((step) => step.node_ids));
  return touched.has(source) && touched.has(target);
}
