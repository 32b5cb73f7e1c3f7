/** The drawer at the bottom: for whom, the recommended list, and what is to be told of it. */
import { useRef, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Beside } from "./beside-results.js";
import { Combobox } from "./combobox.js";
import { ResultList } from "./result-list.js";
import { useEditor, useEditorState } from "./store.js";
import { marked, whom } from "./what-if.js";
import { counted, duration } from "./wording.js";

const SMALLEST = 120;

export function ResultsDrawer() {
  const { store } = useEditor();
  const open = useEditorState((state) => state.drawerOpen);
  const run = useEditorState((state) => state.run);
  const [height, setHeight] = useState(null);
  const drawer = useRef(null);
  if (!open) return null;
  const grip = {
    onPointerDown: (event) => event.currentTarget.setPointerCapture(event.pointerId),
    onPointerMove: (event) => event.currentTarget.hasPointerCapture(event.pointerId) && setHeight(clamped(drawer.current.getBoundingClientRect().bottom - event.clientY)),
    onKeyDown: (event) => {
      const step = { ArrowUp: 24, ArrowDown: -24 }[event.key];
      if (step) setHeight(clamped(drawer.current.offsetHeight + step));
    },
  };
  return html`<section className="drawer" aria-label="Results" data-testid="results" data-status=${run?.status ?? "none"} ref=${drawer} style=${height ? { height: `${height}px` } : undefined}>
    <div className="drawer-grip" role="separator" aria-orientation="horizontal" aria-label="Height of the results" aria-valuenow=${height ?? 280} aria-valuemin=${SMALLEST} aria-valuemax="900" tabIndex="0" ...${grip} />
    <${DrawerHead} run=${run} close=${() => store.set({ drawerOpen: false })} />
    <div className="drawer-body">
      <${ResultList} run=${run} />
      <${Beside} run=${run} />
    </div>
  </section>`;
}

function DrawerHead({ run, close }) {
  const editor = useEditor();
  const [itemId, setItemId] = useState("");
  const ready = run?.status === "finished";
  const ask = (value) => editor.explain(value);
  return html`<header className="drawer-head">
    <h2 className="drawer-title">${run ? html`Recommended for <b title=${run.userId}>${whom(run.userId, run.whatIf)}</b>` : "Results"}</h2>
    ${run && marked(run.whatIf) && html`<button type="button" className="what-if-mark" data-testid="what-if-results"
      aria-label=${`Reset ${marked(run.whatIf)} and run again`}
      title="This list is not for the user as they are. Press to reset and run again."
      onClick=${() => editor.asItIs({ andRun: true })}>
      ${marked(run.whatIf)}<span className="what-if-reset">Reset</span>
    </button>`}
    ${ready && html`<span className="drawer-facts">${counted(run.items.length, "item")} · ${duration(run.ms)}</span>`}
    <span className="spacer" />
    ${ready && html`<button type="button" className="button" data-testid="compare" title="The live version's list for this user beside this one" onClick=${() => editor.compareWithLive()}>Compare with live</button>`}
    ${ready && html`<div className="why-not"><${Combobox} id="why-not" testId="why-not" label="Why not this item?" placeholder="Why not… item" value=${itemId} onValue=${setItemId}
      suggest=${(text) => editor.suggestItems(text)} onEnter=${ask} describe=${(item) => ({ value: item.item_id, words: item.title || item.item_id, beside: item.item_id })} />
      <button type="button" className="button" data-testid="explain" onClick=${() => ask(itemId)}>Explain</button></div>`}
    <button type="button" className="icon-button" aria-label="Close the results" title="Close the results" onClick=${close}><${Icon} name="chevronDown" /></button>
  </header>`;
}

function clamped(height) {
  return Math.min(Math.max(height, SMALLEST), innerHeight - 160);
}
