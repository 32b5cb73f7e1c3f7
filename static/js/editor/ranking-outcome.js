/** All that a model's ranking tells of itself: status, attempts, tokens, the answer as it came, the order it became. */
import { html } from "../lib/html.js";
import { Dropped, Order } from "./ranking-order.js";
import { counted, duration, money } from "./wording.js";

const STATUS = { ok: "All ranked", partial: "Partly ranked", failed: "No ranking" };
const OPEN_MESSAGES = 3;

/** @param {{outcome: object, withOrder?: boolean, currency?: string}} props outcome: `details` of a run, or the outcome of a preview */
export function RankingOutcome({ outcome, withOrder = true, currency = "" }) {
  const { calls } = outcome;
  return html`<div className="outcome" data-testid="outcome">
    <${StatusLine} status=${outcome.status} message=${outcome.message} />
    <${Notice} text=${outcome.notice} model=${outcome.model} />
    ${outcome.notes.map((note) => html`<p className="field-hint" key=${note}>${note}</p>`)}
    ${withOrder && outcome.items.length > 0 && html`<${Order} items=${outcome.items} scores=${scoresOf(calls)} />`}
    ${calls.length > 1 && html`<p className="outcome-line">${counted(calls.length, "call")}, ${counted(outcome.tokens, "token")}, ${duration(outcome.ms)}${outcome.cost === null ? "" : `, ${money(outcome.cost, currency)}`}${outcome.agreement === null ? "" : `, agreement ${outcome.agreement.toFixed(2)}`}</p>`}
    ${calls.length > 0 && html`<${Call} call=${calls[0]} currency=${currency} withMessages=${!withOrder || calls.length > 1} />`}
    ${calls.slice(1).length > 0 && html`<details className="reasoning"><summary>${counted(calls.length - 1, "more call")}</summary>
      ${calls.slice(1).map((call, index) => html`<details className="field-group" key=${index}>
        <summary>Call ${index + 2}: ${counted(call.asked_about.length, "candidate")}</summary>
        <${Call} call=${call} currency=${currency} withMessages />
      </details>`)}</details>`}
  </div>`;
}

/** Item id -> score, of services that give scores. */
function scoresOf(calls) {
  return new Map(calls.flatMap((call) => call.scores.map((score, index) => [call.asked_about[index], score])));
}

export function StatusLine({ status, message }) {
  return html`<p className="outcome-line"><span className=${`status is-${status}`} data-testid="outcome-status">${STATUS[status] ?? status}</span> ${message}</p>`;
}

/** Who answers, when it is not what somebody would take it for. */
function Notice({ text, model }) {
  if (!text) return null;
  return html`<p className="notice" data-testid="notice"><b>${model}</b> ${text}</p>`;
}

/** The messages of a prompt as text; many (documents of a reranker) are folded behind the first. */
export function Messages({ messages }) {
  const draw = (message, index) => html`<figure className="message" key=${index}><figcaption>${message.role}</figcaption><pre tabIndex="0">${message.content}</pre></figure>`;
  const later = messages.slice(OPEN_MESSAGES);
  return html`<div className="messages" data-testid="messages">
    ${messages.slice(0, OPEN_MESSAGES).map(draw)}
    ${later.length > 0 && html`<details><summary>${counted(later.length, "more message")}</summary>${later.map(draw)}</details>`}
  </div>`;
}

function Call({ call, currency, withMessages }) {
  const { tokens } = call;
  return html`<div className="call">
    <dl className="facts">
      <dt>Attempts</dt><dd>${call.is_kept ? "none: an answer from before was used again" : html`<${Attempts} attempts=${call.attempts} />`}</dd>
      <dt>Time</dt><dd>${duration(call.ms)}</dd>
      ${call.finish_reason && html`<dt>Finish</dt><dd>${call.finish_reason}</dd>`}
      <dt>Tokens</dt><dd>${tokenWords(tokens)}</dd>
      <dt>Cost</dt><dd>${call.cost === null ? "price unknown" : money(call.cost, currency)}</dd>
    </dl>
    ${call.problem && html`<p className="field-problem">${call.problem}</p>`}
    ${call.warnings.map((warning) => html`<p className="field-warning" key=${warning}>${warning}</p>`)}
    ${call.reasoning && html`<details className="reasoning"><summary>Reasoning</summary><pre tabIndex="0">${call.reasoning}</pre></details>`}
    ${call.answer && html`<h4 className="field-label">Answer as it came</h4><pre className="raw-answer" tabIndex="0" data-testid="raw-answer">${call.answer}</pre>`}
    ${call.answer && html`<${Dropped} tokens=${call.dropped} counts=${call.dropped_counts} />`}
    ${withMessages && html`<details className="reasoning"><summary>Prompt as it was sent</summary><${Messages} messages=${call.messages} /></details>`}
  </div>`;
}

function Attempts({ attempts }) {
  if (attempts.length === 0) return "none";
  return attempts.map((attempt) => html`<span className="attempt" key=${attempt.number}>
    ${attempt.status ?? "no answer"}, ${duration(attempt.ms)}
    ${attempt.waited_ms >= 1 ? ` after a wait of ${duration(attempt.waited_ms)}` : ""}
    ${attempt.detail ? `: ${attempt.detail}` : ""}
  </span>`);
}

function tokenWords(tokens) {
  const parts = [`${tokens.in.toLocaleString("en")} in`, `${tokens.out.toLocaleString("en")} out`];
  if (tokens.cached) parts.push(`${tokens.cached.toLocaleString("en")} cached`);
  if (tokens.reasoning) parts.push(`${tokens.reasoning.toLocaleString("en")} for thoughts`);
  return `${parts.join(", ")}${tokens.is_estimated ? " (estimated)" : ""}`;
}
