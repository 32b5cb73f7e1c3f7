/** The drawing as React Flow wants it: its nodes and edges, made anew only where something about them changed. */
import { useMemo, useRef } from "react";
import { familyIndex, nameOf } from "./node-types.js";
import { CARD, NOTE } from "./places.js";

/** React Flow's nodes, notes first so that cards lie above them. */
export function useNodes(flow, selection, dragged, measured, sizes, editor) {
  const cache = useRef(new Map());
  return useMemo(() => {
    const [nodes, notes] = [new Set(selection.nodes), new Set(selection.notes)];
    const fresh = new Map();
    const current = selection.nodes.find((id) => flow.nodes.some((node) => node.id === id)) ?? flow.nodes[0]?.id;
    const keep = (part, kind, selected) => {
      const position = dragged[part.id] ?? part.position;
      const old = cache.current.get(part.id);
      const size = measured.get(part.id);
      const tabIndex = kind === "note" || part.id === current ? 0 : -1;
      const same = old && old.data.part === part && old.selected === selected && old.position === position && old.measured === size
        && old.domAttributes.tabIndex === tabIndex;
      const made = same ? old : reactFlowNode(part, kind, { position, selected, size, tabIndex }, editor);
      fresh.set(part.id, made);
      return made;
    };
    const result = [
      ...flow.notes.map((note) => keep(note, "note", notes.has(note.id))),
      ...flow.nodes.map((node) => keep(node, "card", nodes.has(node.id))),
    ];
    cache.current = fresh;
    return result;
  }, [flow, selection, dragged, sizes]);
}

function reactFlowNode(part, kind, { position, selected, size, tabIndex }, { types }) {
  const isNote = kind === "note";
  return {
    id: part.id, type: kind, position, selected, data: { part }, measured: size, ...(isNote ? NOTE : CARD),
    ariaLabel: isNote ? `Note: ${part.text || "empty"}` : undefined,
    ariaRole: "group", zIndex: isNote ? 0 : 1, connectable: !isNote,
    className: isNote ? "" : `family-${familyIndex(types, types.get(part.type))}`,
    domAttributes: isNote
      ? { "data-testid": `note-${part.id}`, tabIndex, "aria-roledescription": "sticky note" }
      : { "data-testid": `node-${part.id}`, tabIndex, "aria-labelledby": `about-${part.id}` },
  };
}

/** React Flow's edges; one that leads to a node that is gone is not drawn. */
export function useEdges(flow, selection, types) {
  const cache = useRef(new Map());
  return useMemo(() => {
    const selected = new Set(selection.edges);
    const nodes = new Map(flow.nodes.map((node) => [node.id, node]));
    const fresh = new Map();
    const result = flow.edges.filter((edge) => nodes.has(edge.source) && nodes.has(edge.target)).map((edge) => {
      const old = cache.current.get(edge.id);
      const label = `${nameOf(nodes.get(edge.source), types)} feeds ${nameOf(nodes.get(edge.target), types)}`;
      const same = old && old.data.edge === edge && old.selected === selected.has(edge.id) && old.ariaLabel === label;
      const made = same ? old : {
        id: edge.id, type: "line", source: edge.source, target: edge.target, data: { edge }, selected: selected.has(edge.id),
        ariaLabel: label, focusable: true, domAttributes: { "data-testid": `edge-${edge.source}-${edge.target}`, tabIndex: -1 },
      };
      fresh.set(edge.id, made);
      return made;
    });
    cache.current = fresh;
    return result;
  }, [flow, selection]);
}
