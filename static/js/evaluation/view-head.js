/** The top of a measurement: what it was, on which data, with which seed, and its files. */
import { dateTime } from "../lib/times.js";
import { make } from "./elements.js";
import { counted } from "./numbers.js";

/** @param {{api: string, onForget: Function|null}} actions @param {HTMLElement[]} more buttons of this view */
export function viewHead(run, { api, onForget }, more = []) {
  const link = (format) => make("a.button.is-small", { href: `${api}/evaluations/${run.id}/export?format=${format}`, download: "" }, format.toUpperCase());
  return make("header.view-head", {},
    make("div", {}, make("h2.view-title", {}, run.title), make("p.view-facts", {}, facts(run))),
    make("div.view-actions", {}, more, run.report && [link("csv"), link("json")], onForget && make("button.button.is-small.is-quiet", { type: "button", on: { click: onForget } }, "Delete")));
}

function facts(run) {
  const { report } = run;
  const when = dateTime(run.finished_at ?? run.created_at);
  const data = report && `${counted(report.data.users, "user")}, ${counted(report.data.items, "item")}, ${counted(report.data.positive, "like")}`;
  return [
    report && `${counted(report.users, "user")} asked`, `seed ${run.settings.seed}`, data && `data: ${data}`, report && `version ${report.data.version.slice(0, 18)}`, when, run.author && `by ${run.author}`, report && `took ${report.seconds.toFixed(0)} s`,
  ].filter(Boolean).join(" · ");
}
