/** Mounts the editor; the only file that runs on load. */
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { createApi } from "../lib/api.js";
import { openSocket } from "../lib/socket.js";
import { createChecking } from "./checking.js";
import { createComparing } from "./comparing.js";
import { createEditing } from "./editing.js";
import { Editor } from "./editor.js";
import { createFailing } from "./failing.js";
import { createExpressing } from "./expressing.js";
import { createModes } from "./keyboard-modes.js";
import { createNavigating } from "./navigating.js";
import { readSchema } from "./node-types.js";
import { createMeasuring } from "./node-worth.js";
import { createPresence } from "./presence.js";
import { createPreviewing } from "./previewing.js";
import { createReleasing } from "./releasing.js";
import { createReviewing } from "./reviewing.js";
import { createRunning } from "./running.js";
import { createSaving } from "./saving.js";
import { createSupposing } from "./supposing.js";
import { listenToKeys } from "./shortcuts.js";
import { staleNodes } from "./staleness.js";
import { initialState, shownFlow } from "./state.js";
import { createStore, EditorContext, watch } from "./store.js";
import { createTraining } from "./train-button.js";

const page = JSON.parse(document.getElementById("page-data").textContent);
const root = document.getElementById("editor");

open().catch((error) => {
  root.textContent = `The editor could not be opened: ${error.message}`;
  throw error;
});

async function open() {
  const api = createApi(page.api);
  const [schema, record] = await Promise.all([fetchSchema(), api.get(`/flows/${page.flow_id}`)]);
  const types = readSchema(schema);
  const store = createStore(initialState(record, { readOnly: page.user.role === "viewer", mayPublish: page.user.role === "publisher" }));
  const socket = openSocket(page.ws_path);
  const editor = { store, types, me: page.user.name, canvas: {}, attachCanvas: (controls) => void Object.assign(editor.canvas, controls), staleReason: staleReasons(types) };
  Object.assign(editor, createEditing(store, types, editor));
  Object.assign(editor, createNavigating(editor), createModes(editor));
  const saving = createSaving(store, api, editor);
  const running = createRunning(store, api, socket, editor);
  Object.assign(editor, saving, running, createReleasing(editor, api), createReviewing(store, api), createComparing(editor, api), createExpressing(store, api), createPreviewing(api), createFailing(store, api), createTraining(store, api, editor), createMeasuring(store, api, editor));
  Object.assign(editor, createSupposing(store, editor));
  const mounted = createRoot(root);
  mounted.render(createElement(EditorContext.Provider, { value: editor }, createElement(Editor)));
  saving.start();
  running.start();
  createPresence(store, socket, editor).start();
  editor.chooseUser(new URLSearchParams(location.search).get("user") ?? "");
  editor.learnLive();
  editor.learnWorth();
  watch(store, (state) => state.viewing?.number ?? state.saved, () => editor.learnWorth());
  watch(store, (state) => state.record.active_version, () => editor.learnLive());
  createChecking(store, api).start();
  listenToKeys(editor);
}

async function fetchSchema() {
  const response = await fetch(page.schema_url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`the table of node types could not be read (${response.status})`);
  return response.json();
}

/** Why a node's result is out of date, worked out once for each pair of drawing and run. */
function staleReasons(types) {
  let last = { flow: null, of: null, reasons: new Map() };
  return (state, nodeId) => {
    const flow = shownFlow(state);
    const of = state.run?.flow ?? null;
    if (last.flow !== flow || last.of !== of) last = { flow, of, reasons: staleNodes(flow, state.run, types) };
    return state.run?.nodes[nodeId] ? (last.reasons.get(nodeId) ?? null) : null;
  };
}
