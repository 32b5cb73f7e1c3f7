/** One setting as a form field: the control its schema and `ui` hint ask for, with its hint and its problem. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { CodeField } from "./code-field.js";
import { EndpointField } from "./endpoint-field.js";
import { typeOf } from "./settings-schema.js";

export function Field({ field, value, problem, marks, editable, onChange, onPreset, settings }) {
  const id = `setting-${field.name}`;
  const Control = controlFor(field);
  const hints = { id, "aria-invalid": Boolean(problem), "aria-describedby": `${id}-hint`, "aria-required": field.required || undefined };
  const isSwitch = Control === Switch;
  return html`<div className=${`field ${isSwitch ? "is-switch" : ""} ${problem ? "has-problem" : ""}`} data-field=${field.name}>
    <div className="field-top">
      <label className="field-label" htmlFor=${id} id=${`${id}-label`}>${field.title}${field.ui.unit && html`<span className="field-unit">${field.ui.unit}</span>`}</label>
      ${field.ui.presets && editable && html`<${Presets} presets=${field.ui.presets} onPreset=${onPreset} />`}
    </div>
    <${Control} field=${field} value=${value} hints=${hints} editable=${editable} onChange=${onChange} settings=${settings} marks=${marks} />
    <div id=${`${id}-hint`}>
      ${problem && html`<p className=${problem.severity === "warning" ? "field-warning" : "field-problem"}>${problem.message}</p>`}
      ${field.schema.description && html`<p className="field-hint">${field.schema.description}</p>`}
    </div>
  </div>`;
}

function controlFor(field) {
  const { widget } = field.ui;
  if (["expression", "template", "script"].includes(widget)) return CodeField;
  if (widget === "rules" || widget === "list") return ListField;
  if (widget === "textarea") return TextArea;
  if (widget === "secret") return SecretField;
  if (widget === "endpoint") return EndpointField;
  if (field.schema.enum) return Choice;
  const byType = { boolean: Switch, integer: NumberField, number: NumberField, string: TextField };
  const type = typeOf(field.schema);
  if (type === "array" && typeOf(field.items ?? {}) === "string") return ListField;
  return byType[type] ?? JsonField;
}

function TextField({ field, value, hints, editable, onChange }) {
  const change = ({ target }) => onChange(target.value === "" && field.nullable ? null : target.value);
  return html`<input type="text" ...${hints} value=${value ?? ""} readOnly=${!editable} spellCheck="false" autoComplete="off"
    placeholder=${placeholderOf(field)} onChange=${change} />`;
}

function TextArea({ field, value, hints, editable, onChange }) {
  return html`<textarea rows="4" ...${hints} value=${value ?? ""} readOnly=${!editable} placeholder=${placeholderOf(field)} onChange=${(event) => onChange(event.target.value)} />`;
}

function SecretField({ field, value, hints, editable, onChange }) {
  return html`<input type="password" ...${hints} value=${value ?? ""} readOnly=${!editable} autoComplete="new-password" placeholder=${placeholderOf(field)}
    onChange=${(event) => onChange(event.target.value)} />`;
}

/** A number as it is typed: "-" and "1e" are on the way to one, and an emptied field is no number at all. */
function NumberField({ field, value, hints, editable, onChange }) {
  const [text, setText] = useState(shownNumber(value));
  useEffect(() => {
    if (readNumber(text) !== (value ?? null)) setText(shownNumber(value));
  }, [value]);
  const change = ({ target }) => {
    setText(target.value);
    onChange(readNumber(target.value));
  };
  return html`<input type="text" inputMode=${typeOf(field.schema) === "integer" ? "numeric" : "decimal"} ...${hints} value=${text} readOnly=${!editable}
    autoComplete="off" placeholder=${placeholderOf(field)} onChange=${change} />`;
}

function Choice({ field, value, hints, editable, onChange }) {
  const known = field.schema.enum.includes(value);
  const choose = ({ target }) => onChange(field.schema.enum.find((option) => String(option) === target.value) ?? null);
  return html`<select ...${hints} value=${value ?? ""} disabled=${!editable} onChange=${choose}>
    ${field.nullable && html`<option value="">None</option>`}
    ${!known && !field.nullable && html`<option value=${value ?? ""}>${String(value ?? "Choose")}</option>`}
    ${field.schema.enum.map((option) => html`<option key=${option} value=${option}>${words(option)}</option>`)}
  </select>`;
}

function Switch({ value, hints, editable, onChange }) {
  return html`<input type="checkbox" role="switch" className="switch" ...${hints} checked=${Boolean(value)} disabled=${!editable} onChange=${(event) => onChange(event.target.checked)} />`;
}

/** A list of texts as chips: Enter or a comma adds one, Backspace in the empty field takes the last. */
function ListField({ field, value, hints, editable, onChange }) {
  const [text, setText] = useState("");
  const entries = Array.isArray(value) ? value : [];
  const isNumbers = ["number", "integer"].includes(typeOf(field.items ?? {}));
  const add = () => {
    const parts = text.split(",").map((part) => part.trim()).filter(Boolean);
    const fresh = isNumbers ? parts.map(readNumber) : parts.filter((part) => !entries.includes(part));
    setText("");
    if (fresh.length > 0) onChange([...entries, ...fresh]);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" || event.key === ",") {
      event.preventDefault();
      add();
    } else if (event.key === "Backspace" && text === "" && entries.length > 0) onChange(entries.slice(0, -1));
  };
  return html`<div className="chips-field">
    ${entries.map((entry, index) => html`<span className="chip" key=${`${entry}:${index}`}>${String(entry)}
      ${editable && html`<button type="button" className="chip-remove" aria-label=${`Remove ${entry}`}
        onClick=${() => onChange(entries.filter((_, place) => place !== index))}>
        <${Icon} name="close" size=${10} /></button>`}
      </span>`)}
    <input type="text" ...${hints} value=${text} readOnly=${!editable} placeholder=${entries.length === 0 ? placeholderOf(field) ?? "Add, then Enter" : "Add"} autoComplete="off"
      onChange=${(event) => setText(event.target.value)} onKeyDown=${onKeyDown} onBlur=${add} />
  </div>`;
}

/** Anything without a control of its own, as JSON: applied when it can be read. */
function JsonField({ value, hints, editable, onChange }) {
  const [text, setText] = useState(() => JSON.stringify(value ?? null, null, 2));
  const [broken, setBroken] = useState(false);
  const change = ({ target }) => {
    setText(target.value);
    try {
      onChange(JSON.parse(target.value));
      setBroken(false);
    } catch {
      setBroken(true);
    }
  };
  return html`<textarea rows="5" className="is-code" ...${hints} aria-invalid=${broken || hints["aria-invalid"]} value=${text} readOnly=${!editable} spellCheck="false" onChange=${change} />
    ${broken && html`<p className="field-problem">This is no JSON yet; the last value that was counts.</p>`}`;
}

function Presets({ presets, onPreset }) {
  const choose = (event) => {
    const preset = presets[Number(event.target.value)];
    if (preset) onPreset(preset.values);
    event.target.value = "";
  };
  return html`<select className="presets" aria-label="Presets" defaultValue="" onChange=${choose}>
    <option value="" disabled>Presets</option>
    ${presets.map((preset, index) => html`<option key=${preset.label} value=${index}>${preset.label}</option>`)}
  </select>`;
}

function placeholderOf(field) {
  const { default: fallback, examples } = field.schema;
  if (["string", "number"].includes(typeof fallback) && fallback !== "") return String(fallback);
  return examples?.[0] ?? (field.nullable ? "None" : undefined);
}

function shownNumber(value) {
  return value === null || value === undefined ? "" : String(value);
}

/** null for an empty field; the text itself when it is no number, so that the check can name it. */
function readNumber(text) {
  const trimmed = text.trim().replace(",", ".");
  if (trimmed === "") return null;
  const number = Number(trimmed);
  return Number.isFinite(number) ? number : text;
}

function words(option) {
  const text = String(option).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
