/** A problem as a row that leads to where it is: the node's name, then what is wrong with it. */
import { html } from "../lib/html.js";
import { indexed } from "./flow-index.js";
import { nameOf } from "./node-types.js";
import { useEditor, useEditorState } from "./store.js";

export function ProblemRow({ problem, onGo }) {
  const { types } = useEditor();
  const node = useEditorState((state) => (problem.node_id ? indexed(state.flow).node(problem.node_id) : undefined));
  return html`<li><button type="button" className=${`checklist-row is-${problem.severity}`} onClick=${() => onGo(problem)}>
    <span className="state-dot" /><span><b>${node ? nameOf(node, types) : "Flow"}</b> ${problem.message}</span></button></li>`;
}
