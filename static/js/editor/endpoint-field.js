/** Which endpoint a node asks: those that Settings knows. One that is gone stays visible, as an error. */
import { useEffect, useState } from "react";
import { html } from "../lib/html.js";
import { useEditor } from "./store.js";

export function EndpointField({ value, hints, editable, onChange }) {
  const editor = useEditor();
  const [endpoints, setEndpoints] = useState(null);
  useEffect(() => {
    let wanted = true;
    const look = () => editor.listEndpoints({ anew: true }).then((found) => wanted && setEndpoints(found), () => {});
    look();
    window.addEventListener("focus", look); // whoever comes back from Settings may have added one
    return () => {
      wanted = false;
      window.removeEventListener("focus", look);
    };
  }, []);
  const chosen = endpoints?.find((endpoint) => endpoint.name === value);
  const isMissing = endpoints !== null && !chosen;
  return html`<select ...${hints} aria-invalid=${hints["aria-invalid"] || isMissing || Boolean(chosen?.problem)} value=${value ?? ""} disabled=${!editable} onChange=${(event) => onChange(event.target.value)}>
      ${!chosen && html`<option value=${value ?? ""}>${isMissing ? `${value} (not set up)` : value}</option>`}
      ${endpoints?.map((endpoint) => html`<option key=${endpoint.name} value=${endpoint.name}>${endpoint.name}: ${endpoint.model}</option>`)}
    </select>
    ${isMissing && html`<p className="field-problem" data-testid="endpoint-missing">There is no endpoint “${value}”.</p>`}
    ${chosen?.problem && html`<p className="field-problem">${chosen.problem}</p>`}
    ${chosen?.notice && html`<p className="field-warning" data-testid="endpoint-notice">${chosen.notice}</p>`}
    <p className="field-hint"><a href="/settings" target="_blank" rel="noopener">Endpoints in Settings</a></p>`;
}
