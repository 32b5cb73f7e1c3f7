/** The actions of what-if: feedback added or left out for previews only, a session of nobody, and back. */
import { AS_IT_IS, SOMEBODY, added, toggleRemoved, withoutAdded } from "./what-if.js";

export function createSupposing(store, editor) {
  return { addFeedback, withdrawFeedback, toggleFeedback, beginSession, asItIs };

  function addFeedback(row) {
    change((whatIf) => added(whatIf, { ...row, time: new Date().toISOString() }));
    editor.announce(`What if: ${row.title || row.item_id} is added for this preview.`);
  }

  function withdrawFeedback(itemId) {
    change((whatIf) => withoutAdded(whatIf, itemId));
  }

  function toggleFeedback(entry) {
    change((whatIf) => toggleRemoved(whatIf, entry));
  }

  /** Nobody in particular; the panel beside the results asks what they did. */
  function beginSession() {
    store.set({ whatIf: SOMEBODY, drawerOpen: true, traced: null, explained: null, compared: null });
    editor.announce("Anonymous session: say what they liked, then run.");
  }

  /** The user as they are. */
  function asItIs({ andRun = false } = {}) {
    store.set({ whatIf: AS_IT_IS });
    editor.announce("Back to the user as they are.");
    if (andRun) editor.run();
  }

  function change(how) {
    store.set(({ whatIf }) => ({ whatIf: how(whatIf) }));
  }
}
