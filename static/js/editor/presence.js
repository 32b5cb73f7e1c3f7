/** Tells the others that have this flow open what this window is at, and hears of them and of what they save. */
import { isUnsaved } from "./saving.js";
import { NOBODY } from "./people.js";
import { watch } from "./store.js";

const EDITING_MS = 30_000; // how long after a change somebody counts as editing
const PAUSE_MS = 250; // a lasso selects many times a second

export function createPresence(store, socket, editor) {
  const flowId = store.get().record.id;
  let isOpen = false;
  let wasAway = false;
  let told = "";
  let editedAt = -Infinity;
  let pause = null;
  let rest = null;
  return { start };

  function start() {
    socket.listen({ onMessages: (messages) => messages.forEach(hear), onState: linkChanged });
    watch(store, (state) => state.selection, soon);
    watch(store, (state) => state.flow, () => isUnsaved(store.get()) && edited());
  }

  function linkChanged(link) {
    isOpen = link === "open";
    if (!isOpen) {
      wasAway = true;
      return store.set({ people: NOBODY });
    }
    socket.send({ type: "open", flow_id: flowId, ...look() });
    told = JSON.stringify(look());
    if (wasAway) editor.refresh(); // whatever was saved meanwhile
  }

  function hear(message) {
    if (message.event === "ping") socket.send({ type: "look", ...look() });
    if (message.event === "presence") store.set({ people: message.people });
    if (message.event === "flow.changed") editor.hearOfChange(message);
  }

  function edited() {
    editedAt = Date.now();
    clearTimeout(rest);
    rest = setTimeout(tell, EDITING_MS + PAUSE_MS);
    soon();
  }

  function soon() {
    pause ??= setTimeout(() => {
      pause = null;
      tell();
    }, PAUSE_MS);
  }

  function tell() {
    const now = JSON.stringify(look());
    if (!isOpen || now === told) return;
    told = now;
    socket.send({ type: "look", ...look() });
  }

  function look() {
    return { is_editing: Date.now() - editedAt < EDITING_MS, node_id: store.get().selection.nodes.at(-1) ?? null };
  }
}
