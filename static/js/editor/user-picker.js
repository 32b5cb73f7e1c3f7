/** For whom the preview runs: by the start of an ID, by chance, without or with much feedback, or nobody in particular. */
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Combobox } from "./combobox.js";
import { Popover } from "./popover.js";
import { useEditor, useEditorState } from "./store.js";
import { marked } from "./what-if.js";
import { counted } from "./wording.js";

const KINDS = [
  { kind: "cold", icon: "snow", label: "A cold user", hint: "no feedback yet", none: "Every user has feedback: there is no cold one." },
  { kind: "heavy", icon: "flame", label: "The heaviest user", hint: "gave most feedback", none: "There are no users yet." },
];

export function UserPicker() {
  const editor = useEditor();
  const userId = useEditorState((state) => state.userId);
  const whatIf = useEditorState((state) => state.whatIf);
  const take = async (kind, none) => {
    const [found] = await editor.suggestUsers(kind, "", 1).catch(() => []);
    if (found) editor.chooseUser(found.user_id);
    else editor.refuse(none);
  };
  const face = html`<${Icon} name="users" />`;
  return html`
    ${marked(whatIf) && html`<${WhatIfMark} whatIf=${whatIf} />`}
    ${whatIf.anonymous
      ? html`<span className="session-mark" data-testid="session"><span className="session-words">Anonymous session</span><span className="session-count">${counted(whatIf.add.length, "item")}</span>
          <button type="button" className="icon-button" aria-label="Leave the session" title="Back to users" onClick=${() => editor.asItIs()}><${Icon} name="close" size=${14} /></button></span>`
      : html`<${Combobox} id="user-id" testId="user-id" label="User ID" placeholder="User ID" value=${userId} onValue=${editor.chooseUser}
          suggest=${(text) => editor.suggestUsers("prefix", text)} onEnter=${() => editor.run()}
          describe=${(user) => ({ value: user.user_id, words: user.user_id, beside: `${(user.feedback ?? 0).toLocaleString("en")} feedback` })} />`}
    <button type="button" className="icon-button" aria-label="Take a random user" title="Random user" data-testid="random-user"
      onClick=${() => take("random", "There are no users yet.")}><${Icon} name="shuffle" /></button>
    <${Popover} label="Other users" className="icon-button" testId="other-users" face=${face}>${(close) => html`<div className="menu">
      ${KINDS.map(({ kind, icon, label, hint, none }) => html`
        <button type="button" className="menu-item" key=${kind} data-testid=${`${kind}-user`}
          onClick=${() => { close(); take(kind, none); }}>
          <${Icon} name=${icon} /><span>${label}</span><span className="menu-hint">${hint}</span></button>`)}
      <button type="button" className="menu-item" data-testid="anonymous" onClick=${() => { close(); editor.beginSession(); }}>
        <${Icon} name="globe" /><span>Anonymous session</span><span className="menu-hint">nobody known; you say what they liked</span></button>
    </div>`}</${Popover}>`;
}

/** While it is there the next run is not for the user as they are; one click resets. */
function WhatIfMark({ whatIf }) {
  const editor = useEditor();
  return html`<button type="button" className="what-if-mark" data-testid="what-if" aria-label=${`Reset ${marked(whatIf)}`}
    title="Back to the user as they are" onClick=${() => editor.asItIs()}>
    ${marked(whatIf)}<span className="what-if-reset">Reset</span></button>`;
}
