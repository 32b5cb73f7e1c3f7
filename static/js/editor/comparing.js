/** The drawing beside what is live: the same user, both drawings, and how their lists differ. */
import { completed } from "./flow-document.js";
import { compareLists } from "./list-difference.js";

const TOP = 10;

export function createComparing(editor, api) {
  const { store } = editor;
  return { compareWithLive };

  /** Beside the list of the last run: the live version's list for the same user. */
  async function compareWithLive() {
    const { run } = store.get();
    const show = (compared) => store.get().run === run && store.set({ compared, traced: null, explained: null });
    show({ waiting: true });
    try {
      const live = await liveFlow();
      if (!live) return show({ problem: "Nothing is live yet." });
      const before = await editor.runAside(live.document, run.userId, run.items.length || TOP, run.whatIf);
      show({ label: live.label, ...compareLists(before, run.items) });
    } catch (error) {
      show({ problem: error.message });
    }
  }

  async function liveFlow() {
    const [last] = await api.get("/activations?n=1");
    if (!last) return null;
    const { document } = await api.get(`/flows/${last.flow_id}/versions/${last.version}`);
    return { document: completed(document), label: `${last.flow_name}, version ${last.version}` };
  }
}
