/** One node on the canvas: what it is, how it fared in the run, and its ports. Drawn from the schema alone. */
import { memo } from "react";
import { Handle, Position } from "@xyflow/react";
import { html } from "../lib/html.js";
import { Icon, TypeIcon } from "../lib/icons.js";
import { problemsOfNode } from "./checking.js";
import { FailingNote } from "./failing.js";
import { nameOf } from "./node-types.js";
import { WorthChip } from "./node-worth.js";
import { PeopleAt } from "./people-list.js";
import { cardValues } from "./settings-schema.js";
import { shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { counted, describeNode, duration, sentenceCase, STATE_WORDS } from "./wording.js";

export const NodeCard = memo(function NodeCard({ id, data }) {
  const node = data.part;
  const { types, staleReason } = useEditor();
  const type = types.get(node.type);
  const run = useEditorState((state) => state.run?.nodes[id] ?? null);
  const stale = useEditorState((state) => staleReason(state, id));
  const problems = useEditorState((state) => problemsOfNode(state, types, id));
  const traced = useEditorState((state) => (state.traced ? state.traced.steps.some((step) => step.node_ids.includes(id)) : null));
  const mode = useEditorState((state) => (state.mode?.nodeId === id ? state.mode.kind : state.mode?.targetId === id ? "target" : null));
  const change = useEditorState((state) => state.comparison?.marks.get(id) ?? null);
  const description = useEditorState((state) => describeNode(node, { types, flow: shownFlow(state), run, stale, problems, failing: state.failing[id] }));
  const failing = useEditorState((state) => state.failing[id] ?? null);
  const blocking = problems.some((problem) => problem.severity === "blocking");
  const look = ["card", node.disabled && "is-disabled", !type && "is-unknown", blocking && "has-error", traced === true && "is-traced",
    traced === false && "is-faded", mode && `in-${mode}`, change && `change-${change}`, run && `run-${run.state}`, stale && "is-stale", failing && "is-failing"];
  return html`<div className=${look.filter(Boolean).join(" ")}>
    ${(!type || type.inputs.length > 0) && html`<${Port} node=${node} side="target" />`}
    <span className="visually-hidden" id=${`about-${id}`}>${description}</span>
    <div className="card-head">
      <span className="card-icon"><${TypeIcon} type=${type} /></span>
      <span className="card-words">
        <span className="card-name" title=${nameOf(node, types)}>${nameOf(node, types)}</span>
        <span className="card-sub" title=${subtitle(node, type)}>${subtitle(node, type)}</span>
      </span>
      ${node.pin && html`<span className="card-mark" title="Its output is pinned"><${Icon} name="pin" size=${14} /></span>`}
      ${problems.length > 0 && html`<span className=${`card-badge ${blocking ? "is-error" : "is-warning"}`} data-testid=${`problems-${id}`}
        title=${problems.map((problem) => problem.message).join("\n")}>${blocking ? "!" : "i"}</span>`}
    </div>
    <div className="card-foot" data-state=${run?.state ?? "idle"} title=${stale ?? run?.message ?? run?.reason ?? ""}>
      ${run ? html`<${RunLine} run=${run} stale=${stale} />` : html`<span className="card-idle">${node.disabled ? "Switched off" : type ? "Not run yet" : "Unknown to this server"}</span>`}
    </div>
    ${run?.state === "running" && html`<span className="card-progress" style=${{ "--share": run.share ?? 0 }} data-known=${run.share !== undefined} />`}
    <${FailingNote} nodeId=${id} onCard />
    <${PeopleAt} nodeId=${id} />
    <${WorthChip} nodeId=${id} />
    ${(!type || type.output) && html`<${Port} node=${node} side="source" />`}
  </div>`;
});

function RunLine({ run, stale }) {
  return html`
    <span className="state-dot" />
    <span className="card-state">${stale ? "Stale" : STATE_WORDS[run.state]}</span>
    ${run.count !== undefined && html`<span className="card-count">${counted(run.count, run.unit)}</span>`}
    ${run.message && html`<span className="card-message">${run.message}</span>`}
    ${run.warnings?.length > 0 && html`<span className="card-warning" title=${run.warnings.join("\n")}><${Icon} name="warning" size=${12} /></span>`}
    <span className="card-ms">${duration(run.ms)}</span>`;
}

function Port({ node, side }) {
  const { types, tapPort } = useEditor();
  const tap = (event) => {
    event.stopPropagation();
    event.preventDefault();
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    tapPort(node.id, side, { x: left + width / 2, y: top + height / 2 });
  };
  const fits = useEditorState(({ connecting }) => (connecting && !begunAt(connecting, node.id, side) ? fitOf(connecting, node.id, side) : null));
  const isOut = side === "source";
  return html`<${Handle} type=${side} position=${isOut ? Position.Right : Position.Left} className="port"
    data-testid=${`port-${node.id}-${isOut ? "out" : "in"}`} data-connectable=${fits === null ? undefined : String(fits)}
    role="button" tabIndex=${-1} onClick=${tap} onKeyDown=${(event) => event.key === "Enter" && tap(event)} aria-label=${`${isOut ? "Output" : "Input"} of ${nameOf(node, types)}`} />`;
}

function begunAt(connecting, nodeId, side) {
  return connecting.nodeId === nodeId && connecting.side === side;
}

/** An edge begun at an output ends at an input that may take it, and the other way round. */
function fitOf(connecting, nodeId, side) {
  return connecting.side !== side && connecting.fits.has(nodeId);
}

function subtitle(node, type) {
  if (!type) return `Unknown type: ${node.type}`;
  const label = node.name && node.name !== type.label ? [type.label] : [];
  return [...label, ...cardValues(type, node.settings)].join(" · ") || sentenceCase(type.summary);
}
