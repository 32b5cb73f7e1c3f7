/** What feeds a node: a line for each input, in order where the order counts, and a choice of what else may. */
import { useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { inputsOf, refusal } from "./connecting.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";
import { shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";

export function InputList({ node, ordered, editable }) {
  const editor = useEditor();
  const { types } = editor;
  const flow = useEditorState(shownFlow);
  const [dragged, setDragged] = useState(null);
  const edges = inputsOf(flow, node.id);
  const called = (edge) => nameOf(indexed(flow).node(edge.source) ?? { name: edge.source }, types);
  const candidates = flow.nodes.filter((other) => refusal(flow, other.id, node.id, types) === null);
  const sortable = ordered && editable && edges.length > 1;

  const move = (from, to) => {
    if (to < 0 || to >= edges.length || from === to) return;
    const ids = edges.map((edge) => edge.id);
    ids.splice(to, 0, ...ids.splice(from, 1));
    editor.perform("reorderInputs", { nodeId: node.id, edgeIds: ids }, { quiet: true });
    editor.announce(`${called(edges[from])} is now input ${to + 1} of ${edges.length}.`);
  };
  const onKeyDown = (event, index) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !sortable) return;
    event.preventDefault();
    move(index, index + step);
    document.querySelectorAll(".input-grip")[index + step]?.focus();
  };
  const drop = (event, index) => {
    event.preventDefault();
    if (dragged !== null) move(dragged, index);
    setDragged(null);
  };
  return html`<section className="inputs" aria-label="Inputs">
    <h3 className="field-label">Inputs${ordered && html`<span className="field-unit">in this order</span>`}</h3>
    <ol className="input-rows" data-testid="inputs">
      ${edges.map((edge, index) => html`<li key=${edge.id} className=${`input-row ${dragged === index ? "is-dragged" : ""}`} draggable=${sortable}
          onDragStart=${() => setDragged(index)} onDragOver=${(event) => event.preventDefault()} onDrop=${(event) => drop(event, index)}>
        ${sortable && html`<button type="button" className="input-grip icon-button" aria-label=${`Move ${called(edge)}: up and down arrows`} title="Drag, or press the up and down arrows"
          onKeyDown=${(event) => onKeyDown(event, index)}><${Icon} name="grip" size=${14} /></button>`}
        ${ordered && html`<span className="order-badge">${index + 1}</span>`}
        <span className="input-name" title=${called(edge)}>${called(edge)}</span>
        ${editable && html`<button type="button" className="icon-button" aria-label=${`Disconnect ${called(edge)}`} title="Disconnect"
          onClick=${() => editor.perform("remove", { edgeIds: [edge.id] })}>
          <${Icon} name="close" size=${12} /></button>`}
      </li>`)}
    </ol>
    ${editable && candidates.length > 0 && html`<select aria-label="Connect another node to this one" value=""
      onChange=${(event) => editor.perform("connect", { source: event.target.value, target: node.id })}>
      <option value="">Connect from…</option>
      ${candidates.map((other) => html`<option key=${other.id} value=${other.id}>${nameOf(other, types)}</option>`)}
    </select>`}
    ${edges.length === 0 && html`<p className="field-hint">Nothing feeds this node yet.</p>`}
  </section>`;
}
