/** Activation as a reviewed release: what blocks, what changes and for whom, what it takes, and a word about why. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { Modal } from "./modal.js";
import { ProblemRow } from "./problem-row.js";
import { Changes } from "./review-changes.js";
import { RefreshCost } from "./review-cost.js";
import { MissingModels } from "./review-models.js";
import { ResultDifference } from "./review-results.js";
import { useEditor } from "./store.js";
import { counted } from "./wording.js";

const CONFLICT = 409;

export function ReviewDialog({ dialog }) {
  const editor = useEditor();
  const { store } = editor;
  const [review, setReview] = useState(null);
  const [error, setError] = useState(null);
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const look = () => editor.review(dialog.version).then(setReview, (failure) => setError(failure.message));
  useEffect(() => {
    look();
  }, []);
  const blocking = review?.problems.filter((problem) => problem.severity === "blocking") ?? [];
  const goTo = (problem) => {
    store.set({ dialog: null });
    editor.goToProblem(problem);
  };
  const activate = async () => {
    setBusy(true);
    setError(null);
    try {
      await editor.activate({ version: dialog.version, note, review });
    } catch (failure) {
      setError(failure.message);
      if (failure.status === CONFLICT) {
        setReview(null); // and all parts of it, which were about something else
        await look();
      }
      if (failure.body?.problems) setReview({ ...review, problems: failure.body.problems });
    } finally {
      setBusy(false);
    }
  };
  const what = dialog.version ? `version ${dialog.version}` : "this draft";
  return html`<${Modal} title=${`Activate ${what}`} testId="review" wide
    foot=${html`<button type="button" className="button" onClick=${() => store.set({ dialog: null })}>Not now</button><span className="spacer" />
      <button type="button" className="button is-primary" data-testid="confirm-activate" disabled=${!review || blocking.length > 0 || busy} onClick=${activate}>${busy ? "Activating…" : "Activate"}</button>`}>
    ${error && html`<p className="field-problem" role="alert">${error}</p>`}
    ${!review && (!error || busy) && html`<p className="empty-hint" aria-busy="true">Comparing with what is live…</p>`}
    ${review && html`
      ${blocking.length > 0 && html`<section data-testid="blocking"><h3 className="review-title is-blocking">${counted(blocking.length, "problem")} in the way</h3>
        <ul className="checklist-rows">${blocking.map((problem, index) => html`<${ProblemRow} key=${index} problem=${problem} onGo=${goTo} />`)}
        </ul></section>`}
      <${Changes} review=${review} />
      ${blocking.length === 0 && html`
        <${MissingModels} version=${dialog.version} models=${review.models} />
        <${ResultDifference} version=${dialog.version} asksOthers=${review.asks_others} />
        <${RefreshCost} version=${dialog.version} />`}
      <label className="field"><span className="field-label">Note<span className="field-unit">for the log</span></span>
        <input type="text" value=${note} maxLength="500" placeholder="What is new and why" onChange=${(event) => setNote(event.target.value)} /></label>
      <p className="field-hint">From this moment the REST API serves ${what}. ${review.active ? "The version that is live now stays in the list; one click there brings it back." : "One click in the list of versions brings back what is live now."}</p>`}
  </${Modal}>`;
}
