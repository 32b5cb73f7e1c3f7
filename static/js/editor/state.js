/** What the editor knows: every key of the store with what it means and how it begins. */
import { completed } from "./flow-document.js";
import { emptyHistory } from "./history.js";
import { NOBODY } from "./people.js";
import { AS_IT_IS } from "./what-if.js";

export function initialState(record, { readOnly, mayPublish }) {
  const flow = completed(record.draft.document);
  return {
    // the drawing
    flow,
    history: emptyHistory(),
    selection: NOTHING,
    readOnly,
    mayPublish,
    viewing: null, // a version opened for reading: {number, document}

    // saving
    record: withoutDraft(record), // id, is_active, active_version, latest_version
    saved: flow, // the document the server has
    revision: record.draft.revision,
    savedAt: record.draft.saved_at,
    live: null, // the live version of this flow, to count changes against: {number, document}
    worth: null, // what nodes were measured to add, as the server tells it
    draftVersion: record.draft.version, // the version the draft equals, or null
    saving: "idle", // idle | saving | offline | conflict | failed
    saveMessage: "",
    autosave: true,
    conflict: null,

    // checking
    checked: { flow, problems: record.problems ?? [] }, // what the server said of which document

    // running
    run: null,
    link: "open", // open | reconnecting
    people: NOBODY, // who else has this flow open (people.js)
    user: null, // what is known of the run's user: {user_id, known, feedback, recent}
    userId: "",
    whatIf: AS_IT_IS, // feedback that is added or left out in previews only, or nobody in particular
    exampleItem: "", // the item whose value expressions show
    traced: null, // the item whose way is lit: an item of the run's list
    compared: null, // the run's list beside the live one: {label, entered, left, moved} or {waiting} or {problem}
    explained: null, // the answer to "why not X?"
    keptAnswer: null, // a model's answer that the next one is laid beside (answer-comparison.js)
    failing: {}, // node id -> what the log of calls says of a node that fails too often

    // the screen
    panel: "settings", // settings | last-run | notes
    panelOpen: false,
    paletteOpen: hasRoom(),
    drawerOpen: false,
    connecting: null, // an edge being drawn: {nodeId, side, fits}
    mode: null, // a keyboard mode: {kind: "move"|"connect", ...}
    dialog: null,
    refusal: null, // {text, x, y}: why not, at the pointer
    announcement: "", // what the live region says
    toast: null, // what just happened, and what can be done about it (toast.js)
    comparison: null, // two drawings laid over each other: {before, after, changes, marks, edgeMarks}
  };
}

/** Nothing selected. */
export const NOTHING = Object.freeze({ nodes: Object.freeze([]), edges: Object.freeze([]), notes: Object.freeze([]) });

/** The drawing on the canvas: an opened version, or the draft. */
export const shownFlow = (state) => state.viewing?.document ?? state.flow;

export const mayEdit = (state) => !state.readOnly && !state.viewing;

/** On a phone the palette and the panel lie over the canvas: they open only when asked for. */
export function hasRoom() {
  return roomQuery().matches;
}

/** Tells by its "change" of room that comes or goes with the size of the window. */
export function roomQuery() {
  return matchMedia("(min-width: 761px)");
}

function withoutDraft({ draft: _draft, problems: _problems, ...record }) {
  return record;
}
