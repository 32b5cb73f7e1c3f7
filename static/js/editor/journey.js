/** The way of one item through the graph, step by step, in the words of the run: nothing is worked out here. */
import { html } from "../lib/html.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";
import { useEditor } from "./store.js";
import { score } from "./wording.js";

export function Journey({ item, flow }) {
  const editor = useEditor();
  const called = (step) => step.node_ids.map((id) => nameOf(indexed(flow).node(id) ?? { name: id }, editor.types)).join(", ");
  return html`<ol className="journey" data-testid="journey">
    ${(item.steps ?? []).map((step, index) => html`<li key=${index} className=${`journey-step is-${step.kind}`}>
      <button type="button" className="journey-node" onClick=${() => editor.goToNode(step.node_ids.at(-1))}>${called(step)}</button>
      <span className="journey-words">${wordsFor(step)}</span></li>`)}
    ${item.rank && html`<li className="journey-step is-final"><span className="journey-node">Final place</span><span className="journey-words">#${item.rank}, score ${score(item.score)}</span></li>`}
  </ol>`;
}

function wordsFor({ kind, rank, rank_before: before, score: value, why, note }) {
  const scored = score(value) && `, score ${score(value)}`;
  const beside = note ? ` (${note})` : "";
  if (kind === "proposed") return `proposed it at #${rank}${scored}${beside}`;
  if (kind === "dropped") return `dropped it${why ? `: ${why}` : ""}${beside}`;
  const moved = before && before !== rank ? `moved it from #${before} to #${rank}` : `left it at #${rank}`;
  return `${moved}${scored}${beside}`;
}
