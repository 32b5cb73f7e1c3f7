/** The versions of a flow: who kept which when and why, which is live and was; open, compare, restore, activate, roll back. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Modal } from "./modal.js";
import { useEditor, useEditorState } from "./store.js";
import { dateTime } from "./wording.js";

export function VersionsDialog() {
  const editor = useEditor();
  const readOnly = useEditorState((state) => state.readOnly);
  const [versions, setVersions] = useState(null);
  const [activations, setActivations] = useState([]);
  const [error, setError] = useState(null);
  const attempt = (act) => async (...args) => {
    setError(null);
    try {
      await act(...args);
    } catch (failure) {
      setError(failure.message);
    }
  };
  const load = attempt(async () => {
    const [found, entries] = await Promise.all([editor.versions(), editor.activations()]);
    setVersions(found);
    setActivations(entries);
  });
  useEffect(() => void load(), []);
  const keep = attempt(async (note) => {
    await editor.keepVersion(note);
    await load();
  });
  return html`<${Modal} title="Versions" testId="versions-dialog" wide>
    ${error && html`<p className="field-problem" role="alert">${error}</p>`}
    ${!readOnly && html`<${KeepForm} keep=${keep} />`}
    ${!versions && !error && html`<p className="empty-hint" aria-busy="true">Loading…</p>`}
    ${versions?.length === 0 && html`<p className="empty-hint">No version yet. Activating the draft makes the first one.</p>`}
    <ul className="version-list">${versions?.map((version) => html`<${Version} key=${version.number} version=${version} newest=${activations[0]} attempt=${attempt} />`)}</ul>
    ${versions?.length > 0 && html`<${CompareForm} versions=${versions} attempt=${attempt} />`}
    ${activations.length > 0 && html`<${Activations} entries=${activations} />`}
  </${Modal}>`;
}

function KeepForm({ keep }) {
  const [note, setNote] = useState("");
  const onSubmit = async (event) => {
    event.preventDefault();
    await keep(note);
    setNote("");
  };
  return html`<form className="keep-version" onSubmit=${onSubmit}>
    <input type="text" aria-label="Note for the version" placeholder="What is new in this draft" maxLength="500" value=${note} onChange=${(event) => setNote(event.target.value)} />
    <button type="submit" className="button" data-testid="keep-version">Keep the draft as a version</button></form>`;
}

function Version({ version, newest, attempt }) {
  const editor = useEditor();
  const { store } = editor;
  const readOnly = useEditorState((state) => state.readOnly);
  const mayPublish = useEditorState((state) => state.mayPublish);
  const draftVersion = useEditorState((state) => state.draftVersion);
  const { number, note, author, created_at: createdAt, is_active: isLive } = version;
  const restore = attempt(async () => {
    await editor.restore(number);
    store.set({ dialog: null });
  });
  return html`<li className="version" data-testid=${`version-${number}`}>
    <span className="version-number">${number}</span>
    <span className="version-words"><span className="version-note">${note || "No note"}</span><span className="version-sub">${[author, dateTime(createdAt)].filter(Boolean).join(" · ")}</span></span>
    ${isLive && html`<span className="tag is-live">Live</span>`}${number === draftVersion && html`<span className="tag">Draft</span>`}
    <span className="version-actions">
      <button type="button" className="button is-small" onClick=${attempt(() => editor.openVersion(number))}>Open</button>
      <button type="button" className="button is-small" title="What the draft changed since this version" onClick=${attempt(() => editor.compare(number, null))}>Compare</button>
      ${!readOnly && html`<button type="button" className="button is-small" data-testid=${`restore-${number}`} title="Let the draft be this version again" onClick=${restore}>Restore</button>`}
      ${mayPublish && !isLive && html`<button type="button" className="button is-small" data-testid=${`activate-${number}`} onClick=${() => editor.openReview(number)}>Activate</button>`}
      ${mayPublish && isLive && newest?.is_newest && html`<button type="button" className="button is-small" data-testid="roll-back-live"
        title=${`Make ${before(newest, calledIn(store.get().record.id))} live again, at once`}
        onClick=${attempt(() => editor.rollBack(newest))}>
        ${newest.is_rollback ? "Undo the rollback" : "Roll back"}
      </button>`}
    </span></li>`;
}

/** Any two versions; without a number it is the draft. */
function CompareForm({ versions, attempt }) {
  const editor = useEditor();
  const numbers = versions.map((version) => version.number);
  const [before, setBefore] = useState(numbers[1] ?? numbers[0]);
  const [after, setAfter] = useState(numbers[1] ? numbers[0] : null);
  const choice = (label, value, choose) => html`<label className="compare-choice"><span>${label}</span>
    <select value=${value ?? ""} onChange=${({ target }) => choose(target.value ? Number(target.value) : null)}>
      ${numbers.map((number) => html`<option key=${number} value=${number}>Version ${number}</option>`)}<option value="">The draft</option></select></label>`;
  const onSubmit = (event) => {
    event.preventDefault();
    attempt(() => editor.compare(before, after))();
  };
  return html`<form className="compare-versions" data-testid="compare-versions" onSubmit=${onSubmit}>
    ${choice("What changed from", before, setBefore)}${choice("to", after, setAfter)}
    <button type="submit" className="button" disabled=${before === after}>Show on the canvas</button></form>`;
}

/** The log of what went live: who, when, from which to which, why. */
function Activations({ entries }) {
  const called = calledIn(useEditor().store.get().record.id);
  return html`<section data-testid="activations"><h3 className="review-title">What went live</h3>
    <table className="change-table activation-table"><thead><tr><th>When</th><th>Who</th><th>From → to</th><th>Note</th></tr></thead>
      <tbody>${entries.map((entry) => html`<tr key=${entry.id}><td>${dateTime(entry.at)}</td><td>${entry.author}</td>
        <td>${before(entry, called)} → ${called(entry.flow_id, entry.flow_name, entry.version)}</td>
        <td>${entry.is_rollback && html`<span className="change-tag"><${Icon} name="undo" size=${11} /> Rolled back</span>`} ${entry.note}</td></tr>`)}</tbody></table>
  </section>`;
}

/** A version of this flow by its number, one of another flow by that flow's name too. */
function calledIn(flowId) {
  return (ofFlow, flowName, number) => (ofFlow === flowId ? `version ${number}` : `${flowName}, version ${number}`);
}

function before(entry, called) {
  return entry.previous ? called(entry.previous.flow_id, entry.previous_flow_name, entry.previous.version) : "config.toml";
}
