/** What preparing everybody's list with a drawing asks of models: calls, tokens and money. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { useEditor } from "./store.js";
import { counted, money } from "./wording.js";

export function RefreshCost({ version }) {
  const editor = useEditor();
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    editor.refreshCost(version).then(setFound, (error) => setProblem(error.message));
  }, []);
  return html`<section data-testid="refresh-cost" aria-busy=${!found && !problem}><h3 className="review-title">What making everybody's list asks</h3>
    ${!found && !problem && html`<p className="field-hint">Counting…</p>`}
    ${problem && html`<p className="field-warning">${problem}</p>`}
    ${found && html`<${Words} found=${found} />`}</section>`;
}

function Words({ found }) {
  const others = found.also_asked.length > 0 && html`<p className="field-hint">${found.also_asked.join(", ")} ${found.also_asked.length === 1 ? "calls" : "call"} another machine too, once for each of ${counted(found.users, "user")}; what that costs is not known here.</p>`;
  if (found.nodes.length === 0) return html`<p>No model is asked: it costs nothing.</p>${others}`;
  return html`
    <p><b data-testid="cost-in-all">${priced(found, found.currency)}</b> for ${counted(found.users, "user")}: ${counted(found.calls, "call")}, about ${counted(found.tokens, "token")}.</p>
    ${found.nodes.length > 1 && html`<ul className="plain-list">
      ${found.nodes.map((node) => html`<li key=${node.node_id}>${node.name}: ${counted(node.calls, "call")}, about ${counted(node.tokens, "token")}, ${priced(node, found.currency).toLowerCase()}</li>`)}
    </ul>`}
    ${[...new Set(found.nodes.map((node) => node.notice).filter(Boolean))].map((notice) => html`<p className="field-hint" key=${notice}>${notice}</p>`)}
    <p className="field-hint">Estimated from the prompts of ${counted(found.sampled, "user")}. Lists are made again every ${hours(found.expire_s)} and when data change; answers that are still kept are not paid for again.${unpriced(found)}</p>
    ${others}`;
}

function priced({ cost }, currency) {
  if (cost === null) return "The price is unknown";
  return cost === 0 ? "No cost" : `About ${money(cost, currency)}`;
}

function unpriced({ nodes }) {
  const models = [...new Set(nodes.filter((node) => node.cost === null).map((node) => node.model))];
  return models.length > 0 ? ` Nobody has entered a price of ${models.join(", ")} in Settings.` : "";
}

function hours(seconds) {
  return seconds >= 3600 ? counted(Math.round(seconds / 3600), "hour") : counted(Math.round(seconds / 60), "minute");
}
