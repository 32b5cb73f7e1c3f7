/** What a node adds to the flow, as it was measured: a chip on its card, words in its panel, the way to measure it. */
import { useState } from "react";
import { html } from "../lib/html.js";
import { isUnsaved } from "./saving.js";
import { mayEdit } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { dateTime } from "./wording.js";
import { measuresTheSame, worthWords } from "./worth-words.js";

const CHANGED = "The drawing has changed since this was measured.";
const ASKS = { flow: "Measure what this node adds", rankers: "Measure this ranker" };

/** Was something else measured than what is drawn, saved or not? */
const isOfAnother = ({ worth, viewing, saved, flow }) => !worth?.is_this_drawing || (!viewing && !measuresTheSame(saved, flow));

export function WorthChip({ nodeId }) {
  const worth = useEditorState((state) => state.worth);
  const isOld = useEditorState(isOfAnother);
  const words = worthWords(worth, nodeId);
  if (!words?.short) return null;
  return html`<span className=${`card-worth ${isOld ? "is-old" : ""}`} data-testid=${`worth-${nodeId}`} title=${isOld ? `${words.long} ${CHANGED}` : words.long}>${words.short}</span>`;
}

export function Worth({ node }) {
  const worth = useEditorState((state) => state.worth);
  const isOld = useEditorState(isOfAnother);
  const kind = worth?.measurable[node.id];
  const words = worthWords(worth, node.id);
  if (!kind && !words) return null;
  return html`<section className="worth" data-testid="worth"><h3 className="group-title">What it adds</h3>
    ${words && html`<p>${words.long} <span className="worth-when">Measured ${dateTime(worth.measured_at)}, <a href=${`/evaluation#${worth.evaluation_id}`}>all of it</a>.</span></p>`}
    ${words && isOld && html`<p className="field-warning" data-testid="worth-old">${CHANGED}</p>`}
    ${kind && html`<${Measure} kind=${kind} nodeId=${node.id} label=${words ? "Measure again" : ASKS[kind]} />`}
  </section>`;
}

/** What is measured is a version, so that its numbers stay true: a draft that is none is kept as one first. */
function Measure({ kind, nodeId, label }) {
  const editor = useEditor();
  const version = useEditorState((state) => state.viewing?.number ?? (isUnsaved(state) ? null : state.draftVersion));
  const editable = useEditorState(mayEdit);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  if (version) return html`<p><a className="button is-small" data-testid="measure" href=${editor.measureAddress(kind, nodeId, version)}>${label}</a></p>`;
  if (!editable) return html`<p className="field-hint">The draft has to be kept as a version before it can be measured.</p>`;
  const keep = async () => {
    setBusy(true);
    await editor.keepAndMeasure(kind, nodeId).catch((error) => setProblem(error.message));
    setBusy(false);
  };
  return html`<p className="field-hint">A version is measured, and this draft is none yet.</p>
    <p><button type="button" className="button is-small" data-testid="measure" disabled=${busy} onClick=${keep}>Keep as version and ${label.charAt(0).toLowerCase() + label.slice(1)}</button></p>
    ${problem && html`<p className="field-problem" role="alert">${problem}</p>`}`;
}

/** @returns the part of the editor that knows what nodes were measured to be worth */
export function createMeasuring(store, api, editor) {
  let asked = 0;
  return { learnWorth, measureAddress, keepAndMeasure };

  async function learnWorth() {
    const mine = ++asked;
    const { record, viewing } = store.get();
    const version = viewing?.number ? `&version=${viewing.number}` : "";
    const worth = await api.get(`/evaluations/worth?flow_id=${record.id}${version}`).catch(() => null);
    if (mine === asked) store.set({ worth });
  }

  /** A ranker among several is measured alone. */
  function measureAddress(kind, nodeId, version) {
    const { record, worth } = store.get();
    const isOneOfSeveral = kind === "rankers" && Object.values(worth.measurable).filter((each) => each === kind).length > 1;
    return `/evaluation?${new URLSearchParams({ ...(kind === "flow" && { kind }), flow: record.id, version, ...(isOneOfSeveral && { node: nodeId }) })}#new`;
  }

  async function keepAndMeasure(kind, nodeId) {
    await editor.keepVersion("Kept to be measured");
    location.assign(measureAddress(kind, nodeId, store.get().draftVersion));
  }
}
