/** The form of a node's settings, drawn from its JSON Schema and the `ui` hints in it. */
import { useRef } from "react";
import { html } from "../lib/html.js";
import { Field } from "./fields.js";
import { effectiveSettings, fieldsFor, kindsOf, titleOf, unknownSettings, withKind } from "./settings-schema.js";
import { useEditor } from "./store.js";

const NO_MARKS = Object.freeze([]);

/** @param {{marks?: {field: string, line: number|null, column: number|null, message: string}[]}} props marks: places in templates where something is wrong */
export function SettingsForm({ node, type, problems, editable, marks = NO_MARKS }) {
  const editor = useEditor();
  const settings = effectiveSettings(type, node.settings);
  const kinds = kindsOf(type.settings);
  const fields = fieldsFor(type.settings, settings);
  const problemOf = (name) => problems.find((problem) => problem.field?.split(".")[0] === name);
  const marksOf = marksByField(marks);
  const set = (name, value) => editor.setSetting(node, { ...settings, [name]: value }, name);
  const remove = (name) => editor.setSetting(node, Object.fromEntries(Object.entries(settings).filter(([each]) => each !== name)), name);
  const groups = grouped(fields);
  const unknown = unknownSettings(type, node.settings);
  if (!kinds && fields.length + unknown.length === 0) return html`<p className="empty-hint">This node has no settings.</p>`;
  const draw = (field) => html`<${Field} key=${`${settings[kinds?.name] ?? ""}:${field.name}`} field=${field} editable=${editable}
    value=${settings[field.name] === undefined ? field.schema.default : settings[field.name]} settings=${settings} problem=${problemOf(field.name)} marks=${marksOf.get(field.name) ?? NO_MARKS}
    onChange=${(value) => set(field.name, value)} onPreset=${(values) => editor.setSetting(node, { ...settings, ...values }, "preset")} />`;
  return html`<div className="settings-form" data-testid="settings-form">
    ${kinds && html`<${KindField} kinds=${kinds} value=${settings[kinds.name]} problem=${problemOf(kinds.name)} editable=${editable}
      node=${node} type=${type} settings=${settings} />`}
    ${groups.plain.map(draw)}
    ${[...groups.named].map(([name, members]) => html`<details className="field-group" key=${name} open=${members.some((field) => problemOf(field.name)) || undefined}>
      <summary>${name}</summary>${members.map(draw)}</details>`)}
    ${unknown.map((name) => html`<${UnknownField} key=${name} name=${name} value=${node.settings[name]} problem=${problemOf(name)} onRemove=${editable && (() => remove(name))} />`)}
  </div>`;
}

/** A setting that this server does not know: shown as it is, to be removed by hand and never by itself. */
function UnknownField({ name, value, problem, onRemove }) {
  return html`<div className="field has-problem" data-field=${name}>
    <div className="field-top"><span className="field-label">${titleOf(name)}</span>
      ${onRemove && html`<button type="button" className="button is-small" aria-label=${`Remove the setting ${name}`} onClick=${onRemove}>Remove</button>`}</div>
    <pre className="raw-settings" tabIndex="0">${JSON.stringify(value, null, 2)}</pre>
    <p className="field-problem">${problem?.message ?? `This server does not know the setting ${name}.`}</p>
  </div>`;
}

function KindField({ kinds, value, problem, editable, node, type, settings }) {
  const editor = useEditor();
  const left = useRef(new Map()); // settings of kinds looked at before, so that looking at another loses nothing
  const chosen = kinds.options.find((option) => option.value === value);
  const choose = (event) => {
    left.current.set(value, settings);
    const next = left.current.get(event.target.value) ?? withKind(type.settings, settings, event.target.value);
    editor.setSetting(node, next, kinds.name);
  };
  return html`<div className="field" data-field=${kinds.name}>
    <label className="field-label" htmlFor="setting-kind">${titleOf(kinds.name)}</label>
    <select id="setting-kind" value=${value ?? ""} disabled=${!editable} onChange=${choose} aria-invalid=${Boolean(problem)} aria-describedby="setting-kind-hint">
      ${kinds.options.map((option) => html`<option key=${option.value} value=${option.value}>${option.title}</option>`)}
      ${!chosen && html`<option value=${value ?? ""}>${String(value)}</option>`}
    </select>
    <p className=${problem ? "field-problem" : "field-hint"} id="setting-kind-hint">${problem?.message ?? chosen?.description?.split("\n")[0]}</p>
  </div>`;
}

const byField = new WeakMap();

/** Field -> its marks, the same arrays for the same marks. */
function marksByField(marks) {
  if (!byField.has(marks)) byField.set(marks, Map.groupBy(marks.filter((mark) => mark.line !== null), (mark) => mark.field));
  return byField.get(marks);
}

function grouped(fields) {
  const named = new Map();
  for (const field of fields.filter((each) => each.ui.group)) named.set(field.ui.group, [...(named.get(field.ui.group) ?? []), field]);
  return { plain: fields.filter((field) => !field.ui.group), named };
}
