/** What opens over the editor: the review before activation, versions, a conflict, the sheet of keys. */
import { useState } from "react";
import { html } from "../lib/html.js";
import { AddMenu, CommandPalette } from "./add-menu.js";
import { indexed } from "./flow-index.js";
import { DELETED } from "./flow-merge.js";
import { Modal } from "./modal.js";
import { nameOf } from "./node-types.js";
import { CLIPBOARD_KEYS, shortcutsFor } from "./shortcuts.js";
import { useEditor, useEditorState } from "./store.js";
import { ReviewDialog } from "./review-dialog.js";
import { VersionsDialog } from "./versions-dialog.js";
import { fieldName, shortValue } from "./wording.js";

const KINDS = { add: AddMenu, commands: CommandPalette, review: ReviewDialog, versions: VersionsDialog, conflict: ConflictDialog, copied: CopiedDialog, shortcuts: ShortcutSheet };

export function Dialogs() {
  const dialog = useEditorState((state) => state.dialog);
  if (!dialog) return null;
  const Kind = KINDS[dialog.kind];
  return html`<${Kind} dialog=${dialog} />`;
}

function ConflictDialog() {
  const editor = useEditor();
  const conflict = useEditorState((state) => state.conflict);
  const [busy, setBusy] = useState(false);
  if (!conflict) return null;
  const nodeOf = (id) => indexed(conflict.mine).node(id) ?? indexed(conflict.common.saved).node(id); // one side may have deleted it
  const called = ({ node_id: id, name }) => (id ? nameOf(nodeOf(id), editor.types) : name);
  const shown = (value) => (value === DELETED ? html`<em>deleted</em>` : shortValue(value));
  const settle = (choice) => {
    setBusy(true);
    editor.settleConflict(choice).catch((error) => editor.refuse(error.message)).finally(() => setBusy(false));
  };
  return html`<${Modal} title="The same fields were changed by two people" testId="conflict" mustDecide wide
    foot=${html`<button type="button" className="button" disabled=${busy} onClick=${() => settle("copy")}>Keep mine as a copy</button><span className="spacer" />
      <button type="button" className="button" disabled=${busy} onClick=${() => settle("theirs")}>Take theirs</button>
      <button type="button" className="button is-primary" disabled=${busy} onClick=${() => settle("mine")}>Keep mine</button>`}>
    <p>${conflict.author || "Somebody else"} saved this flow meanwhile. Everything else was merged; these fields have two values:</p>
    <table className="change-table"><thead><tr><th>Node</th><th>Field</th><th>Yours</th><th>Theirs</th></tr></thead>
      <tbody>${conflict.conflicts.map((each, index) => html`
        <tr key=${index}><td>${called(each)}</td><td>${fieldName(each.field)}</td>
          <td>${shown(each.mine)}</td><td>${shown(each.theirs)}</td>
        </tr>`)}</tbody></table>
  </${Modal}>`;
}

function CopiedDialog({ dialog }) {
  return html`<${Modal} title="Your version is a flow of its own now" testId="copied">
    <p>It is called “${dialog.flow.name}”. This flow shows what was saved by the other side.</p>
    <p><a className="button" href=${location.pathname.replace(/[^/]+\/?$/, `${dialog.flow.id}`)}>Open my copy</a></p>
  </${Modal}>`;
}

function ShortcutSheet() {
  const editor = useEditor();
  const all = [...shortcutsFor(editor), ...CLIPBOARD_KEYS];
  const groups = [...new Set(all.map((shortcut) => shortcut.group))];
  return html`<${Modal} title="Keyboard shortcuts" testId="shortcuts" wide>
    <div className="shortcut-groups">${groups.map((group) => html`<section key=${group}><h3 className="group-title">${group}</h3>
      <dl className="shortcut-list">${all.filter((shortcut) => shortcut.group === group).map((shortcut) => html`
        <div key=${shortcut.label}><dt>${shortcut.label}</dt><dd><kbd>${shortcut.shown}</kbd></dd></div>`)}
      </dl></section>`)}</div>
  </${Modal}>`;
}
