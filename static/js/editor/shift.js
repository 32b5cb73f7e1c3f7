/** How many places something moved, up in green and down in red, with words for who sees neither. */
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";

export function Shift({ by }) {
  if (!by) return html`<span className="result-shift" />`;
  const direction = by > 0 ? "up" : "down";
  return html`<span className=${`result-shift is-${direction}`}><${Icon} name=${by > 0 ? "chevronUp" : "chevronDown"} size=${12} /><span className="visually-hidden">${direction} </span>${Math.abs(by)}</span>`;
}
