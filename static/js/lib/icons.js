/** Our own pictures, 20 by 20, drawn with one stroke width. Node types name the one they want in the schema. */
import { html } from "./html.js";

const PICTURES = {
  // for node types
  database: "M4 5.5c0-1.4 2.7-2.5 6-2.5s6 1.1 6 2.5S13.3 8 10 8 4 6.9 4 5.5Zm0 0v9C4 15.9 6.7 17 10 17s6-1.1 6-2.5v-9M4 10c0 1.4 2.7 2.5 6 2.5s6-1.1 6-2.5",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm0-11v4l2.5 1.5",
  flame: "M10 17c3 0 5-2.1 5-4.9 0-3.3-2.7-4.6-3.3-8.1-1.8.9-2.9 2.7-2.7 4.9-.9-.4-1.5-1.2-1.7-2.2C5.9 8.1 5 9.9 5 12.1 5 14.9 7 17 10 17Z",
  grid: "M3.5 3.5h5v5h-5zM11.5 3.5h5v5h-5zM3.5 11.5h5v5h-5zM11.5 11.5h5v5h-5z",
  link: "M8.5 11.5a3 3 0 0 0 4.2 0l2.4-2.4a3 3 0 0 0-4.2-4.2l-.9.9M11.5 8.5a3 3 0 0 0-4.2 0l-2.4 2.4a3 3 0 0 0 4.2 4.2l.9-.9",
  users: "M8 9.5a2.8 2.8 0 1 0 0-5.5 2.8 2.8 0 0 0 0 5.5ZM3 16c.3-2.6 2.3-4 5-4s4.7 1.4 5 4M13 4.3a2.8 2.8 0 0 1 0 5M14.5 12.2c1.5.6 2.4 1.9 2.5 3.8",
  globe: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM3 10h14M10 3c2 2 2.9 4.3 2.9 7S12 15 10 17c-2-2-2.9-4.3-2.9-7S8 5 10 3Z",
  merge: "M4 4c0 4 2 6 6 6h6M4 16c0-4 2-6 6-6M13 7l3 3-3 3",
  funnel: "M3.5 4.5h13l-5 6v5l-3 1.5v-6.5z",
  spread: "M10 10 4.5 4.5M10 10l5.5-5.5M10 10v6.5M4.5 8V4.5H8M12 4.5h3.5V8M7.5 14l2.5 2.5 2.5-2.5",
  bars: "M4 5h12M4 10h8M4 15h4",
  lifebuoy: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm0-4.2a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM5 5l3 3M12 12l3 3M15 5l-3 3M8 12l-3 3",
  flag: "M5 17V3.5M5 4.5h9.5l-2 3.25 2 3.25H5",
  node: "M10 3 16 6.5v7L10 17l-6-3.5v-7zM4 6.5 10 10l6-3.5M10 10v7",
  // for the editor
  activate: "M10 16.5V4M4.5 9 10 3.5 15.5 9",
  check: "m4 10.5 4 4 8-9",
  chevronDown: "m5 7.5 5 5 5-5",
  chevronLeft: "m12.5 5-5 5 5 5",
  chevronRight: "m7.5 5 5 5-5 5",
  chevronUp: "m5 12.5 5-5 5 5",
  close: "m5 5 10 10M15 5 5 15",
  command: "M7.5 7.5h5v5h-5zM7.5 7.5V5.8a1.8 1.8 0 1 0-1.7 1.7zM12.5 7.5V5.8a1.8 1.8 0 1 1 1.7 1.7zM7.5 12.5v1.7a1.8 1.8 0 1 1-1.7-1.7zM12.5 12.5v1.7a1.8 1.8 0 1 0 1.7-1.7z",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  shuffle: "M3.5 6H6c3.5 0 4.5 8 8 8h2.5M3.5 14H6c1.3 0 2.2-1.1 3-2.6M11 8.6C11.8 7.1 12.7 6 14 6h2.5M14.5 4l2 2-2 2M14.5 12l2 2-2 2",
  download: "M10 3.5V12M6 8.5 10 12.5l4-4M4 16h12",
  fit: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
  grip: "M8 5.5h.01M12 5.5h.01M8 10h.01M12 10h.01M8 14.5h.01M12 14.5h.01",
  history: "M4 6v3.5h3.5M4.3 9.5A6 6 0 1 1 5.5 14M10 7v3.5l2.5 1.5",
  keyboard: "M3 5.5h14v9H3zM6 8.5h.01M9 8.5h.01M12 8.5h.01M14.5 8.5h.01M6.5 11.5h7",
  layout: "M3.5 4h4.5v4H3.5zM12 4h4.5v4H12zM12 12h4.5v4H12zM8 6h4M10 6v8h2",
  minus: "M5 10h10",
  moon: "M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5Z",
  more: "M4.6 10a.4.4 0 1 0 .8 0a.4.4 0 1 0-.8 0M9.6 10a.4.4 0 1 0 .8 0a.4.4 0 1 0-.8 0M14.6 10a.4.4 0 1 0 .8 0a.4.4 0 1 0-.8 0",
  note: "M4 4h12v8l-4 4H4zM16 12h-4v4",
  panel: "M3.5 4h13v12h-13zM8 4v12",
  pin: "M7 3.5h6M8 3.5v5L5.5 11.5h9L12 8.5v-5M10 11.5V17",
  play: "M6.5 4.5v11l9-5.5z",
  plus: "M10 4.5v11M4.5 10h11",
  power: "M10 3.5V10M6.3 5.5a6 6 0 1 0 7.4 0",
  redo: "M12.5 4.5 16 8l-3.5 3.5M16 8H8.5a4 4 0 0 0 0 8H11",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11Zm4-1.5 3.5 3.5",
  snow: "M10 3v14M4 6.5l12 7M16 6.5l-12 7",
  stop: "M5.5 5.5h9v9h-9z",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10M8.5 9v4.5M11.5 9v4.5",
  undo: "M7.5 4.5 4 8l3.5 3.5M4 8h7.5a4 4 0 0 1 0 8H9",
  upload: "M10 12.5V4M6 7.5l4-4 4 4M4 16h12",
  warning: "M10 3.5 17.5 16h-15zM10 8v4M10 14h.01",
};

/** Is there a picture of this name? */
const hasIcon = (name) => Object.hasOwn(PICTURES, name);

/** One picture, hidden from screen readers: the words beside it or the button's label say it. */
export function Icon({ name, size = 16 }) {
  return html`<svg className="icon" width=${size} height=${size} viewBox="0 0 20 20" aria-hidden="true">
    <path d=${PICTURES[name] ?? PICTURES.node} />
  </svg>`;
}

/** The picture of a node type, or the first letters of its label when it names none we have. */
export function TypeIcon({ type, size = 18 }) {
  if (type && hasIcon(type.icon)) return html`<${Icon} name=${type.icon} size=${size} />`;
  const letters = (type?.label ?? "?").split(/[\s-]+/).map((word) => word[0]).join("").slice(0, 2);
  return html`<span className="icon-letters" aria-hidden="true">${letters}</span>`;
}
