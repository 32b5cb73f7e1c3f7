/** A dialog over the page: the focus stays inside and goes back to where it was. */
import { useEffect, useRef } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { useEditor } from "./store.js";

/** Escape and the cross close it, unless something has to be decided. */
export function Modal({ title, wide, children, foot, testId, mustDecide = false }) {
  const { store } = useEditor();
  const element = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current.showModal();
    return () => before?.focus?.();
  }, []);
  const close = (event) => {
    event?.preventDefault?.();
    if (!mustDecide) store.set({ dialog: null });
  };
  return html`<dialog className=${`modal ${wide ? "is-wide" : ""}`} ref=${element} aria-labelledby="modal-title" data-testid=${testId} onCancel=${close}>
    <header className="modal-head"><h2 id="modal-title">${title}</h2>
      ${!mustDecide && html`<button type="button" className="icon-button" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>`}</header>
    <div className="modal-body">${children}</div>
    ${foot && html`<footer className="modal-foot">${foot}</footer>`}
  </dialog>`;
}
