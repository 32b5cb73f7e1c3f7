/** Below the form of a node that asks a model: the prompt for the chosen user while it is written, and what comes back. */
import { useEffect, useRef, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { AnswerComparison } from "./answer-comparison.js";
import { nameOf } from "./node-types.js";
import { Order, Dropped } from "./ranking-order.js";
import { Messages, RankingOutcome, StatusLine } from "./ranking-outcome.js";
import { useEditor, useEditorState } from "./store.js";
import { useAsked, useQuestion, useShown } from "./use-preview.js";
import { marked, whom } from "./what-if.js";
import { counted, money } from "./wording.js";

const PARTS = [["rules", "Rules"], ["history", "History"], ["candidates", "Candidates"], ["answer", "Answer"]];

export function PromptPanel({ node, type, hints, onProblems }) {
  const editor = useEditor();
  const question = useQuestion(node, type);
  const { answer: shown, problem, waiting, again } = useShown(editor.showPrompt, question);
  const sent = useAsked();
  const read = useAsked();
  const [pasting, setPasting] = useState(false);
  const whatIf = useEditorState((state) => state.whatIf);
  const changes = marked(whatIf);
  const maySend = useEditorState((state) => !state.readOnly);
  useEffect(() => onProblems(shown?.problems ?? []), [shown]);
  useEffect(() => () => onProblems([]), []);

  const dryRun = () => {
    sent.clear();
    again();
  };
  const send = () => sent.ask(question, (signal) => editor.sendPrompt(question, signal));
  const rendered = useLastGood(shown);
  const blocked = shown?.problems.length > 0;
  return html`<section className="preview-panel" aria-label="Preview of the prompt" aria-busy=${waiting} data-testid="prompt-panel">
    <header className="preview-head"><h3>Prompt</h3>
      <span className="preview-for">${question.user_id || whatIf.anonymous ? html`for ${whom(question.user_id, whatIf)}${changes && ` (${changes})`}` : "for somebody without history: choose a user below the canvas"}</span></header>
    ${problem && html`<p className="field-problem" role="alert">${problem}</p>`}
    ${blocked && html`<${Problems} problems=${shown.problems} />`}
    ${shown?.estimate && html`<${Estimate} shown=${shown} />`}
    ${shown?.notes?.map((note) => html`<p className="field-hint" key=${note}>${note}</p>`)}
    ${rendered && html`<div className=${rendered === shown ? "" : "is-old"}><${Messages} messages=${rendered.messages} /></div>`}
    ${shown?.items && html`<p className="field-hint">${candidateWords(question, shown.items.length)}</p>`}
    <div className="preview-actions">
      <button type="button" className="button" data-testid="dry-run" title="Render it anew; asks nobody" onClick=${dryRun}>Dry run</button>
      ${sent.waiting
        ? html`<button type="button" className="button is-stop" data-testid="send-stop" onClick=${sent.stop}><${Icon} name="stop" size=${14} />Stop</button>`
        : html`<button type="button" className="button is-primary" data-testid="send-prompt" disabled=${blocked || !shown || !maySend} onClick=${send}><${Icon} name="play" size=${14} />Send</button>`}
      ${hints.reads_answers && html`<button type="button" className="button" data-testid="paste-answer" aria-expanded=${pasting} onClick=${() => setPasting(!pasting)}>Paste an answer</button>`}
    </div>
    ${!maySend && html`<p className="field-hint">Sending it takes an editor; a run of the flow asks the model for you too.</p>`}
    ${pasting && html`<${Paste} read=${read} onRead=${(text) => read.ask(question, (signal) => editor.readAnswer(question, text, signal))} />`}
    <div aria-live="polite">
      ${sent.waiting && html`<p className="empty-hint">Waiting for ${shown?.model || "the answer"}…</p>`}
      ${sent.problem && html`<p className="field-problem">${sent.problem}</p>`}
      ${sent.answer && sent.of !== question && html`<p className="field-warning">What follows answers an earlier prompt; send again to see the change.</p>`}
      ${sent.answer && !sent.answer.outcome && html`<${Problems} problems=${sent.answer.problems} />`}
    </div>
    ${sent.answer?.outcome && html`<${RankingOutcome} outcome=${sent.answer.outcome} currency=${sent.answer.currency} />`}
    ${sent.answer?.outcome?.items.length > 0 && html`
      <${AnswerComparison} outcome=${sent.answer.outcome} question=${sent.of} name=${nameOf(node, editor.types)} currency=${sent.answer.currency} />`}
  </section>`;
}

/** The newest answer with messages: while a template is broken, what it gave before stays in sight. */
function useLastGood(shown) {
  const good = useRef(null);
  if (shown?.messages.length > 0) good.current = shown;
  return good.current;
}

/** Tokens by part as a bar and in numbers, and what they cost. */
function Estimate({ shown }) {
  const { estimate, calls, cost, currency, context_tokens: room } = shown;
  const words = PARTS.map(([part, label]) => `${label} ${estimate[part].toLocaleString("en")}`).join(", ");
  return html`<div className="estimate" data-testid="estimate">
    <div className="estimate-bar" role="img" aria-label=${`Tokens: ${words}`}>
      ${PARTS.map(([part], index) => html`<span key=${part} className=${`estimate-part is-${index}`} style=${{ flexGrow: estimate[part] }} />`)}</div>
    <dl className="estimate-parts">${PARTS.map(([part, label], index) => html`
      <div key=${part}><dt><span className=${`estimate-key is-${index}`} />${label}</dt>
        <dd>${estimate[part].toLocaleString("en")}</dd></div>`)}
    </dl>
    <p className="estimate-sum"><b>About ${counted(estimate.total, "token")}</b>${calls > 1 ? ` a call, ${counted(calls, "call")}` : ""}${room ? ` of ${room.toLocaleString("en")}` : ""} · ${cost === null ? "price unknown" : `${money(cost, currency)} for one user`}</p>
  </div>`;
}

export function Problems({ problems }) {
  return html`<ul className="problem-list" data-testid="preview-problems">${problems.map((problem, index) => html`<li key=${index} className="problem is-blocking">${problem.message}</li>`)}</ul>`;
}

/** An answer from anywhere, read as this node would read it. */
function Paste({ read, onRead }) {
  const [text, setText] = useState("");
  const { answer } = read;
  return html`<div className="paste">
    <label className="field"><span className="field-label">An answer, as a model gave it</span>
      <textarea rows="5" className="is-code" data-testid="pasted" value=${text} spellCheck="false" onChange=${(event) => setText(event.target.value)} /></label>
    <div className="preview-actions"><button type="button" className="button" data-testid="read-answer" disabled=${text.trim() === "" || read.waiting} onClick=${() => onRead(text)}>Read it</button></div>
    ${read.problem && html`<p className="field-problem" role="alert">${read.problem}</p>`}
    ${answer && html`<div className="reading" data-testid="reading"><${StatusLine} status=${answer.status} message=${answer.message} />
      <${Order} items=${answer.items} /><${Dropped} tokens=${answer.dropped} counts=${answer.dropped_counts} /></div>`}
  </div>`;
}

function candidateWords(question, n) {
  if (question.items) return `Candidates: the best ${counted(n, "item")} that came in, as the last run shows.`;
  return `Candidates: the newest ${counted(n, "item")} that the user has not seen. After a run they are those that came in.`;
}
