/** The user through whose eyes the list is seen: what they did lately, and what if they had done something else. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Combobox } from "./combobox.js";
import { isSame } from "./equality.js";
import { useEditor, useEditorState } from "./store.js";
import { AS_IT_IS, SENSES, changeCount, isRemoved, told } from "./what-if.js";
import { dateTime } from "./wording.js";

const PAUSE_MS = 250;

export function UserLens({ run }) {
  const editor = useEditor();
  const whatIf = useEditorState((state) => state.whatIf);
  const userId = useEditorState((state) => state.userId).trim();
  const known = useEditorState((state) => state.user);
  const user = known?.user_id === userId ? known : null;
  useEffect(() => {
    if (!userId || user) return undefined;
    const timer = setTimeout(() => editor.learnUser(userId), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [userId, user]);
  if (whatIf.anonymous) {
    return html`<h3 className="beside-title">Anonymous session</h3>
      <p className="empty-hint lens-hint">Somebody nobody knows. Say what they did, newest first, and run.</p>
      <${AddFeedback} /><${AddedRows} rows=${whatIf.add} /><${RunAgain} run=${run} whatIf=${whatIf} />`;
  }
  if (!userId) return html`<p className="empty-hint">Choose a user to see what they did lately.</p>`;
  if (!user) return html`<h3 className="beside-title">${userId}</h3><p className="empty-hint" aria-busy="true">Looking them up…</p>`;
  if (user.unknown) return html`<h3 className="beside-title">${userId}</h3><p className="field-warning" role="alert">What they did lately cannot be told: ${user.unknown}</p>`;
  return html`<h3 className="beside-title">Recent feedback of ${user.user_id}</h3>
    <p className="empty-hint lens-hint">${aboutUser(user)}</p>
    <${AddFeedback} />
    <${RunAgain} run=${run} whatIf=${whatIf} />
    <${AddedRows} rows=${whatIf.add} />
    <ul className="feedback-list" data-testid="recent">${user.recent.map((entry) => html`<${Feedback} key=${`${entry.type} ${entry.item_id}`} entry=${entry} isOut=${isRemoved(whatIf, entry)} />`)}</ul>`;
}

function aboutUser({ known, feedback, recent }) {
  if (!known) return "Nobody with this ID is known.";
  if (feedback === 0) return "No feedback yet: a cold start.";
  return feedback > recent.length ? `The newest ${recent.length} of ${feedback.toLocaleString("en")}. Leave some out, or add some, to see what if.` : "Leave some out, or add some, to see what if.";
}

/** Choosing an item adds it: nothing is stored, the next preview counts it. */
function AddFeedback() {
  const editor = useEditor();
  const [text, setText] = useState("");
  const [sense, setSense] = useState("positive");
  const add = (itemId, title) => {
    if (!itemId.trim()) return;
    editor.addFeedback({ item_id: itemId.trim(), title, sense });
    setText("");
  };
  return html`<div className="lens-add">
    <${Combobox} id="what-if-item" testId="what-if-item" label="What if they had feedback on this item" placeholder="What if… item" value=${text} onValue=${setText}
      suggest=${(part) => editor.suggestItems(part)} onEnter=${(itemId) => add(itemId, "")} onTake=${(option) => add(option.value, option.words)}
      describe=${(item) => ({ value: item.item_id, words: item.title || item.item_id, beside: item.item_id })} />
    <select aria-label="What they think of it" data-testid="what-if-sense" value=${sense} onChange=${(event) => setSense(event.target.value)}>
      ${Object.entries(SENSES).map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}
    </select></div>`;
}

function AddedRows({ rows }) {
  const editor = useEditor();
  if (rows.length === 0) return null;
  return html`<ul className="feedback-list is-added" data-testid="added">${rows.map((row) => html`<li key=${row.item_id} data-item=${row.item_id}>
    <span className="tag is-what-if">${SENSES[row.sense]}</span><span className="feedback-title" title=${row.item_id}>${row.title}</span>
    <button type="button" className="icon-button is-tiny" aria-label=${`Take ${row.title} away again`} title="Take it away again"
      onClick=${() => editor.withdrawFeedback(row.item_id)}><${Icon} name="close" size=${12} /></button></li>`)}</ul>`;
}

function Feedback({ entry, isOut }) {
  const editor = useEditor();
  const title = entry.title || entry.item_id;
  const value = entry.value ? ` ${Number(entry.value.toFixed(2))}` : "";
  return html`<li className=${isOut ? "is-out" : ""} data-item=${entry.item_id}>
    <span className="tag">${entry.type}${value}</span><span className="feedback-title" title=${entry.item_id}>${title}</span><time>${dateTime(entry.time)}</time>
    <button type="button" className="icon-button is-tiny" aria-pressed=${isOut} aria-label=${`Leave out ${entry.type} of ${title}`} title=${isOut ? "Let it count again" : "Leave it out of this preview"}
      onClick=${() => editor.toggleFeedback(entry)}><${Icon} name=${isOut ? "undo" : "close"} size=${12} /></button></li>`;
}

/** The list beside is older than the changes. */
function RunAgain({ run, whatIf }) {
  const editor = useEditor();
  const of = run?.whatIf ?? AS_IT_IS;
  if (isSame(told(of), told(whatIf)) || (whatIf.anonymous && changeCount(whatIf) === 0)) return null;
  return html`<p className="lens-again">
    <button type="button" className="button is-small is-run" data-testid="run-what-if" onClick=${() => editor.run()}>
      <${Icon} name="play" size=${12} />Run ${whatIf.anonymous ? "the session" : "with this"}
    </button><span>Only this preview; nothing is stored.</span>
  </p>`;
}
