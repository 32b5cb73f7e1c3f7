/** What came out of a node in the last run: its best items and how it moved them, its time, what it wants to say, a pin. */
import { useEffect, useMemo, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { isSame } from "./equality.js";
import { RunDetails } from "./run-details.js";
import { Shift } from "./shift.js";
import { mayEdit } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { counted, duration, score, STATE_WORDS } from "./wording.js";

export function LastRun({ node }) {
  const editor = useEditor();
  const { staleReason } = editor;
  const run = useEditorState((state) => state.run?.nodes[node.id] ?? null);
  const userId = useEditorState((state) => state.run?.userId);
  const stale = useEditorState((state) => staleReason(state, node.id));
  const editable = useEditorState(mayEdit);
  const items = useEditorState((state) => state.run?.items ?? null);
  const ranked = useMemo(() => rankedBy(items, node.id), [items, node.id]);
  return html`
    ${!run && html`<p className="empty-hint">Not run yet. Enter a user below the canvas and press Run.</p>`}
    ${run && html`<dl className="facts">
      <dt>For</dt><dd>${userId || "an anonymous session"}</dd>
      <dt>State</dt><dd>${STATE_WORDS[run.state]}</dd>
      ${run.count !== undefined && html`<dt>Came out</dt><dd>${counted(run.count, run.unit)}</dd>`}
      ${run.ms !== undefined && html`<dt>Time</dt><dd>${duration(run.ms)}</dd>`}
    </dl>`}
    ${stale && html`<p className="field-warning">${stale}. Run again to see the change.</p>`}
    ${run?.message && html`<p className="field-problem" role="alert">${run.message}</p>`}
    ${run?.reason && html`<p className="field-hint">${run.reason}</p>`}
    ${run?.warnings?.map((warning) => html`<p className="field-warning" key=${warning}>${warning}</p>`)}
    ${ranked.length > 0 && html`<h3 className="field-label">How it ranked the result<span className="field-unit">place, and places moved</span></h3>
      <ol className="top-items" data-testid="ranked">${ranked.map((item) => html`<li key=${item.item_id}>
        <span className="rank">${item.rank}</span><span className="top-title" title=${item.item_id}>${item.title || item.item_id}</span><${Shift} by=${item.shift} /></li>`)}</ol>`}
    ${ranked.length === 0 && run?.top?.length > 0 && html`<${WholeList} nodeId=${node.id} run=${run} />`}
    ${run?.details && html`<${RunDetails} details=${run.details} />`}
    <div className="inspector-actions">
      <button type="button" className="button" onClick=${() => editor.run({ until: node.id })}><${Icon} name="play" size=${14} />Run to here</button>
      ${editable && html`<${PinButton} node=${node} run=${run} />`}
    </div>
    ${node.pin && html`<${PinnedList} node=${node} editable=${editable} />`}`;
}

/** The best of a node's list as the run told them; all of it is fetched when asked for. */
function WholeList({ nodeId, run }) {
  const editor = useEditor();
  const [all, setAll] = useState(null);
  useEffect(() => setAll(null), [run]);
  const items = all ?? run.top;
  const showAll = () => editor.outputOf(nodeId).then(setAll, (error) => editor.refuse(error.message));
  return html`<h3 className="field-label">${all ? "Its list" : "Best of its list"}</h3>
    <ol className="top-items">${items.map((item, index) => html`<li key=${item.item_id}>
      <span className="rank">${index + 1}</span><span className="top-title" title=${item.item_id}>${item.title || item.item_id}</span><span className="top-score">${score(item.score)}</span></li>`)}</ol>
    ${run.count > items.length && html`<button type="button" className="button is-small" onClick=${showAll}>Show all ${counted(run.count, run.unit)}</button>`}`;
}

/** The items of the result that a node gave a new place, by that place, as the steps of the run tell it. */
function rankedBy(items, nodeId) {
  const moved = (items ?? []).flatMap((item) => {
    const step = item.steps.findLast((each) => each.kind === "ranked" && each.rank_before && each.node_ids.includes(nodeId));
    return step ? [{ item_id: item.item_id, title: item.title, rank: step.rank, shift: step.rank_before - step.rank }] : [];
  });
  return moved.sort((a, b) => a.rank - b.rank);
}

function PinButton({ node, run }) {
  const editor = useEditor();
  if (node.pin) return html`<button type="button" className="button" onClick=${() => editor.togglePin(node.id)}><${Icon} name="pin" size=${14} />Unpin</button>`;
  return html`<button type="button" className="button" disabled=${!run?.top?.length} title="Use this list instead of running the node; previews only"
    onClick=${() => editor.togglePin(node.id)}><${Icon} name="pin" size=${14} />Pin its output</button>`;
}

function PinnedList({ node, editable }) {
  const editor = useEditor();
  const pinned = node.pin.items ?? [];
  const [text, setText] = useState(pinned.join("\n"));
  useEffect(() => {
    if (!isSame(linesOf(text), pinned)) setText(pinned.join("\n")); // pinned anew, or undone
  }, [node.pin]);
  const write = (event) => {
    setText(event.target.value);
    editor.perform("pin", { nodeId: node.id, values: { pin: { items: linesOf(event.target.value) } } }, { key: `${node.id}:pin`, quiet: true });
  };
  return html`<label className="field"><span className="field-label">Pinned output<span className="field-unit">item IDs, best first; previews only</span></span>
    <textarea rows="8" className="is-code" value=${text} readOnly=${!editable} onChange=${write} /></label>`;
}

function linesOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}
