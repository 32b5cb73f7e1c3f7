/**
 * The one list of document commands. Canvas, keys, menus, paste, import, restore, merge and undo all change the
 * drawing through `apply`, so that whatever started an edit, it is checked, undoable, saved and announced alike. Pure.
 */
import * as document from "./flow-document.js";
import { paste } from "./flow-fragment.js";

/** name -> how the flow changes, and the words for it ("Undid: ..."). */
export const COMMANDS = {
  add: { change: document.addNode, label: ({ node }) => `add ${node.name}` },
  addOnEdge: { change: document.addNodeOnEdge, label: ({ node }) => `put ${node.name} on an edge` },
  connect: { change: document.connect, label: (args, flow) => `connect ${name(flow, args.source)} to ${name(flow, args.target)}` },
  reconnect: { change: document.reconnect, label: (args, flow) => `lead an edge to ${name(flow, args.target)}` },
  remove: { change: document.remove, label: removal },
  removeAndBridge: { change: document.removeAndBridge, label: (args, flow) => `${removal(args, flow)} and reconnect` },
  splice: { change: document.splice, label: (args, flow) => `put ${name(flow, args.nodeId)} on an edge` },
  move: { change: document.move, label: (args, flow) => `move ${several(flow, Object.keys(args.positions))}` },
  layOut: { change: document.move, label: () => "tidy up" },
  rename: { change: document.changeNode, label: (args, flow) => `rename ${name(flow, args.nodeId)}` },
  setSettings: { change: document.changeNode, label: (args, flow) => `change settings of ${name(flow, args.nodeId)}` },
  takeBack: { change: document.changeNode, label: (args, flow) => `take back edits of ${name(flow, args.nodeId)}` },
  annotate: { change: document.changeNode, label: (args, flow) => `write notes on ${name(flow, args.nodeId)}` },
  pin: { change: document.changeNode, label: (args, flow) => `pin the output of ${name(flow, args.nodeId)}` },
  toggleDisabled: { change: document.toggleDisabled, label: (args, flow) => `switch ${several(flow, args.nodeIds)}` },
  reorderInputs: { change: document.reorderInputs, label: (args, flow) => `reorder the inputs of ${name(flow, args.nodeId)}` },
  addNote: { change: document.addNote, label: () => "add a sticky note" },
  changeNote: { change: document.changeNote, label: () => "write on a sticky note" },
  paste: { change: paste, label: ({ fragment }) => `paste ${count(fragment.nodes.length, "node")}` },
  duplicate: { change: paste, label: ({ fragment }) => `duplicate ${count(fragment.nodes.length, "node")}` },
  import: { change: document.replaceFlow, label: () => "import a flow" },
  restore: { change: document.replaceFlow, label: ({ version }) => `restore version ${version}` },
  merge: { change: document.replaceFlow, label: ({ author }) => `merge the changes of ${author}` },
};

/**
 * What a command makes of a flow.
 *
 * @returns {{flow: object, label: string} | {problem: string}} other keys of the outcome (such as `added`) come along
 */
export function apply(flow, kind, args, types) {
  const command = COMMANDS[kind];
  const outcome = command.change(flow, args, types);
  return outcome.problem ? outcome : { ...outcome, label: command.label(args, flow) };
}

function removal({ nodeIds = [], edgeIds = [], noteIds = [] }, flow) {
  if (nodeIds.length > 0) return `delete ${several(flow, nodeIds)}`;
  return edgeIds.length > 0 ? `delete ${count(edgeIds.length, "edge")}` : `delete ${count(noteIds.length, "note")}`;
}

function several(flow, ids) {
  return ids.length === 1 ? name(flow, ids[0]) : count(ids.length, "node");
}

function name(flow, id) {
  return flow.nodes.find((node) => node.id === id)?.name ?? "a note";
}

function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
