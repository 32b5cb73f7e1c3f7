/** What a node and another machine said to each other, and the ids that were found in it. Everything is text. */
import { html } from "../lib/html.js";
import { counted, duration } from "./wording.js";

export function Exchanges({ requests, logs }) {
  return html`
    ${requests.map((request, index) => html`<${Exchange} key=${index} request=${request} />`)}
    ${logs.length > 0 && html`<h4 className="field-label">Said by the script</h4><pre className="raw-answer" tabIndex="0" data-testid="logs">${logs.join("\n")}</pre>`}`;
}

function Exchange({ request }) {
  const good = request.status !== null && request.status < 400;
  return html`<div className="exchange" data-testid="exchange">
    <p className="outcome-line"><span className=${`status is-${good ? "ok" : "failed"}`}>${request.status ?? "No answer"}</span> ${request.ms === undefined ? "" : duration(request.ms)}</p>
    <pre className="raw-answer" tabIndex="0">${`${request.method} ${request.url}`}</pre>
    ${request.problem && html`<p className="field-problem">${request.problem}</p>`}
    ${(request.headers.length > 0 || request.body) && html`<details className="reasoning"><summary>Sent</summary>
      <${Headers} headers=${request.headers} />${request.body && html`<pre className="raw-answer" tabIndex="0">${request.body}</pre>`}</details>`}
    ${request.response_headers.length > 0 && html`
      <details className="reasoning"><summary>${counted(request.response_headers.length, "header")} of the answer</summary>
        <${Headers} headers=${request.response_headers} /></details>`}
    ${request.response_body && html`
      <h4 className="field-label">Answer<span className="field-unit">its beginning</span></h4>
      <pre className="raw-answer" tabIndex="0" data-testid="response-body">${request.response_body}</pre>`}
  </div>`;
}

function Headers({ headers }) {
  if (headers.length === 0) return null;
  return html`<pre className="raw-answer" tabIndex="0">${headers.map(([name, value]) => `${name}: ${value}`).join("\n")}</pre>`;
}

/** @param {{ids: string[], items?: {item_id: string, title: string}[], unknownIds: string[]}} props */
export function FoundIds({ ids, items = [], unknownIds }) {
  const unknown = new Set(unknownIds);
  const titles = new Map(items.map((item) => [item.item_id, item.title]));
  return html`<h4 className="field-label">Ids in the answer<span className="field-unit">${ids.length}${unknown.size > 0 ? `, ${unknown.size} not in the catalogue` : ""}</span></h4>
    <ol className="top-items" data-testid="found-ids">${ids.map((id, index) => html`<li key=${index} data-item=${id}><span className="rank">${index + 1}</span>
      <span className="top-title" title=${id}>${titles.get(id) || id}</span>${unknown.has(id) && html`<span className="tag is-bad">unknown</span>`}</li>`)}</ol>`;
}
