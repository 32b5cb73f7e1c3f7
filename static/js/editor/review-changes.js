/** What a drawing changes against the live one, each setting old and new, and who did it. */
import { html } from "../lib/html.js";
import { nameOf } from "./node-types.js";
import { useEditor, useEditorState } from "./store.js";
import { counted, dateTime, fieldName, shortValue } from "./wording.js";

export function Changes({ review }) {
  const { types } = useEditor();
  const flow = useEditorState((state) => state.flow);
  const { changes, active } = review;
  const rows = [
    ...changes.added.map((node) => row("Added", node.name, node)),
    ...changes.removed.map((node) => row("Removed", node.name, node)),
    ...ownEdges(changes.edges_added, changes).map((edge) => row("Edge added", edgeWords(flow, edge, types), edge)),
    ...ownEdges(changes.edges_removed, changes).map((edge) => row("Edge removed", edgeWords(flow, edge, types), edge)),
    ...changes.changed.map((change) => row("Changed", `${change.name || change.node_id} · ${fieldName(change.field)}`, change, [change.before, change.after])),
  ];
  const others = changes.edges_added.length + changes.edges_removed.length - rows.filter(({ kind }) => kind.startsWith("Edge")).length;
  return html`<section data-testid="changes"><h3 className="review-title">${rows.length === 0 ? `Same drawing as the live ${active ? "version" : "one"}` : "What changes"}</h3>
    ${!active && html`<p className="field-hint">No version is live: the flow of the configuration file answers, or RecFlow's default where that holds none.</p>`}
    ${rows.length > 0 && html`<div className="review-scroll" tabIndex="0" role="region" aria-label="What changes">
      <table className="change-table has-authors"><thead><tr><th>Change</th><th>Where</th><th>Live now</th><th>From now on</th><th>By</th></tr></thead>
      <tbody>
      ${rows.map(({ kind, where, values, author, at }, index) => html`<tr key=${index}><td><span className=${`change-tag is-${kind.split(" ").at(-1).toLowerCase()}`}>${kind}</span></td><td>${where}</td>
        ${values ? values.map((value, place) => html`<td key=${place}><code>${shortValue(value)}</code></td>`) : html`<td></td><td></td>`}<td title=${dateTime(at)}>${author}</td></tr>`)}
    </tbody></table></div>`}
    ${others > 0 && html`<p className="field-hint">${counted(others, "edge")} of added and removed nodes ${others === 1 ? "is" : "are"} not listed.</p>`}
    ${changes.moved.length > 0 && html`<p className="field-hint">${counted(changes.moved.length, "node")} only moved on the canvas.</p>`}
  </section>`;
}

/** Edges between nodes that both drawings have: those of an added or removed node came and went with it. */
function ownEdges(edges, { added, removed }) {
  const ids = new Set([...added, ...removed].map((node) => node.node_id));
  return edges.filter(({ source, target }) => !ids.has(source) && !ids.has(target));
}

function row(kind, where, { author, at }, values = null) {
  return { kind, where, values, author: author || "unknown", at };
}

function edgeWords(flow, edge, types) {
  const called = (id) => {
    const node = flow.nodes.find((each) => each.id === id);
    return node ? nameOf(node, types) : id;
  };
  return `${called(edge.source)} → ${called(edge.target)}`;
}
