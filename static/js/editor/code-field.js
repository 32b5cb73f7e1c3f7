/** A field for an expression, a template or a script; the code editor is loaded when the first one is shown. */
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { html } from "../lib/html.js";
import { ExpressionValue } from "./expression-value.js";
import { useEditor } from "./store.js";

let loading = null;
const NO_MARKS = Object.freeze([]);

export function CodeField({ field, value, hints, editable, onChange, marks = NO_MARKS }) {
  const { completeExpression } = useEditor();
  const { widget, scope } = field.ui;
  const isExpression = widget === "expression";
  const [code, setCode] = useState(null); // the code editor's module, once it is there
  const area = useRef(null); // the text area that does the work until then
  const host = useRef(null);
  const view = useRef(null);
  const latest = useRef(onChange);
  latest.current = onChange;

  useEffect(() => {
    let wanted = true;
    loading ??= import("./code-editor.js");
    loading.then((module) => wanted && replaceArea(module), () => {
      loading = null; // a text area does the work until the next try
    });
    return () => {
      wanted = false;
    };
  }, []);

  /** Whoever is typing already goes on in the code editor, where the cursor is. */
  const replaceArea = (module) => {
    const typedIn = area.current === document.activeElement ? area.current : null;
    flushSync(() => setCode(module));
    if (typedIn) module.goOn(view.current, { anchor: typedIn.selectionStart, head: typedIn.selectionEnd });
  };

  useLayoutEffect(() => {
    if (!code || !host.current) return undefined;
    view.current = code.openEditor(host.current, {
      text: value ?? "", widget, editable, label: field.title, hints,
      complete: isExpression ? (text, cursor) => completeExpression(scope ?? "score", text, cursor) : null,
      variables: field.ui.variables ?? null,
      onChange: (text) => latest.current(text === "" && field.nullable ? null : text),
    });
    return () => view.current.destroy();
  }, [code, editable]);

  useLayoutEffect(() => {
    if (view.current) code.showText(view.current, value ?? "");
  }, [value]);

  useLayoutEffect(() => {
    if (view.current) code.showValidity(view.current, hints);
  }, [hints["aria-invalid"]]);

  useLayoutEffect(() => {
    if (view.current && !isExpression) code.showMarks(view.current, marks);
  }, [code, editable, marks]);

  const underline = (problems) => view.current && code.showProblems(view.current, problems);
  if (code) {
    return html`<div className="code-field" ref=${host} data-invalid=${hints["aria-invalid"]} />
      ${isExpression && html`<${ExpressionValue} field=${field} text=${value ?? ""} onProblems=${underline} />`}`;
  }
  return html`<textarea ref=${area} rows=${isExpression ? 2 : 6} className="is-code" ...${hints} value=${value ?? ""} readOnly=${!editable} spellCheck="false"
    onChange=${(event) => onChange(event.target.value)} />`;
}
