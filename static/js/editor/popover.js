/** A button with a small panel under it, closed by Escape, a click elsewhere, or what it holds. */
import { useEffect, useRef, useState } from "react";
import { html } from "../lib/html.js";

/** @param {{label: string, face: object, className: string, testId?: string, children: (close: Function) => object}} props */
export function Popover({ label, face, className, testId, children }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);
  const close = () => setOpen(false);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => !root.current?.contains(event.target) && close();
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || !open) return;
    event.preventDefault();
    event.stopPropagation();
    close();
    root.current.querySelector("button").focus();
  };
  return html`<div className="popover-root" ref=${root} onKeyDown=${onKeyDown}>
    <button type="button" className=${className} data-testid=${testId} aria-label=${label} title=${label} aria-expanded=${open} aria-haspopup="true" onClick=${() => setOpen(!open)}>${face}</button>
    ${open && html`<div className="popover">${children(close)}</div>`}
  </div>`;
}
