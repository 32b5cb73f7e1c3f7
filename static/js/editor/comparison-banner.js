/** Over a comparison: which two drawings, how much of what kind differs, and what the marks on the canvas mean. */
import { html } from "../lib/html.js";
import { changeCount } from "./flow-diff.js";
import { useEditor } from "./store.js";

export function ComparisonBanner({ comparison }) {
  const editor = useEditor();
  const { before, after, changes } = comparison;
  const kinds = [
    ["added", changes.added.length + changes.edges_added.length],
    ["changed", new Set(changes.changed.map((change) => change.node_id)).size],
    ["removed", changes.removed.length + changes.edges_removed.length],
    ["only moved", changes.moved.length],
  ].filter(([, n]) => n > 0);
  return html`<div className="banner" role="status" data-testid="comparison">
    <span>From ${before} to ${after}: ${changeCount(changes) === 0 ? "nothing differs but places." : ""}
      ${kinds.map(([kind, n]) => html`<span key=${kind} className=${`change-tag is-${kind.split(" ").at(-1)}`}>${n} ${kind}</span>`)}</span>
    <button type="button" className="button is-small" data-testid="close-comparison" onClick=${() => editor.closeVersion()}>Back to the draft</button></div>`;
}
