/** HTML elements in one line; texts are always text. */

/**
 * @param {string} tag such as "p.field-hint"
 * @param {object} properties of the element; ``data`` and ``aria`` are spread, ``on`` holds listeners
 */
export function make(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const { data = {}, aria = {}, on = {}, ...others } = properties;
  const made = Object.assign(document.createElement(name), others);
  made.classList.add(...classes.filter(Boolean));
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(`aria-${key}`, value);
  for (const [event, act] of Object.entries(on)) made.addEventListener(event, act);
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

/** A table with a caption for those who do not see what stands around it. */
export function table(caption, columns, rows) {
  const head = make("tr", {}, columns.map((column) => make(column.isNumber ? "th.is-number" : "th", { scope: "col", title: column.title ?? "" }, column.label)));
  return make("div.table-scroll", { tabIndex: 0, role: "region", ariaLabel: caption }, make("table.data-table", {}, make("caption.visually-hidden", {}, caption), make("thead", {}, head), make("tbody", {}, rows)));
}
