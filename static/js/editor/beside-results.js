/** Beside the list: the way of the chosen item, why another is not there, the live list, or what the user did lately. */
import { useEffect } from "react";
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { Journey } from "./journey.js";
import { useEditor, useEditorState } from "./store.js";
import { UserLens } from "./user-lens.js";

export function Beside({ run }) {
  const traced = useEditorState((state) => state.traced);
  const explained = useEditorState((state) => state.explained);
  const compared = useEditorState((state) => state.compared);
  useEffect(() => {
    document.querySelector(".drawer-body").scrollTop = 0; // on a phone it stands above the list
  }, [traced, explained, compared]);
  if (explained) return html`<aside className="beside" tabIndex="0" aria-label="Why not"><${BackToUser} /><${Explanation} explained=${explained} flow=${run.flow} /></aside>`;
  if (compared) return html`<aside className="beside" tabIndex="0" aria-label="Compared with the live version" data-testid="compared"><${BackToUser} /><${Comparison} compared=${compared} /></aside>`;
  if (traced) return html`<aside className="beside" tabIndex="0" aria-label="Journey of the item"><${BackToUser} /><h3 className="beside-title">${traced.title || traced.item_id}</h3><${Journey} item=${traced} flow=${run.flow} /></aside>`;
  return html`<aside className="beside" tabIndex="0" aria-label="About the user" data-testid="lens"><${UserLens} run=${run} /></aside>`;
}

function BackToUser() {
  const { store } = useEditor();
  return html`<button type="button" className="icon-button is-back" aria-label="Back to the user" title="Back to the user" data-testid="back-to-user" onClick=${() => store.set({ traced: null, explained: null, compared: null })}><${Icon} name="close" size=${14} /></button>`;
}

function Comparison({ compared }) {
  if (compared.waiting) return html`<p className="empty-hint" aria-busy="true">Running the live version…</p>`;
  if (compared.problem) return html`<p className="field-problem">${compared.problem}</p>`;
  const rows = [["entered", "Entered", (item) => `#${item.rank}`], ["left", "Left", (item) => `was #${item.rank}`], ["moved", "Moved", (item) => `#${item.from} → #${item.to}`]];
  const same = rows.every(([key]) => compared[key].length === 0);
  return html`<h3 className="beside-title">Against ${compared.label}</h3>
    ${same && html`<p className="empty-hint">The live version gives the same list.</p>`}
    ${rows.filter(([key]) => compared[key].length > 0).map(([key, label, place]) => html`<section key=${key} className="compared" data-testid=${key}>
      <h4 className="group-title">${label} <span className="count">${compared[key].length}</span></h4>
      <ul className="feedback-list">${compared[key].map((item) => html`<li key=${item.item_id} data-item=${item.item_id}><span className="feedback-title" title=${item.item_id}>${item.title || item.item_id}</span><span className="compared-place">${place(item)}</span></li>`)}</ul></section>`)}`;
}

function Explanation({ explained, flow }) {
  if (explained.waiting) return html`<p className="empty-hint" aria-busy="true">Asking…</p>`;
  return html`<h3 className="beside-title">Why not ${explained.title || explained.item_id}?</h3>
    <p className="verdict" data-testid="verdict">${explained.verdict}</p>
    <${Journey} item=${{ ...explained, rank: null }} flow=${flow} />`;
}
