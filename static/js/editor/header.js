/** The header: which flow, how it stands with the server, what is wrong with it, its versions, and Activate. */
import { useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { problemsOf } from "./checking.js";
import { changeCount, difference } from "./flow-diff.js";
import { isUnsaved } from "./saving.js";
import { mayEdit } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { People } from "./people-list.js";
import { Popover } from "./popover.js";
import { ProblemRow } from "./problem-row.js";
import { clockTime, counted } from "./wording.js";

export function Header() {
  const editor = useEditor();
  const { store } = editor;
  const viewing = useEditorState((state) => state.viewing);
  const editable = useEditorState(mayEdit);
  const mayPublish = useEditorState((state) => state.mayPublish);
  return html`<section className="editor-header" aria-label="This flow">
    <${FlowName} />
    <${StateChip} />
    <${Undo} />
    <span className="spacer" />
    <${People} />
    <${Checklist} />
    <button type="button" className="button is-quiet" data-testid="versions" aria-label="Versions" title="Versions"
      onClick=${() => store.set({ dialog: { kind: "versions" } })}>
      <${Icon} name="history" /><span className="wide-only">Versions</span></button>
    <${Menu} />
    <button type="button" className="button" data-testid="save" title="Save the draft now (Ctrl+S)" disabled=${!editable} onClick=${() => editor.saveNow()}>Save</button>
    <button type="button" className="button is-primary" data-testid="activate" disabled=${!mayPublish}
      title=${mayPublish ? "Review, then make it live" : "You may not activate"} onClick=${() => editor.openReview(viewing?.number)}>
      <${Icon} name="activate" />Activate</button>
  </section>`;
}

function FlowName() {
  const editor = useEditor();
  const name = useEditorState((state) => state.record.name);
  const editable = useEditorState(mayEdit);
  const [text, setText] = useState(null); // what is typed, until it is taken over on leaving the field
  const keep = async () => {
    if (text?.trim() && text.trim() !== name) await editor.renameFlow(text.trim());
    setText(null);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter") event.target.blur();
    if (event.key === "Escape") setText(null);
  };
  return html`<input className="flow-name" aria-label="Name of the flow" value=${text ?? name} readOnly=${!editable} maxLength="64" title=${name}
    onChange=${(event) => setText(event.target.value)} onBlur=${keep} onKeyDown=${onKeyDown} />`;
}

function StateChip() {
  const unsaved = useEditorState(isUnsaved);
  const saving = useEditorState((state) => state.saving);
  const savedAt = useEditorState((state) => state.savedAt);
  const message = useEditorState((state) => state.saveMessage);
  const record = useEditorState((state) => state.record);
  const draftVersion = useEditorState((state) => state.draftVersion);
  const viewing = useEditorState((state) => state.viewing);
  const comparison = useEditorState((state) => state.comparison);
  const state = chipState({ unsaved, saving });
  const { types } = useEditor();
  const changes = useEditorState((state) => changesAgainstLive(state, types));
  const live = liveWords({ record, unsaved, draftVersion, changes });
  if (comparison) return html`<span className="state-chip" data-testid="state-chip" data-state="viewing">Comparison · read-only</span>`;
  if (viewing) return html`<span className="state-chip" data-testid="state-chip" data-state="viewing">Version ${viewing.number} · read-only</span>`;
  return html`<span className="state-chip" data-testid="state-chip" data-state=${state} title=${message || live}>
    <span className="state-dot" />
    <span>${{
      saved: `Draft · saved ${clockTime(savedAt)}`,
      unsaved: "Draft · unsaved",
      saving: "Draft · unsaved, saving…",
      offline: "Draft · unsaved, server away",
      conflict: "Draft · unsaved, conflict",
      failed: "Draft · unsaved, refused",
    }[state]}</span>
    <span className="chip-live">${live}</span>
  </span>`;
}

function liveWords({ record, unsaved, draftVersion, changes }) {
  if (!record.is_active) return "not live";
  if (changes === 0 || (draftVersion === record.active_version && !unsaved)) return "is live";
  return changes ? `${counted(changes, "change")} vs live` : `version ${record.active_version} is live`;
}

let lastCount = { flow: null, live: null, changes: null };

/** How many things differ from the live version; null while that is not known. */
function changesAgainstLive({ flow, live }, types) {
  if (!live) return null;
  if (lastCount.flow !== flow || lastCount.live !== live) lastCount = { flow, live, changes: changeCount(difference(live.document, flow, types)) };
  return lastCount.changes;
}

function chipState({ unsaved, saving }) {
  if (saving === "conflict") return "conflict";
  if (!unsaved) return "saved";
  return { idle: "unsaved", saving: "saving" }[saving] ?? saving;
}

function Undo() {
  const editor = useEditor();
  const past = useEditorState((state) => state.history.past.at(-1)?.label ?? null);
  const future = useEditorState((state) => state.history.future.at(-1)?.label ?? null);
  return html`<span className="button-pair">
    <button type="button" className="icon-button" aria-label="Undo" title=${past ? `Undo: ${past} (Ctrl+Z)` : "Nothing to undo"} disabled=${!past} onClick=${() => editor.undoLast()}><${Icon} name="undo" /></button>
    <button type="button" className="icon-button" aria-label="Redo" title=${future ? `Redo: ${future} (Ctrl+Shift+Z)` : "Nothing to redo"}
      disabled=${!future} onClick=${() => editor.redoLast()}><${Icon} name="redo" /></button>
  </span>`;
}

function Checklist() {
  const editor = useEditor();
  const { types } = editor;
  const problems = useEditorState((state) => problemsOf(state, types));
  const blocking = problems.filter((problem) => problem.severity === "blocking").length;
  const label = problems.length === 0 ? "No problems" : counted(problems.length, "problem");
  const go = (problem, close) => {
    close();
    editor.goToProblem(problem);
  };
  return html`<${Popover} label=${label} testId="checklist" className=${`button is-quiet checklist ${blocking ? "is-error" : problems.length ? "is-warning" : "is-fine"}`}
      face=${html`<${Icon} name=${problems.length ? "warning" : "check"} /><span className="count">${problems.length || ""}</span>`}>
    ${(close) => problems.length === 0
      ? html`<p className="empty-hint">Nothing is in the way: this flow can be activated.</p>`
      : html`<ul className="checklist-rows" data-testid="problems">${problems.map((problem, index) => html`<${ProblemRow} key=${index} problem=${problem} onGo=${(chosen) => go(chosen, close)} />`)}</ul>`}
  </${Popover}>`;
}

function Menu() {
  const editor = useEditor();
  const autosave = useEditorState((state) => state.autosave);
  const editable = useEditorState(mayEdit);
  const items = [
    ["command", "Commands and nodes", "Ctrl+K", () => editor.openCommandPalette()],
    ["layout", "Tidy up", "Shift+Alt+T", () => editor.tidyUp()],
    ["note", "Add a sticky note", "Shift+S", () => editor.addNoteHere()],
    ["download", "Export as JSON", "", () => editor.exportFlow()],
    ["upload", "Import JSON", "", () => editor.importFlow()],
    ["keyboard", "Keyboard shortcuts", "?", () => editor.store.set({ dialog: { kind: "shortcuts" } })],
  ];
  return html`<${Popover} label="More" testId="menu" className="icon-button" face=${html`<${Icon} name="more" />`}>
    ${(close) => html`<div className="menu">
      ${items.map(([icon, label, keys, act]) => html`<button type="button" key=${label} className="menu-item" onClick=${() => { close(); act(); }}>
        <${Icon} name=${icon} /><span>${label}</span><kbd>${keys}</kbd></button>`)}
      <label className="menu-item">
        <input type="checkbox" className="switch" checked=${autosave} disabled=${!editable}
          onChange=${(event) => editor.setAutosave(event.target.checked)} />
        <span>Save the draft by itself</span></label>
    </div>`}
  </${Popover}>`;
}
