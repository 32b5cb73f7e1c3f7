/** "Train now" on a node that needs a fitted model: asks for a job and says where to watch it. */
import { useState } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { useEditor } from "./store.js";

export function TrainButton({ nodeId }) {
  const editor = useEditor();
  const [state, setState] = useState({ busy: false, text: "" });
  const train = async () => {
    setState({ busy: true, text: "" });
    const text = await editor.train(nodeId).catch((error) => error.message);
    setState({ busy: false, text });
    editor.announce(text);
  };
  return html`
    <button type="button" className="button" data-testid="train" disabled=${state.busy} onClick=${train}>
      <${Icon} name="play" size=${14} />Train now</button>
    ${state.text && html`<p className="field-hint">${state.text} <a href="/tasks">Tasks</a></p>`}`;
}

/** @returns the part of the editor that asks for trainings */
export function createTraining(store, api, editor) {
  return { train };

  /** Fit the models of a node of the draft, which is saved first; the answer is a sentence. */
  async function train(nodeId) {
    await editor.saveNow();
    const { jobs } = await api.post("/jobs", { kind: "fit", flow_id: store.get().record.id, node_id: nodeId });
    return `${jobs.map((job) => job.title).join(", ")}: asked for.`;
  }
}
