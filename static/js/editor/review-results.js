/** How the lists of some users change: cold, light and heavy ones, those who change most first. */
import { useEffect, useRef, useState } from "react";
import { percent } from "../evaluation/numbers.js";
import { html } from "../lib/html.js";
import { useEditor } from "./store.js";
import { counted } from "./wording.js";

const FIRST = 5;

/** Starts by itself, unless drawings ask other machines: that may cost money, and is somebody's decision. */
export function ResultDifference({ version, asksOthers }) {
  const editor = useEditor();
  const [found, setFound] = useState(null);
  const [state, setState] = useState("waiting"); // waiting | running | done | stopped | a sentence on what went wrong
  const under = useRef(null);
  const start = async () => {
    const mine = (under.current = new AbortController());
    setFound(null);
    setState("running");
    try {
      await editor.compareLists(version, setFound, mine.signal);
      setState("done");
    } catch (error) {
      if (error.name !== "AbortError") setState(error.message);
      else if (under.current === mine) setState("stopped");
    }
  };
  const leave = () => {
    const mine = under.current;
    under.current = null;
    mine?.abort();
  };
  useEffect(() => {
    if (asksOthers.length === 0) start();
    return leave;
  }, []);
  const isRunning = state === "running";
  return html`<section data-testid="sample" data-state=${state} aria-busy=${isRunning}><h3 className="review-title">How lists change</h3>
    ${state === "waiting" && html`<p className="field-hint">Both drawings run for about 15 users. ${asksOthers.join(", ")} ${asksOthers.length === 1 ? "asks" : "ask"} other machines then, which may cost money.</p>
      <button type="button" className="button is-small" data-testid="compare-lists" onClick=${start}>Compare the lists</button>`}
    ${isRunning && html`<div className="review-progress"><progress className="bar" max=${found?.users_asked ?? 1} value=${found?.users ?? 0} aria-label="Users compared" />
      <span>${found ? `${found.users} of ${counted(found.users_asked, "user")}` : "Choosing users…"}</span>
      <button type="button" className="button is-small" data-testid="stop-comparing" onClick=${() => under.current?.abort()}>Stop</button></div>`}
    ${found?.users > 0 && html`<${Summary} found=${found} /><${Users} rows=${found.rows} />`}
    ${state === "done" && found.users < found.users_asked && html`<p className="field-hint">${counted(found.users_asked - found.users, "user")} could not be compared in time.</p>`}
    ${state === "stopped" && html`<p className="field-hint">Stopped after ${found?.users ?? 0} of ${counted(found?.users_asked ?? 0, "user")}. <button type="button" className="button is-small" onClick=${start}>Compare again</button></p>`}
    ${!["waiting", "running", "done", "stopped"].includes(state) && html`<p className="field-warning">${state}</p>`}
  </section>`;
}

function Summary({ found }) {
  const groups = found.groups.filter((group) => group.users > 0);
  const rows = [...groups, { group: "all", ...found.summary }];
  return html`<div className="review-scroll" tabIndex="0" role="region" aria-label="How lists change, by group of users">
    <table className="list-table" data-testid="sample-groups">
      <caption className="visually-hidden">How lists change, by group of users</caption>
    <thead><tr><th scope="col">Users</th><th scope="col" className="is-number">Compared</th><th scope="col" className="is-number">Same list</th>
      <th scope="col" className="is-number" title=${`Share of the first ${found.k} items that both lists have; 95 % interval`}>Overlap@${found.k}</th>
      <th scope="col" className="is-number" title="Rank-biased overlap: the same, first ranks counting most; 95 % interval">RBO</th>
      </tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.group}><th scope="row">${row.group}</th><td className="is-number">${row.users}</td><td className="is-number">${row.same}</td>
      <td className="is-number">${estimate(row.overlap)}</td><td className="is-number">${estimate(row.rank_biased_overlap)}</td></tr>`)}</tbody></table></div>`;
}

function Users({ rows }) {
  const [all, setAll] = useState(false);
  const changed = rows.filter((row) => row.rank_biased_overlap < 1);
  if (changed.length === 0) return html`<p className="field-hint">Nobody's list changes.</p>`;
  return html`<ul className="changed-users" data-testid="changed-users">${(all ? changed : changed.slice(0, FIRST)).map((row) => html`<li key=${row.user_id}><details>
      <summary><span className="changed-user">${row.known ? row.user_id : "Somebody new"}</span><span className="tag">${row.group}</span>
        <span className="changed-counts">${`${percent(row.overlap, 0)} overlap · ${row.entered.length} entered · ${row.left.length} left · ${row.moved.length} moved`}</span></summary>
      <dl className="changed-items">${part("Entered", row.entered.map(title))}${part("Left", row.left.map(title))}${part("Moved", row.moved.map((item) => `${title(item)} #${item.rank_before} → #${item.rank}`))}
        ${part("Went wrong before", row.degraded.before)}${part("Goes wrong now", row.degraded.after)}</dl></details></li>`)}</ul>
    ${changed.length > FIRST && !all && html`<button type="button" className="button is-small" onClick=${() => setAll(true)}>Show all ${changed.length} users whose lists change</button>`}`;
}

function part(name, words) {
  return words.length > 0 && html`<dt>${name}</dt><dd>${words.join(", ")}</dd>`;
}

function title(item) {
  return item.title || item.item_id;
}

function estimate({ mean, low, high }) {
  if (mean === null) return "–";
  return low === null || low === high ? mean.toFixed(2) : `${mean.toFixed(2)} (${Math.max(0, low).toFixed(2)} to ${Math.min(1, high).toFixed(2)})`;
}
