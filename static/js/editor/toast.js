/** A quiet line over the canvas about what just happened, with one thing to do about it. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { useEditor, useEditorState } from "./store.js";

const READ_MS = 7000;
const DECIDE_MS = 30_000;

/** `state.toast` is {text, action?: {label, testId, act}}; it stays while the pointer or the focus is on it. */
export function Toast() {
  const { store } = useEditor();
  const toast = useEditorState((state) => state.toast);
  const [held, setHeld] = useState(false);
  const close = () => {
    setHeld(false);
    if (store.get().toast === toast) store.set({ toast: null });
  };
  useEffect(() => {
    if (!toast || held) return undefined;
    const timer = setTimeout(close, toast.action ? DECIDE_MS : READ_MS);
    return () => clearTimeout(timer);
  }, [toast, held]);
  if (!toast) return null;
  const hold = { onMouseEnter: () => setHeld(true), onMouseLeave: () => setHeld(false), onFocus: () => setHeld(true), onBlur: () => setHeld(false) };
  return html`<div className="toast" data-testid="toast" ...${hold}>
    <span>${toast.text}</span>
    ${toast.action && html`<button type="button" className="button is-small" data-testid=${toast.action.testId} onClick=${toast.action.act}>${toast.action.label}</button>`}
    <button type="button" className="icon-button" aria-label="Close this notice" onClick=${close}><${Icon} name="close" size=${14} /></button>
  </div>`;
}
