/** The right-hand panel about one node: its settings, its last run, notes. Never a modal over the graph. */
import { useRef, useState } from "react";
import { html } from "../lib/html.js";
import { Icon, TypeIcon } from "../lib/icons.js";
import { problemsOfNode } from "./checking.js";
import { indexed } from "./flow-index.js";
import { familyIndex, isOrdered, nameOf } from "./node-types.js";
import { InputList } from "./input-list.js";
import { FailingNote } from "./failing.js";
import { isSame } from "./equality.js";
import { enter } from "./history.js";
import { LastRun } from "./last-run.js";
import { Worth } from "./node-worth.js";
import { PromptPanel } from "./prompt-panel.js";
import { RequestPanel } from "./request-panel.js";
import { SettingsForm } from "./settings-form.js";
import { effectiveSettings, panelHints } from "./settings-schema.js";
import { mayEdit, shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { TrainButton } from "./train-button.js";
import { fieldName, sentenceCase, shortValue } from "./wording.js";

const TABS = [["settings", "Settings"], ["last-run", "Last run"], ["notes", "Notes"]];

/** What the server may ask for beside a form (`ui.panel` of the settings). */
const PANELS = { prompt: PromptPanel, request: RequestPanel };
const NO_MARKS = Object.freeze([]);

export function Inspector() {
  const { store } = useEditor();
  const open = useEditorState((state) => state.panelOpen);
  const nodeId = useEditorState((state) => (state.selection.nodes.length === 1 ? state.selection.nodes[0] : null));
  const node = useEditorState((state) => (nodeId ? indexed(shownFlow(state)).node(nodeId) : null));
  if (!open || !node) return null;
  return html`<${NodePanel} key=${node.id} node=${node} close=${() => store.set({ panelOpen: false })} />`;
}

function NodePanel({ node, close }) {
  const editor = useEditor();
  const { store, types } = editor;
  const type = types.get(node.type);
  const tab = useEditorState((state) => state.panel);
  const editable = useEditorState(mayEdit);
  const problems = useEditorState((state) => problemsOfNode(state, types, node.id));
  const isEntered = useRef(false);
  const panel = useRef(null);
  const hints = type ? panelHints(type.settings, effectiveSettings(type, node.settings)) : {};

  const onFocus = ({ relatedTarget: from }) => {
    const isInside = from ? panel.current.contains(from) : isEntered.current; // a field that went away tells of no blur
    if (!isInside) store.set(({ history, flow }) => ({ history: enter(history, flow) }));
    isEntered.current = true;
  };
  const onBlur = (event) => {
    if (!panel.current?.contains(event.relatedTarget)) isEntered.current = false;
  };
  const onKeyDown = (event) => {
    const confirms = event.key === "Enter" && isPlain(event) && isLine(event.target);
    if (event.defaultPrevented || !(confirms || event.key === "Escape")) return;
    event.preventDefault();
    event.stopPropagation();
    if (!confirms) {
      if (isEntered.current) takeBack(editor, node.id);
      close();
    }
    editor.canvas.focus(node.id); // out of the panel: what was confirmed is no more Escape's to take back
  };
  return html`<aside className=${`inspector ${hints.panel in PANELS ? "has-preview" : ""}`} aria-label=${`Settings of ${nameOf(node, types)}`} ref=${panel}
      onFocus=${onFocus} onBlur=${onBlur} onKeyDown=${onKeyDown} data-testid="inspector">
    <header className=${`inspector-head family-${familyIndex(types, type)}`}>
      <span className="card-icon"><${TypeIcon} type=${type} /></span>
      <${NameField} node=${node} type=${type} editable=${editable} problem=${problems.find((problem) => problem.field === "name")} />
      <button type="button" className="icon-button" aria-label="Close the panel" title="Close the panel" onClick=${close}><${Icon} name="close" /></button>
    </header>
    <div className="tabs" role="tablist" aria-label="About this node">
      ${TABS.map(([id, label]) => html`<button type="button" role="tab" key=${id} id=${`tab-${id}`} aria-selected=${tab === id} aria-controls="inspector-body"
        tabIndex=${tab === id ? 0 : -1} onClick=${() => store.set({ panel: id })} onKeyDown=${(event) => walkTabs(event, store)}>${label}</button>`)}
    </div>
    <div className="inspector-body" id="inspector-body" role="tabpanel" aria-labelledby=${`tab-${tab}`}>
      ${tab === "settings" && html`<${SettingsTab} node=${node} type=${type} problems=${problems} editable=${editable} hints=${hints} />`}
      ${tab === "last-run" && html`<${LastRun} node=${node} />`}
      ${tab === "notes" && html`<${NotesTab} node=${node} editable=${editable} />`}
    </div>
  </aside>`;
}

function SettingsTab({ node, type, problems, editable, hints }) {
  const editor = useEditor();
  const [marks, setMarks] = useState(NO_MARKS);
  const Panel = PANELS[hints.panel];
  const general = problems.filter((problem) => !problem.field);
  return html`
    <${ComparedSettings} nodeId=${node.id} />
    <${FailingNote} nodeId=${node.id} />
    ${general.length > 0 && html`<ul className="problem-list">${general.map((problem) => html`<li key=${problem.message} className=${`problem is-${problem.severity}`}>${problem.message}</li>`)}</ul>`}
    ${type
      ? html`<${SettingsForm} node=${node} type=${type} problems=${problems} editable=${editable} marks=${marks} />`
      : html`<p className="empty-hint">This server does not know the type “${node.type}”. The node and its settings are kept as they are.</p>
          <pre className="raw-settings" tabIndex="0">${JSON.stringify(node.settings, null, 2)}</pre>`}
    ${Panel && html`<${Panel} key=${hints.panel} node=${node} type=${type} hints=${hints} onProblems=${setMarks} />`}
    ${type?.inputs.length > 0 && html`<${InputList} node=${node} ordered=${isOrdered(type)} editable=${editable} />`}
    <${Worth} node=${node} />
    ${type && html`<details className="help"><summary>About ${type.label}</summary>
      <p>${type.summary}</p>${type.help.split(/\n\s*\n/).filter(Boolean).map((paragraph, index) => html`<p key=${index}>${paragraph}</p>`)}</details>`}
    ${editable && html`<div className="inspector-actions">
      ${type?.is_trained && html`<${TrainButton} nodeId=${node.id} />`}
      <button type="button" className="button" onClick=${() => editor.perform("toggleDisabled", { nodeIds: [node.id] })}><${Icon} name="power" size=${14} />${node.disabled ? "Switch on" : "Switch off"}</button>
      <button type="button" className="button" onClick=${() => editor.duplicateSelected()}><${Icon} name="copy" size=${14} />Duplicate</button>
      <button type="button" className="button is-danger" onClick=${() => editor.deleteSelected()}><${Icon} name="trash" size=${14} />Delete</button>
    </div>`}`;
}

/** In a comparison: each value of this node that differs, old and new. */
function ComparedSettings({ nodeId }) {
  const comparison = useEditorState((state) => state.comparison);
  const changes = comparison?.changes.changed.filter((change) => change.node_id === nodeId) ?? [];
  if (changes.length === 0) return null;
  return html`<section data-testid="compared-settings"><h3 className="field-label">What changed</h3>
    <dl className="compared-settings">${changes.map(({ field, before, after }) => html`<div key=${field}><dt>${sentenceCase(fieldName(field))}</dt>
      <dd>${before === undefined ? shortValue(before) : html`<del>${shortValue(before)}</del>`} → <ins>${shortValue(after)}</ins></dd></div>`)}</dl></section>`;
}

function NameField({ node, type, editable, problem }) {
  const editor = useEditor();
  return html`<span className="inspector-name">
    <input className="name-input" id="node-name" aria-label="Name of the node" placeholder=${type?.label ?? node.type} value=${node.name} readOnly=${!editable}
      aria-invalid=${Boolean(problem)} aria-describedby=${problem ? "node-name-problem" : undefined} onChange=${(event) => editor.rename(node.id, event.target.value)} />
    ${problem ? html`<span className="field-problem" id="node-name-problem">${problem.message}</span>`
      : html`<span className="inspector-type">${node.name ? (type?.label ?? node.type) : type && sentenceCase(type.summary)}</span>`}
  </span>`;
}

function NotesTab({ node, editable }) {
  const editor = useEditor();
  const write = (event) => editor.perform("annotate", { nodeId: node.id, values: { notes: event.target.value } }, { key: `${node.id}:notes`, quiet: true });
  return html`<label className="field">
    <span className="field-label">Notes</span>
    <textarea rows="10" value=${node.notes ?? ""} readOnly=${!editable} placeholder="Why this node is here, what was tried" onChange=${write} />
  </label>`;
}

/** Escape: the node is again as it was when the panel was entered, but for what others changed. Undo brings the edits back. */
function takeBack(editor, nodeId) {
  const { flow, history } = editor.store.get();
  const before = indexed(history.entered).node(nodeId);
  const now = indexed(flow).node(nodeId);
  if (before && now && !isSame(before, now)) {
    editor.perform("takeBack", { nodeId, values: { name: before.name, settings: before.settings, notes: before.notes } });
  }
}

/** A field of one line, in which Enter can only mean that it is right so. */
function isLine(target) {
  return target.matches("input:is([type=text], [type=password], :not([type])):not([role=combobox])");
}

function isPlain({ ctrlKey, metaKey, altKey, nativeEvent }) {
  return !(ctrlKey || metaKey || altKey || nativeEvent.isComposing);
}

function walkTabs(event, store) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const index = TABS.findIndex(([id]) => id === store.get().panel);
  const next = TABS[(index + step + TABS.length) % TABS.length][0];
  store.set({ panel: next });
  document.getElementById(`tab-${next}`)?.focus();
}
