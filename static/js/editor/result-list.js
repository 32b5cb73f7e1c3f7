/** The recommended items, best first, each with who proposed it and how far the last ranker moved it. */
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { indexed } from "./flow-index.js";
import { familyIndex, nameOf } from "./node-types.js";
import { isOver } from "./run-state.js";
import { useEditor, useEditorState } from "./store.js";
import { counted, score } from "./wording.js";

export function ResultList({ run }) {
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
    <ol onKeyDown=${onKeyDown}>
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
      <span className=${`result-shift ${shift > 0 ? "is-up" : shift < 0 ? "is-down" : ""}`} title=${shiftWords(shift)}>
        ${shift ? html`<${Icon} name=${shift > 0 ? "chevronUp" : "chevronDown"} size=${12} />${Math.abs(shift)}` : ""}
      </span>
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

/** How many places the last ranker moved the item up. */
function shiftOf(item) {
  const ranked = item.steps.filter((step) => step.kind === "ranked" && step.rank_before).at(-1);
  return ranked ? ranked.rank_before - ranked.rank : 0;
}

function shiftWords(shift) {
  if (!shift) return "Not moved by a ranker";
  return `Moved ${shift > 0 ? "up" : "down"} ${counted(Math.abs(shift), "place")} by the last ranker`;
}
