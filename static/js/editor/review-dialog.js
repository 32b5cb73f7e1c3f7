/** Activation as a reviewed release: what blocks, what changes against the live version, and a word about why. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Modal } from "./modal.js";
import { nameOf } from "./node-types.js";
import { useEditor, useEditorState } from "./store.js";
import { counted, fieldName, shortValue } from "./wording.js";

export function ReviewDialog({ dialog }) {
  const editor = useEditor();
  const { store } = editor;
  const [review, setReview] = useState(null);
  const [error, setError] = useState(null);
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    editor.review(dialog.version).then(setReview, (failure) => setError(failure.message));
  }, []);
  const blocking = review?.problems.filter((problem) => problem.severity === "blocking") ?? [];
  const activate = async () => {
    setBusy(true);
    setError(null);
    try {
      await editor.activate({ version: dialog.version, note });
    } catch (failure) {
      setError(failure.message);
      if (failure.body?.problems) setReview({ ...review, problems: failure.body.problems });
    } finally {
      setBusy(false);
    }
  };
  const flow = store.get().flow;
  const what = dialog.version ? `version ${dialog.version}` : "this draft";
  return html`<${Modal} title=${`Activate ${what}`} testId="review" wide
    foot=${html`<button type="button" className="button" onClick=${() => store.set({ dialog: null })}>Not now</button><span className="spacer" />
      <button type="button" className="button is-primary" data-testid="confirm-activate" disabled=${!review || blocking.length > 0 || busy} onClick=${activate}>${busy ? "Activating…" : "Activate"}</button>`}>
    ${error && html`<p className="field-problem" role="alert">${error}</p>`}
    ${!review && !error && html`<p className="empty-hint" aria-busy="true">Comparing with what is live…</p>`}
    ${review && html`
      ${blocking.length > 0 && html`<section data-testid="blocking"><h3 className="review-title is-blocking">${counted(blocking.length, "problem")} in the way</h3>
        <ul className="checklist-rows">${blocking.map((problem, index) => html`<li key=${index}><button type="button" className="checklist-row is-blocking" onClick=${() => { store.set({ dialog: null }); editor.goToProblem(problem); }}><span className="state-dot" /><span>${problem.message}</span></button></li>`)}</ul></section>`}
      <${Changes} review=${review} />
      ${review.active && blocking.length === 0 && html`<${SampleResults} version=${dialog.version} flow=${flow} />`}
      <label className="field"><span className="field-label">Note<span className="field-unit">for the log</span></span>
        <input type="text" value=${note} maxLength="500" placeholder="What is new and why" onChange=${(event) => setNote(event.target.value)} /></label>
      <p className="field-hint">From this moment the REST API serves ${what}. The version that is live now stays in the list; one click there brings it back.</p>`}
  </${Modal}>`;
}

/** For some users: how much of the top 10 is not the same as now. */
function SampleResults({ version, flow }) {
  const editor = useEditor();
  const [rows, setRows] = useState([]);
  const [state, setState] = useState("running");
  useEffect(() => {
    let wanted = true;
    const take = (row) => wanted && setRows((before) => [...before, row]);
    const document = version ? editor.versionDocument(version) : Promise.resolve(flow);
    document.then((found) => editor.sampleDifference(found, take)).then(() => wanted && setState("done"), (error) => wanted && setState(error.message));
    return () => {
      wanted = false;
    };
  }, []);
  return html`<section data-testid="sample" aria-busy=${state === "running"}><h3 className="review-title">The top 10 of some users</h3>
    ${rows.length > 0 && html`<table className="change-table"><thead><tr><th>User</th><th>Entered</th><th>Left</th><th>Moved</th></tr></thead><tbody>
      ${rows.map((row) => html`<tr key=${row.userId}><td>${row.userId}</td><td title=${titles(row.entered)}>${row.entered.length}</td><td title=${titles(row.left)}>${row.left.length}</td><td>${row.moved.length}</td></tr>`)}
    </tbody></table>`}
    ${state === "running" && html`<p className="field-hint">Running both drawings…</p>`}
    ${!["running", "done"].includes(state) && html`<p className="field-warning">${state}</p>`}
  </section>`;
}

function titles(items) {
  return items.map((item) => item.title || item.item_id).join("\n");
}

function Changes({ review }) {
  const { types } = useEditor();
  const flow = useEditorState((state) => state.flow);
  const { changes, active } = review;
  if (!active) return html`<p className="field-hint">Nothing drawn here is live yet: everything is new.</p>`;
  const named = (node) => (typeof node === "string" ? nodeName(flow, node, types) : nameOf(node, types));
  const rows = [
    ...changes.added.map((node) => ["Added", named(node), ""]),
    ...changes.removed.map((node) => ["Removed", named(node), ""]),
    ...changes.edges_added.map((edge) => ["Edge added", edgeWords(flow, edge, types), ""]),
    ...changes.edges_removed.map((edge) => ["Edge removed", edgeWords(flow, edge, types), ""]),
  ];
  const nothing = rows.length + changes.changed.length === 0;
  return html`<section data-testid="changes"><h3 className="review-title">${nothing ? "Same drawing as the live version" : "What changes"}</h3>
    ${!nothing && html`<table className="change-table"><thead><tr><th>Change</th><th>Where</th><th>Live now</th><th>From now on</th></tr></thead><tbody>
      ${rows.map(([kind, where], index) => html`<tr key=${index}><td><span className=${`change-tag is-${kind.split(" ").at(-1).toLowerCase()}`}>${kind}</span></td><td>${where}</td><td></td><td></td></tr>`)}
      ${changes.changed.map((change, index) => html`<tr key=${`c${index}`}><td><span className="change-tag is-changed">Changed</span></td><td>${change.name || nodeName(flow, change.node_id, types)} · ${fieldName(change.field)}</td>
        <td><code>${shortValue(change.before)}</code></td><td><code>${shortValue(change.after)}</code></td></tr>`)}
    </tbody></table>`}
    ${changes.moved.length > 0 && html`<p className="field-hint">${counted(changes.moved.length, "node")} only moved on the canvas.</p>`}
  </section>`;
}

function nodeName(flow, id, types) {
  const node = flow.nodes.find((each) => each.id === id);
  return node ? nameOf(node, types) : id;
}

function edgeWords(flow, edge, types) {
  return `${nodeName(flow, edge.source, types)} → ${nodeName(flow, edge.target, types)}`;
}
