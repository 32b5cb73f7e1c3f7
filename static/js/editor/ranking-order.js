/** What was made of a model's answer: the order beside the one that came in, and every token that ranked nothing. */
import { html } from "../lib/html.js";
import { Shift } from "./shift.js";
import { score } from "./wording.js";

const REASONS = {
  header: "a heading",
  duplicate: "named before",
  unknown: "no candidate: invented",
  ambiguous: "could be several candidates",
  cut: "cut off",
  prose: "words around the list",
};

/** Row by row: the item that is here now, and the one that came in at this place; with scores where there are some. */
export function Order({ items, scores = new Map() }) {
  const incoming = items.toSorted((a, b) => a.rank_before - b.rank_before);
  return html`<div className="order-frame" tabIndex="0" role="region" aria-label="Order"><table className="order" data-testid="order">
    <caption className="visually-hidden">The new order beside the one that came in</caption>
    <thead><tr>
      <th scope="col"><span className="visually-hidden">Place</span></th>
      <th scope="col">New order</th>
      ${scores.size > 0 && html`<th scope="col" className="order-score">Score</th>`}
      <th scope="col" className="order-moved"><span className="visually-hidden">Places moved</span></th>
      <th scope="col">Came in</th>
    </tr></thead>
    <tbody>${items.map((item, index) => html`<tr key=${item.item_id} className=${item.origin === "ranked" ? "" : "is-appended"} data-item=${item.item_id}>
      <td className="rank">${item.rank}</td>
      <td title=${item.item_id}><span className="order-item"><span className="order-title">${item.title || item.item_id}</span>${item.origin === "appended" && html`<span className="tag">appended</span>`}</span></td>
      ${scores.size > 0 && html`<td className="order-score">${score(scores.get(item.item_id)) || "none"}</td>`}
      <td><${Shift} by=${item.rank_before - item.rank} /></td>
      <td className="order-title is-before" title=${incoming[index].item_id}>${incoming[index].title || incoming[index].item_id}</td></tr>`)}</tbody>
  </table></div>`;
}

export function Dropped({ tokens, counts = {} }) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const untold = Math.max(0, total - tokens.length);
  if (tokens.length === 0) return html`<p className="field-hint">Nothing of the answer was dropped.</p>`;
  return html`<h4 className="field-label">Dropped from the answer<span className="field-unit">${total || tokens.length}</span></h4>
    <ul className="dropped" data-testid="dropped">${tokens.map((token, index) => html`<li key=${index}><code>${token.text}</code><span>${REASONS[token.reason] ?? token.reason.replaceAll("_", " ")}</span></li>`)}
      ${untold > 0 && html`<li><span>and ${untold.toLocaleString("en")} more</span></li>`}</ul>`;
}
