/**
 * The one list of document commands. Canvas, keys, menus, paste, import, restore, merge and undo all change the
 * drawing through `apply`, so that whatever started an edit, it is checked, undoable, saved and announced alike. Pure.
 */
import * as drawing from "./flow-document.js";
import { paste } from "./flow-fragment.js";
import { nameOf } from "./node-types.js";

/** name -> how the flow changes, and the words for it ("Undid: ..."). */
const COMMANDS = {
  add: { change: drawing.addNode, label: ({ node }, called) => `add ${called(node.id)}` },
  addOnEdge: { change: drawing.addNodeOnEdge, label: ({ node }, called) => `put ${called(node.id)} on an edge` },
  connect: { change: drawing.connect, label: (args, called) => `connect ${called(args.source)} to ${called(args.target)}` },
  reconnect: { change: drawing.reconnect, label: (args, called) => `lead an edge to ${called(args.target)}` },
  remove: { change: drawing.remove, label: removal },
  removeAndBridge: { change: drawing.removeAndBridge, label: (args, called) => `${removal(args, called)} and reconnect` },
  splice: { change: drawing.splice, label: (args, called) => `put ${called(args.nodeId)} on an edge` },
  move: { change: drawing.move, label: (args, called) => `move ${several(called, Object.keys(args.positions))}` },
  layOut: { change: drawing.move, label: () => "tidy up" },
  renameFlow: { change: drawing.renameFlow, label: ({ name }) => `call the flow ${name}` },
  rename: { change: drawing.changeNode, label: (args, called) => `rename ${called(args.nodeId)}` },
  setSettings: { change: drawing.changeNode, label: (args, called) => `change settings of ${called(args.nodeId)}` },
  takeBack: { change: drawing.changeNode, label: (args, called) => `take back edits of ${called(args.nodeId)}` },
  annotate: { change: drawing.changeNode, label: (args, called) => `write notes on ${called(args.nodeId)}` },
  pin: { change: drawing.changeNode, label: ({ nodeId, values }, called) => `${values.pin ? "pin" : "unpin"} the output of ${called(nodeId)}` },
  toggleDisabled: { change: drawing.toggleDisabled, label: (args, called) => `switch ${several(called, args.nodeIds)}` },
  reorderInputs: { change: drawing.reorderInputs, label: (args, called) => `reorder the inputs of ${called(args.nodeId)}` },
  addNote: { change: drawing.addNote, label: () => "add a sticky note" },
  changeNote: { change: drawing.changeNote, label: () => "write on a sticky note" },
  paste: { change: paste, label: ({ fragment }) => `paste ${count(fragment.nodes.length, "node")}` },
  duplicate: { change: paste, label: ({ fragment }) => `duplicate ${count(fragment.nodes.length, "node")}` },
  import: { change: drawing.replaceFlow, label: () => "import a flow" },
  restore: { change: drawing.replaceFlow, label: ({ version }) => `restore version ${version}` },
  mergeTheirs: { change: drawing.replaceFlow, label: ({ author }) => `merge the changes of ${author}` },
};

/**
 * What a command makes of a flow.
 *
 * @returns {{flow: object, label: string} | {problem: string}} other keys of the outcome (such as `added`) come along
 */
export function apply(flow, kind, args, types) {
  const command = COMMANDS[kind];
  const outcome = command.change(flow, args, types);
  if (outcome.problem) return outcome;
  const find = (id) => flow.nodes.find((node) => node.id === id) ?? outcome.flow.nodes.find((node) => node.id === id);
  const called = (id) => (find(id) ? nameOf(find(id), types) : "a note");
  return { ...outcome, label: command.label(args, called) };
}

function removal({ nodeIds = [], edgeIds = [], noteIds = [] }, called) {
  if (nodeIds.length > 0) return `delete ${several(called, nodeIds)}`;
  return edgeIds.length > 0 ? `delete ${count(edgeIds.length, "edge")}` : `delete ${count(noteIds.length, "note")}`;
}

function several(called, ids) {
  return ids.length === 1 ? called(ids[0]) : count(ids.length, "node");
}

function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
