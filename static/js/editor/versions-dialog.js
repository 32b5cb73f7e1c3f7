/** The versions of a flow: who kept which when and why, which is live; open, compare, restore, activate. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Modal } from "./modal.js";
import { useEditor, useEditorState } from "./store.js";
import { dateTime } from "./wording.js";

export function VersionsDialog() {
  const editor = useEditor();
  const { store } = editor;
  const readOnly = useEditorState((state) => state.readOnly);
  const mayPublish = useEditorState((state) => state.mayPublish);
  const draftVersion = useEditorState((state) => state.draftVersion);
  const [versions, setVersions] = useState(null);
  const [error, setError] = useState(null);
  const [note, setNote] = useState("");
  const load = () => editor.versions().then(setVersions, (failure) => setError(failure.message));
  useEffect(() => void load(), []);
  const attempt = (act) => async () => {
    setError(null);
    try {
      await act();
    } catch (failure) {
      setError(failure.message);
    }
  };
  const keep = attempt(async () => {
    await editor.keepVersion(note);
    setNote("");
    await load();
  });
  const restore = (number) => attempt(async () => {
    await editor.restore(number);
    store.set({ dialog: null });
  });
  return html`<${Modal} title="Versions" testId="versions-dialog" wide>
    ${error && html`<p className="field-problem" role="alert">${error}</p>`}
    ${!readOnly && html`<form className="keep-version" onSubmit=${(event) => { event.preventDefault(); keep(); }}>
      <input type="text" aria-label="Note for the version" placeholder="What is new in this draft" maxLength="500" value=${note} onChange=${(event) => setNote(event.target.value)} />
      <button type="submit" className="button" data-testid="keep-version">Keep the draft as a version</button></form>`}
    ${!versions && !error && html`<p className="empty-hint" aria-busy="true">Loading…</p>`}
    ${versions?.length === 0 && html`<p className="empty-hint">No version yet. Activating the draft makes the first one.</p>`}
    <ul className="version-list">${versions?.map((version) => html`<li key=${version.number} className="version" data-testid=${`version-${version.number}`}>
      <span className="version-number">${version.number}</span>
      <span className="version-words"><span className="version-note">${version.note || "No note"}</span><span className="version-sub">${[version.author, dateTime(version.created_at)].filter(Boolean).join(" · ")}</span></span>
      ${version.is_active && html`<span className="tag is-live">Live</span>`}${version.number === draftVersion && html`<span className="tag">Draft</span>`}
      <span className="version-actions">
        <button type="button" className="button is-small" onClick=${attempt(() => editor.openVersion(version.number))}>Open</button>
        <button type="button" className="button is-small" onClick=${attempt(() => editor.compareWith(version.number))}>Compare</button>
        ${!readOnly && html`<button type="button" className="button is-small" data-testid=${`restore-${version.number}`} onClick=${restore(version.number)}>Restore</button>`}
        ${mayPublish && !version.is_active && html`<button type="button" className="button is-small" data-testid=${`activate-${version.number}`} onClick=${() => editor.openReview(version.number)}>Activate</button>`}
      </span></li>`)}</ul>
  </${Modal}>`;
}
