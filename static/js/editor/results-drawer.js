/** The recommended list of the chosen user, where each item comes from, and what the user did lately. */
import { useRef, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Combobox } from "./combobox.js";
import { indexed } from "./flow-index.js";
import { Journey } from "./journey.js";
import { familyIndex, nameOf } from "./node-types.js";
import { isOver } from "./run-state.js";
import { useEditor, useEditorState } from "./store.js";
import { counted, dateTime, duration, score } from "./wording.js";

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
    <h2 className="drawer-title">${run ? html`Recommended for <b title=${run.userId}>${run.userId}</b>` : "Results"}</h2>
    ${ready && html`<span className="drawer-facts">${counted(run.items.length, "item")} · ${duration(run.ms)}</span>`}
    <span className="spacer" />
    ${ready && html`<button type="button" className="button" data-testid="compare" title="The live version's list for this user beside this one" onClick=${() => editor.compareWithLive()}>Compare with live</button>`}
    ${ready && html`<div className="why-not"><${Combobox} id="why-not" testId="why-not" label="Why not this item?" placeholder="Why not… item" value=${itemId} onValue=${setItemId}
      suggest=${(text) => editor.suggestItems(text)} onEnter=${ask} describe=${(item) => ({ value: item.item_id, words: item.title || item.item_id, beside: item.item_id })} />
      <button type="button" className="button" data-testid="explain" onClick=${() => ask(itemId)}>Explain</button></div>`}
    <button type="button" className="icon-button" aria-label="Close the results" title="Close the results" onClick=${close}><${Icon} name="chevronDown" /></button>
  </header>`;
}

function ResultList({ run }) {
  const editor = useEditor();
  const flow = run?.flow;
  const traced = useEditorState((state) => state.traced);
  if (!run) return html`<p className="empty-hint drawer-empty">Choose a user below the canvas and press Run: the drawing as it stands is run for them, live traffic is not touched.</p>`;
  if (!isOver(run)) return html`<p className="empty-hint drawer-empty" aria-busy="true">${run.status === "sent" ? "Waiting for the server…" : "Running…"}</p>`;
  if (run.status !== "finished") {
    const words = run.status === "cancelled" ? ["The run was cancelled; nodes that had finished keep their results."] : run.problems.map((problem) => problem.message);
    return html`<div className="drawer-empty">${words.map((word) => html`<p key=${word} className=${run.status === "cancelled" ? "empty-hint" : "field-problem"}>${word}</p>`)}</div>`;
  }
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const rows = [...event.currentTarget.querySelectorAll(".result")];
    rows[rows.indexOf(document.activeElement) + step]?.focus();
  };
  return html`<div className="result-column">
    ${run.note && html`<p className="run-note">${run.note}</p>`}
    ${run.degraded.map((text) => html`<p className="field-warning run-note" key=${text}>${text}</p>`)}
    ${run.items.length === 0 && html`<p className="empty-hint drawer-empty">Nothing came out for this user. The counts on the canvas show where the list ran dry.</p>`}
    <ol className="result-list" onKeyDown=${onKeyDown}>
      ${run.items.map((item) => html`<${Result} key=${item.item_id} item=${item} flow=${flow} isOpen=${traced?.item_id === item.item_id} onOpen=${() => editor.trace(item)} />`)}
    </ol>
  </div>`;
}

function Result({ item, flow, isOpen, onOpen }) {
  const proposals = item.steps.filter((step) => step.kind === "proposed");
  const shift = shiftOf(item);
  return html`<li>
    <button type="button" className=${`result ${isOpen ? "is-open" : ""}`} aria-pressed=${isOpen} data-testid=${`result-${item.item_id}`} onClick=${onOpen}>
      <span className="rank">${item.rank}</span>
      <span className="result-words">
        <span className="result-title" title=${item.title || item.item_id}>${item.title || item.item_id}</span>
        <span className="result-sub"><span className="result-id">${item.item_id}</span>${(item.categories ?? []).slice(0, 3).map((category) => html`<span className="tag" key=${category}>${category}</span>`)}</span>
      </span>
      <span className="result-origins">${proposals.slice(0, 4).map((step, index) => html`<${Origin} key=${index} step=${step} flow=${flow} />`)}
        ${proposals.length > 4 && html`<span className="origin">+${proposals.length - 4}</span>`}</span>
      <span className=${`result-shift ${shift > 0 ? "is-up" : shift < 0 ? "is-down" : ""}`} title=${shiftWords(shift)}>${shift ? html`<${Icon} name=${shift > 0 ? "chevronUp" : "chevronDown"} size=${12} />${Math.abs(shift)}` : ""}</span>
      <span className="result-score" title="Score">${score(item.score)}</span>
    </button>
  </li>`;
}

function Origin({ step, flow }) {
  const { types } = useEditor();
  const node = indexed(flow).node(step.node_ids.at(-1));
  const name = node ? nameOf(node, types) : step.node_ids.at(-1);
  return html`<span className=${`origin family-${familyIndex(types, types.get(node?.type))}`} title=${`Proposed by ${name} at rank ${step.rank}`}><span className="origin-name">${name}</span> #${step.rank}</span>`;
}

function Beside({ run }) {
  const traced = useEditorState((state) => state.traced);
  const explained = useEditorState((state) => state.explained);
  const compared = useEditorState((state) => state.compared);
  const user = useEditorState((state) => state.user);
  if (explained) return html`<aside className="beside" tabIndex="0" aria-label="Why not"><${Explanation} explained=${explained} flow=${run.flow} /></aside>`;
  if (compared) return html`<aside className="beside" tabIndex="0" aria-label="Compared with the live version" data-testid="compared"><${Comparison} compared=${compared} /></aside>`;
  if (traced) return html`<aside className="beside" tabIndex="0" aria-label="Journey of the item"><h3 className="beside-title">${traced.title || traced.item_id}</h3><${Journey} item=${traced} flow=${run.flow} /></aside>`;
  if (!user || user.user_id !== run?.userId) return html`<aside className="beside" tabIndex="0" aria-label="About the user"><p className="empty-hint">Choose an item to see its way through the graph.</p></aside>`;
  return html`<aside className="beside" tabIndex="0" aria-label="About the user">
    <h3 className="beside-title">Recent feedback of ${user.user_id}</h3>
    ${!user.known && html`<p className="empty-hint">Nobody with this ID is known.</p>`}
    ${user.known && user.recent.length === 0 && html`<p className="empty-hint">No feedback yet: a cold start.</p>`}
    <ul className="feedback-list">${user.recent.map((entry, index) => html`<li key=${index}>
      <span className="tag">${entry.type}${entry.value !== null && entry.value !== undefined && entry.value !== 0 ? ` ${Number(entry.value.toFixed(2))}` : ""}</span>
      <span className="feedback-title" title=${entry.item_id}>${entry.title || entry.item_id}</span><time>${dateTime(entry.time)}</time></li>`)}</ul>
  </aside>`;
}

function Comparison({ compared }) {
  if (compared.waiting) return html`<p className="empty-hint" aria-busy="true">Running the live version…</p>`;
  if (compared.problem) return html`<p className="field-problem">${compared.problem}</p>`;
  const rows = [["entered", "Entered", (item) => `#${item.rank}`], ["left", "Left", (item) => `was #${item.rank}`], ["moved", "Moved", (item) => `#${item.from} → #${item.to}`]];
  const same = rows.every(([key]) => compared[key].length === 0);
  return html`<h3 className="beside-title">Against ${compared.label}</h3>
    ${same && html`<p className="empty-hint">The live version gives the same list.</p>`}
    ${rows.filter(([key]) => compared[key].length > 0).map(([key, label, place]) => html`<section key=${key} className="compared" data-testid=${key}>
      <h4 className="group-title">${label} <span className="count">${compared[key].length}</span></h4>
      <ul className="feedback-list">${compared[key].map((item) => html`<li key=${item.item_id} data-item=${item.item_id}><span className="feedback-title" title=${item.item_id}>${item.title || item.item_id}</span><span className="compared-place">${place(item)}</span></li>`)}</ul></section>`)}`;
}

function Explanation({ explained, flow }) {
  if (explained.waiting) return html`<p className="empty-hint" aria-busy="true">Asking…</p>`;
  return html`<h3 className="beside-title">Why not ${explained.title || explained.item_id}?</h3>
    <p className="verdict" data-testid="verdict">${explained.verdict}</p>
    <${Journey} item=${{ ...explained, rank: null }} flow=${flow} />`;
}

/** How many places the last ranker moved the item up. */
function shiftOf(item) {
  const ranked = item.steps.filter((step) => step.kind === "ranked" && step.rank_before).at(-1);
  return ranked ? ranked.rank_before - ranked.rank : 0;
}

function shiftWords(shift) {
  if (!shift) return "Not moved by a ranker";
  return `Moved ${shift > 0 ? "up" : "down"} ${counted(Math.abs(shift), "place")} by the last ranker`;
}

function clamped(height) {
  return Math.min(Math.max(height, SMALLEST), innerHeight - 160);
}
