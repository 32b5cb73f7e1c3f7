/** One answer kept, the next laid beside it: two prompts, or two models, on the same user and candidates. */
import { html } from "../lib/html.js";
import { Shift } from "./shift.js";
import { useEditor, useEditorState } from "./store.js";
import { layBeside } from "./two-orders.js";
import { counted, duration, money } from "./wording.js";

/** @param {{outcome: object, question: object, name: string, currency: string}} props the newest answer, what it answers, and whose it is */
export function AnswerComparison({ outcome, question, name, currency }) {
  const { store } = useEditor();
  const kept = useEditorState((state) => state.keptAnswer);
  const keep = () => store.set({ keptAnswer: { outcome, userId: question.user_id, name, currency } });
  const isThis = kept?.outcome === outcome;
  return html`<div className="two-answers" data-testid="answer-comparison">
    <div className="preview-actions">
      <button type="button" className="button" data-testid="keep-answer" disabled=${isThis} onClick=${keep}>${isThis ? "Kept to compare" : "Keep to compare"}</button>
      ${kept && html`<button type="button" className="button is-quiet" data-testid="forget-answer" onClick=${() => store.set({ keptAnswer: null })}>Forget the kept one</button>`}
    </div>
    ${isThis && html`<p className="field-hint">Change the prompt or the model and send again: both orders stand side by side then.</p>`}
    ${kept && !isThis && html`<${Beside} kept=${kept} now=${{ outcome, userId: question.user_id, name, currency }} />`}
  </div>`;
}

function Beside({ kept, now }) {
  const found = kept.userId === now.userId ? layBeside(kept.outcome.items, now.outcome.items) : null;
  if (!found) return html`<p className="field-warning">The kept answer is about another user or other candidates: the two orders cannot be compared.</p>`;
  return html`<h4 className="field-label">Beside the kept answer</h4>
    <p className="outcome-line">${found.shared} of the best ${found.top} in common · moved by ${found.meanShift.toFixed(1)} places on average</p>
    <dl className="facts"><dt>Kept</dt><dd>${described(kept)}</dd><dt>This</dt><dd>${described(now)}</dd></dl>
    <div className="order-frame" tabIndex="0" role="region" aria-label="Both orders"><table className="order" data-testid="both-orders">
      <caption className="visually-hidden">This order, with the place of each item in the kept one</caption>
      <thead><tr>
        <th scope="col"><span className="visually-hidden">Place</span></th>
        <th scope="col">This order</th>
        <th scope="col" className="order-score">Kept</th>
        <th scope="col" className="order-moved"><span className="visually-hidden">Places moved</span></th>
      </tr></thead>
      <tbody>${found.rows.map((row) => html`<tr key=${row.item_id} data-item=${row.item_id}>
        <td className="rank">${row.rank}</td>
        <td className="order-title" title=${row.item_id}>${row.title || row.item_id}</td>
        <td className="order-score">${row.was}</td>
        <td><${Shift} by=${row.was - row.rank} /></td></tr>`)}</tbody>
    </table></div>`;
}

function described({ outcome, name, currency }) {
  const cost = outcome.cost === null ? "price unknown" : money(outcome.cost, currency);
  return [name, outcome.model, counted(outcome.tokens, "token"), duration(outcome.ms), cost].filter(Boolean).join(" · ");
}
