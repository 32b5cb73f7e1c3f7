/** The editor's layout: header, palette, canvas with run bar and results, panel, and what opens over them. */
import { useEffect } from "react";
import { ReactFlowProvider } from "@xyflow/react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Canvas } from "./canvas.js";
import { ComparisonBanner } from "./comparison-banner.js";
import { Dialogs } from "./dialogs.js";
import { useFailing } from "./failing.js";
import { Header } from "./header.js";
import { Inspector } from "./inspector.js";
import { Palette } from "./palette.js";
import { ResultsDrawer } from "./results-drawer.js";
import { RunBar } from "./run-bar.js";
import { Toast } from "./toast.js";
import { shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";

const REFUSAL_MS = 6000;

export function Editor() {
  const name = useEditorState((state) => state.record.name);
  useFailing();
  return html`<${ReactFlowProvider}>
    <${Header} />
    <div className="workbench">
      <${Palette} />
      <main className="stage" id="content" tabIndex="-1" aria-label="Flow">
        <h1 className="visually-hidden">${name}</h1>
        <${Banner} />
        <div className="stage-canvas">
          <${Canvas} />
          <${EmptyCanvas} />
          <${ViewControls} />
          <${RunBar} />
          <${Refusal} />
          <${Toast} />
        </div>
        <${ResultsDrawer} />
      </main>
      <${Inspector} />
    </div>
    <${Dialogs} />
    <${Live} />
  </${ReactFlowProvider}>`;
}

function ViewControls() {
  const { canvas } = useEditor();
  return html`<div className="view-controls" role="group" aria-label="Zoom">
    <button type="button" className="icon-button" aria-label="Zoom in" title="Zoom in (+)" onClick=${() => canvas.zoomIn()}><${Icon} name="plus" /></button>
    <button type="button" className="icon-button" aria-label="Zoom out" title="Zoom out (−)" onClick=${() => canvas.zoomOut()}><${Icon} name="minus" /></button>
    <button type="button" className="icon-button" aria-label="Fit the flow into the view" title="Fit (1)" onClick=${() => canvas.fit()}><${Icon} name="fit" /></button>
  </div>`;
}

function EmptyCanvas() {
  const editor = useEditor();
  const empty = useEditorState((state) => shownFlow(state).nodes.length === 0);
  if (!empty) return null;
  return html`<div className="empty-canvas"><h2>An empty flow</h2>
    <p>A recommender starts with its data, goes through nodes that propose items, and ends where the list is served. Drag a node here, or press <kbd>N</kbd>.</p>
    <button type="button" className="button is-primary" onClick=${() => editor.openAddMenu()}>Add the first node</button></div>`;
}

/** A line above the canvas while it shows something else than the draft alone. */
function Banner() {
  const editor = useEditor();
  const viewing = useEditorState((state) => state.viewing);
  const comparison = useEditorState((state) => state.comparison);
  const readOnly = useEditorState((state) => state.readOnly);
  if (comparison) return html`<${ComparisonBanner} comparison=${comparison} />`;
  if (viewing) {
    return html`<div className="banner" role="status"><span>You are reading version ${viewing.number}; it cannot be changed.</span>
      ${!readOnly && html`<button type="button" className="button is-small" onClick=${() => editor.restore(viewing.number)}>Restore as draft</button>`}
      <button type="button" className="button is-small" data-testid="close-version" onClick=${() => editor.closeVersion()}>Back to the draft</button></div>`;
  }
  return readOnly ? html`<div className="banner" role="status">You may look at this flow and run it, not change it.</div>` : null;
}

/** Why something was refused: at the pointer where there was one, else above the run bar. */
function Refusal() {
  const { store } = useEditor();
  const refusal = useEditorState((state) => state.refusal);
  useEffect(() => {
    if (!refusal) return undefined;
    const timer = setTimeout(() => store.get().refusal === refusal && store.set({ refusal: null }), REFUSAL_MS);
    return () => clearTimeout(timer);
  }, [refusal]);
  if (!refusal) return null;
  const here = refusal.x === null ? undefined : { position: "fixed", left: `${Math.min(refusal.x + 12, innerWidth - 320)}px`, top: `${Math.min(refusal.y + 12, innerHeight - 90)}px` };
  return html`<div className=${`refusal-box ${here ? "" : "is-docked"}`} data-testid="refusal" style=${here}>${refusal.text}</div>`;
}

function Live() {
  const text = useEditorState((state) => state.announcement);
  return html`<div className="visually-hidden" aria-live="polite" role="status" data-testid="live">${text}</div>`;
}
