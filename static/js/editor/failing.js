/** Nodes whose calls to other machines fail too often, as the server's log of calls has it: their cards turn amber. */
import { useEffect } from "react";
import { html } from "../lib/html.js";
import { isOver } from "./run-state.js";
import { shownFlow } from "./state.js";
import { useEditor, useEditorState } from "./store.js";

/** The server writes its log in the background; what a run adds is there by then. */
const AFTER_RUN_MS = 1000;

/** Looks when the editor opens, after each run, and when somebody comes back to the page. */
export function useFailing() {
  const { learnFailing } = useEditor();
  const over = useEditorState((state) => (state.run && isOver(state.run) ? state.run.requestId : null));
  useEffect(() => {
    const timer = setTimeout(learnFailing, over === null ? 0 : AFTER_RUN_MS);
    window.addEventListener("focus", learnFailing);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("focus", learnFailing);
    };
  }, [over]);
}

/** The sentence below a card, or in the panel, with the way to the calls it is about. */
export function FailingNote({ nodeId, onCard = false }) {
  const failing = useEditorState((state) => state.failing[nodeId] ?? null);
  const flow = useEditorState((state) => shownFlow(state).name);
  if (!failing) return null;
  const calls = `/settings?${new URLSearchParams({ flow, node: nodeId })}#log`;
  return html`<a className=${onCard ? "card-failing nodrag" : "failing-line"} href=${calls} target="_blank" rel="noopener" tabIndex=${onCard ? -1 : undefined}
    title="Show these calls" data-testid=${onCard ? `failing-${nodeId}` : "failing-line"}>${failing.message}</a>`;
}

/** @returns the part of the editor that learns what fails */
export function createFailing(store, api) {
  return { learnFailing };

  /** A page that cannot learn it goes on without. */
  async function learnFailing() {
    const flow = shownFlow(store.get()).name;
    const found = await api.get(`/calls/failing?${new URLSearchParams({ flow })}`).catch(() => null);
    if (found) store.set({ failing: Object.fromEntries(found.map((entry) => [entry.node_id, entry])) });
  }
}
