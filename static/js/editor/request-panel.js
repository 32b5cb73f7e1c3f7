/** Below the form of a node that asks another machine for items: the requests as sent, and what came back. */
import { useEffect } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Problems } from "./prompt-panel.js";
import { Exchanges, FoundIds } from "./exchanges.js";
import { useEditor, useEditorState } from "./store.js";
import { useAsked, useQuestion } from "./use-preview.js";

export function RequestPanel({ node, type, onProblems }) {
  const editor = useEditor();
  const question = useQuestion(node, type);
  const sent = useAsked();
  const { answer } = sent;
  const maySend = useEditorState((state) => !state.readOnly);
  const isOld = sent.of !== null && sent.of !== question;
  useEffect(() => onProblems(isOld ? [] : (answer?.problems ?? [])), [answer, isOld]);
  useEffect(() => () => onProblems([]), []);
  const send = () => sent.ask(question, (signal) => editor.sendRequest(question, signal));
  return html`<section className="preview-panel" aria-label="Preview of the request" data-testid="request-panel">
    <header className="preview-head"><h3>Try it</h3>
      <span className="preview-for">${question.user_id ? `for ${question.user_id}` : "choose a user below the canvas"}</span></header>
    <p className="field-hint">Really asks the other machine, once, with a person's patience. Secrets are hidden here.</p>
    <div className="preview-actions">${sent.waiting
      ? html`<button type="button" className="button is-stop" onClick=${sent.stop}><${Icon} name="stop" size=${14} />Stop</button>`
      : html`<button type="button" className="button is-primary" data-testid="send-request" disabled=${!question.user_id || !maySend} onClick=${send}><${Icon} name="play" size=${14} />Send</button>`}</div>
    ${!maySend && html`<p className="field-hint">Sending it takes an editor; a run of the flow sends it for you too.</p>`}
    <div aria-live="polite">
      ${sent.waiting && html`<p className="empty-hint">Waiting for an answer…</p>`}
      ${sent.problem && html`<p className="field-problem">${sent.problem}</p>`}
      ${answer && isOld && html`<p className="field-warning">What follows answers an earlier request; send again to see the change.</p>`}
      ${answer?.problems.length > 0 && html`<${Problems} problems=${answer.problems} />`}
    </div>
    ${answer && html`<${Exchanges} requests=${answer.requests} logs=${answer.logs} />`}
    ${answer?.ids.length > 0 && html`<${FoundIds} ids=${answer.ids} items=${answer.items} unknownIds=${answer.unknown_ids} />`}
  </section>`;
}
