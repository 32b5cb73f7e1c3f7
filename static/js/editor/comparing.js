/** The drawing beside what is live: the same users, both drawings, and how their lists differ. */
import { completed } from "./flow-document.js";
import { compareLists } from "./list-difference.js";

const SAMPLE = 5;
const TOP = 10;

export function createComparing(editor, api) {
  const { store } = editor;
  return { compareWithLive, sampleDifference };

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

  /**
   * How the top of the list changes for some users, told one by one.
   *
   * @param {object} document the drawing that is to go live
   * @param {(row: {userId: string, entered: object[], left: object[], moved: object[]}) => void} onRow
   */
  async function sampleDifference(document, onRow) {
    const live = await liveFlow();
    if (!live) return;
    const users = await editor.suggestUsers("random", "", SAMPLE);
    for (const { user_id: userId } of users) {
      const [before, after] = await Promise.all([editor.runAside(live.document, userId, TOP), editor.runAside(document, userId, TOP)]);
      onRow({ userId, ...compareLists(before, after) });
    }
  }

  async function liveFlow() {
    const [last] = await api.get("/activations?n=1");
    if (!last) return null;
    const { document } = await api.get(`/flows/${last.flow_id}/versions/${last.version}`);
    return { document: completed(document), label: `${last.flow_name}, version ${last.version}` };
  }
}
