/** Problems of the drawing: what the browser sees at once and what the server says of it a moment later. */
import { isSame } from "./equality.js";
import { watch } from "./store.js";
import { effectiveSettings, settingsProblems } from "./settings-schema.js";

const PAUSE_MS = 250;

/** Ask the server about every new drawing, after a short pause. */
export function createChecking(store, api) {
  let timer = null;
  let asked = 0;
  return { start: () => watch(store, (state) => state.flow, () => schedule()) };

  function schedule() {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  }

  async function ask() {
    const { flow, checked } = store.get();
    if (checked.flow === flow) return;
    asked += 1;
    const mine = asked;
    try {
      const { problems } = await api.post("/flows/check", { document: flow });
      if (mine === asked) store.set({ checked: { flow, problems } });
    } catch {
      // Offline: what the browser sees itself still shows, and saving says that the server is away.
    }
  }
}

let memory = { flow: null, checked: null, problems: [] };

/**
 * Every problem of the shown drawing. Settings are judged here at once; the rest is the server's latest word, as far
 * as what it spoke of has not changed since.
 */
export function problemsOf(state, types) {
  const { flow, checked } = state;
  if (memory.flow === flow && memory.checked === checked) return memory.problems;
  const own = flow.nodes.flatMap((node) => ownProblems(node, types));
  const told = new Set(own.map(keyOf));
  const theirs = checked.problems.filter((problem) => !told.has(keyOf(problem)) && stillHolds(problem, checked.flow, flow));
  memory = { flow, checked, problems: [...own, ...theirs] };
  return memory.problems;
}

const noProblems = Object.freeze([]);
let byNode = { problems: null, map: new Map() };

/** The problems of one node, always the same array for the same problems. */
export function problemsOfNode(state, types, nodeId) {
  const problems = problemsOf(state, types);
  if (byNode.problems !== problems) {
    byNode = { problems, map: new Map() };
    for (const problem of problems) {
      if (!problem.node_id) continue;
      if (!byNode.map.has(problem.node_id)) byNode.map.set(problem.node_id, []);
      byNode.map.get(problem.node_id).push(problem);
    }
  }
  return byNode.map.get(nodeId) ?? noProblems;
}

function ownProblems(node, types) {
  const type = types.get(node.type);
  if (!type) return [];
  const severity = node.disabled ? "warning" : "blocking";
  const found = settingsProblems(type.settings, effectiveSettings(type, node.settings));
  const problems = found.map(({ field, message }) => ({ severity, code: "bad_setting", message, node_id: node.id, field, edge_id: null }));
  const name = nameProblem(node.name, types.limits.name);
  return name ? [...problems, { severity, code: "bad_name", message: name, node_id: node.id, field: "name", edge_id: null }] : problems;
}

function nameProblem(name, most) {
  if (name.includes("/")) return `A name has no "/", got "${name}".`;
  return name.length > most ? `A name has at most ${most} characters, got ${name.length}.` : null;
}

/** A remark about a node is old as soon as the node, or for its wiring the edges, differ from what was checked. */
function stillHolds(problem, checkedFlow, flow) {
  if (checkedFlow === flow) return true;
  if (problem.edge_id) return flow.edges.some((edge) => edge.id === problem.edge_id);
  if (!problem.node_id) return true;
  const now = flow.nodes.find((node) => node.id === problem.node_id);
  if (!now) return false;
  if (!problem.field) return true;
  const before = checkedFlow.nodes.find((node) => node.id === problem.node_id);
  const [top] = problem.field.split(".");
  return top === "name" ? now.name === before?.name : isSame(now.settings[top], before?.settings[top]);
}

function keyOf({ node_id: nodeId, field }) {
  return `${nodeId}:${field?.split(".")[0]}`;
}
