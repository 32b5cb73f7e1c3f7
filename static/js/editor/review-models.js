/** Models that a drawing needs and that were never trained: which, how long it takes, and how far it is. */
import { useEffect, useState } from "react";
import { percent } from "../evaluation/numbers.js";
import { html } from "../lib/html.js";
import { mayEdit } from "./state.js";
import { useEditor, useEditorState } from "./store.js";
import { counted } from "./wording.js";

const LOOK_EVERY_MS = 1000;
const LIVE = ["queued", "running"];

export function MissingModels({ version, models }) {
  const editor = useEditor();
  const editable = useEditorState(mayEdit) || Boolean(version);
  const [jobs, setJobs] = useState(() => new Map(models.map((model) => [model.key, model.job])));
  const [problem, setProblem] = useState("");
  const learn = (key, job) => setJobs((before) => new Map(before).set(key, job));
  const watched = [...jobs].filter(([, job]) => LIVE.includes(job?.state)).map(([key, job]) => `${key} ${job.id}`).join();
  useEffect(() => {
    if (!watched) return undefined;
    const look = () => [...jobs].forEach(([key, job]) => LIVE.includes(job?.state) && editor.lookAtJob(job.id).then((news) => learn(key, news), (error) => setProblem(error.message)));
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [watched]);
  const waiting = models.filter(({ key }) => !LIVE.includes(jobs.get(key)?.state) && jobs.get(key)?.state !== "done");
  const trainAll = async () => {
    setProblem("");
    for (const { key } of waiting) {
      await editor.trainMissing(version, key).then((job) => learn(key, job), (error) => setProblem(error.message));
    }
  };
  if (models.length === 0) return null;
  return html`<section data-testid="missing-models"><h3 className="review-title">${counted(models.length, "model")} to train first</h3>
    <ul className="missing-models">${models.map((model) => html`<li key=${model.key} data-state=${jobs.get(model.key)?.state ?? "missing"}>
      <span className="missing-name">${model.label} <span className="missing-about">${[model.about, `for ${model.nodes.join(", ")}`].filter(Boolean).join(" · ")}</span></span>
      <${Progress} job=${jobs.get(model.key)} seconds=${model.seconds} /></li>`)}</ul>
    ${problem && html`<p className="field-problem" role="alert">${problem}</p>`}
    ${waiting.length > 0 && editable && html`<button type="button" className="button is-small" data-testid="train-missing" onClick=${trainAll}>Train now</button>`}
    <p className="field-hint">Activating trains what is missing by itself. Until then, the lists that were made before go on being served.</p>
  </section>`;
}

function Progress({ job, seconds }) {
  if (!job) return html`<span className="missing-state">${seconds < 1 ? "about a second" : `about ${counted(Math.round(seconds), "second")}`}</span>`;
  if (job.state === "done") return html`<span className="missing-state is-good">Trained</span>`;
  if (!LIVE.includes(job.state)) return html`<span className="missing-state is-bad" title=${job.error}>${job.error || "Cancelled"}</span>`;
  return html`<span className="missing-state" title=${job.text}>${job.state === "queued" ? "Waiting" : percent(job.share, 0)}<progress className="bar" max="1" value=${job.share} aria-label="Training" /></span>`;
}
