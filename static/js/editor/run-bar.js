/** Bottom center of the canvas: for whom, and Run, which becomes Stop. */
import { html } from "../lib/html.js";
import { Icon } from "../lib/icons.js";
import { isOver } from "./run-state.js";
import { useEditor, useEditorState } from "./store.js";
import { UserPicker } from "./user-picker.js";
import { counted, duration } from "./wording.js";

export function RunBar() {
  const editor = useEditor();
  const { store } = editor;
  const run = useEditorState((state) => state.run);
  const link = useEditorState((state) => state.link);
  const busy = Boolean(run) && !isOver(run);
  return html`<div className="run-bar" role="group" aria-label="Preview">
    <${UserPicker} />
    ${busy
      ? html`<button type="button" className="button is-stop" data-testid="cancel" disabled=${run.cancelling}
        title="Stop (Ctrl+Alt+Enter)" onClick=${() => editor.cancel()}>
        <${Icon} name="stop" size=${14} />${run.cancelling ? "Stopping" : "Stop"}</button>`
      : html`<button type="button" className="button is-run" data-testid="run" title="Run the drawing as it stands (Ctrl+Enter)" onClick=${() => editor.run()}><${Icon} name="play" size=${14} />Run</button>`}
    <${RunWord} run=${run} link=${link} busy=${busy} open=${() => store.set({ drawerOpen: true })} />
  </div>`;
}

function RunWord({ run, link, busy, open }) {
  const word = link === "reconnecting" && (busy || !run) ? "Reconnecting…" : runWord(run);
  if (!word) return null;
  return html`<button type="button" className="run-word" data-testid="run-state" data-status=${link === "reconnecting" && busy ? "reconnecting" : run?.status} title="Show the results" onClick=${open}>${word}</button>`;
}

function runWord(run) {
  if (!run) return "";
  if (run.status === "finished") return `${counted(run.items.length, "item")} · ${duration(run.ms)}`;
  return { sent: "Starting…", running: "Running…", cancelled: "Cancelled", rejected: "Not run", lost: "Lost" }[run.status];
}
