/** Every run that is kept, newest first: its state, how far it is, and boxes to lay two side by side. */
import { dateTime } from "../lib/times.js";
import { make } from "./elements.js";
import { counted } from "./numbers.js";

const WORDS = { queued: "Waiting", running: "Running", done: "", failed: "Failed", cancelled: "Cancelled" };

/**
 * @param {HTMLElement} element the list
 * @param {{mayEdit: boolean, onCancel: (run: object) => void, onCompare: (ids: number[]) => void}} owner
 */
export function runList(element, owner) {
  let picked = [];
  return { draw };

  function draw(runs, chosen) {
    const open = Array.isArray(chosen) ? chosen : [];
    if (open.length > 1) picked = open; // what is laid side by side is ticked, however one came to it
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    element.replaceChildren(...(runs.length ? runs.map((run) => row(run, open, runs, chosen)) : [make("li.empty-hint", {}, "Nothing measured yet.")]));
    if (focused) element.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  function row(run, open, runs, chosen) {
    const isOpen = open.includes(run.id);
    const isLive = ["queued", "running"].includes(run.state);
    const link = make("a.run-link", { href: `#${run.id}`, data: { key: `open-${run.id}`, testid: `run-${run.id}` } }, run.title);
    if (isOpen) link.setAttribute("aria-current", "true");
    return make(`li.run-row${isOpen ? ".is-open" : ""}`, {},
      make("div.run-row-words", {}, link, make("span.run-row-sub", {}, about(run))),
      run.state === "done" && pick(run, runs, chosen),
      isLive && owner.mayEdit && make("button.button.is-small", { type: "button", data: { key: `cancel-${run.id}` }, ariaLabel: `Cancel ${run.title}`, on: { click: () => owner.onCancel(run) } }, "Cancel"),
      isLive && progressBar(run));
  }

  function pick(run, runs, chosen) {
    const box = make("input", { type: "checkbox", checked: picked.includes(run.id), ariaLabel: `Compare ${run.title}`, title: "Compare two: tick both", data: { key: `pick-${run.id}` } });
    box.addEventListener("change", () => {
      picked = box.checked ? [...picked, run.id].slice(-2) : picked.filter((id) => id !== run.id);
      const isCompared = Array.isArray(chosen) && chosen.length > 1 && chosen.includes(run.id);
      if (picked.length === 2 || isCompared) owner.onCompare(picked);
      else draw(runs, chosen);
    });
    return box;
  }
}

export function progressBar(run) {
  return make("progress.progress", { max: 1, value: run.share, ariaLabel: `Progress of ${run.title}` });
}

function about(run) {
  const when = dateTime(run.created_at);
  const { users, shots } = run.settings;
  const size = users ? counted(users, "user") : "all users";
  const depth = shots ? `${shots.join(", ")} ${shots.length === 1 && shots[0] === 1 ? "shot" : "shots"}` : "";
  return [WORDS[run.state] ?? run.state, when, size, depth, `seed ${run.settings.seed}`].filter(Boolean).join(" · ");
}
