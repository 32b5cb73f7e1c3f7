/** What a node tells of its work in a run. Known parts are drawn as what they are, the rest as names and values. */
import { html } from "../lib/html.js";
import { Exchanges, FoundIds } from "./exchanges.js";
import { RankingOutcome } from "./ranking-outcome.js";
import { useCurrency } from "./use-preview.js";

export function RunDetails({ details }) {
  const currency = useCurrency();
  if (details.calls && details.items) return html`<${RankingOutcome} outcome=${details} withOrder=${false} currency=${currency} />`;
  const { requests, logs = [], ids, unknown_ids: unknownIds = [], evidence, ...others } = details;
  return html`
    ${requests && html`<${Exchanges} requests=${requests} logs=${logs} />`}
    ${ids?.length > 0 && html`<${FoundIds} ids=${ids} unknownIds=${unknownIds} />`}
    ${evidence && html`<${Evidence} evidence=${evidence} />`}
    ${Object.keys(others).length > 0 && html`<h3 className="field-label">Details</h3><dl className="facts is-long">
      ${Object.entries(others).map(([name, value]) => html`<dt key=${name}>${name.replaceAll("_", " ")}</dt>
        <dd>${typeof value === "string" || typeof value === "number" ? String(value) : html`<pre tabIndex="0">${JSON.stringify(value, null, 2)}</pre>`}</dd>`)}
    </dl>`}`;
}

/** How much each piece of evidence adds to the score of each item. */
function Evidence({ evidence }) {
  return html`<h3 className="field-label">Evidence<span className="field-unit">what each piece adds to the score</span></h3>
    <div className="evidence-frame" tabIndex="0" role="region" aria-label="Evidence"><table className="evidence" data-testid="evidence">
      <thead><tr><th scope="col">Item</th>${evidence.names.map((name) => html`<th scope="col" key=${name}>${name.replaceAll("_", " ")}</th>`)}</tr></thead>
      <tbody>${evidence.items.map((item) => html`<tr key=${item.item_id}><th scope="row" title=${item.item_id}>${item.item_id}</th>
        ${item.parts.map((part, index) => html`<td key=${index} className=${part < 0 ? "is-down" : ""}>${part.toFixed(2)}</td>`)}</tr>`)}</tbody>
    </table></div>`;
}
