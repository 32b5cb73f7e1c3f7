/** How people take what is live: the positive feedback rate by day and by active version. */
import { dateTime } from "../lib/times.js";
import { make, table } from "./elements.js";
import { counted, percent } from "./numbers.js";
import { dayChart } from "./svg.js";

export function onlineView(found) {
  const figure = make("figure.chart-frame");
  const seen = found.days.reduce((sum, day) => sum + day.seen, 0);
  const rules = `Positive: ${found.rules.positive.join(", ")}. Seen: those and ${found.rules.read.join(", ")}.`;
  return {
    element: make("article", {},
      make("header.view-head", {}, make("div", {},
        make("h2.view-title", {}, "Positive feedback rate"),
        make("p.view-facts", {}, `Of the items people have seen, the share they like. ${rules}`))),
      seen === 0 ? make("p.empty-hint", {}, `Nobody has seen anything in the last ${counted(found.days.length, "day")}: the rate needs read and positive feedback with times.`) : figure, versionTable(found.versions)),
    redraw: () => seen > 0 && draw(figure, found),
  };
}

function draw(figure, { days, versions }) {
  const marks = versions.map((version) => ({ since: version.since, label: `${shortened(version.flow_name)} v${version.version}`, title: `${version.flow_name}, version ${version.version}, live since ${dateTime(version.since)}` }));
  figure.replaceChildren(
    dayChart(days, marks, { width: Math.max(280, figure.clientWidth), height: 240 }),
    make("figcaption.chart-caption", {}, "By the day (UTC) on which a user first met an item, with 95 % intervals. Recent days may still rise.")
  );
}

function shortened(name, most = 24) {
  return name.length > most ? `${name.slice(0, most - 1)}…` : name;
}

function versionTable(versions) {
  if (versions.length === 0) return make("p.empty-hint", {}, "No version has been activated yet.");
  const columns = [{ label: "Version" }, { label: "Live since" }, { label: "Seen", isNumber: true }, { label: "Liked", isNumber: true }, { label: "Rate", isNumber: true }, { label: "95 % interval", isNumber: true }];
  const rows = [...versions].reverse().map((version) => make("tr", {},
    make("th", { scope: "row" }, `${version.flow_name}, version ${version.version}`),
    make("td", {}, dateTime(version.since)),
    make("td.is-number", {}, version.seen.toLocaleString("en")),
    make("td.is-number", {}, version.positive.toLocaleString("en")),
    make("td.is-number", {}, percent(version.rate)),
    make("td.is-number", {}, version.low == null ? "–" : `${percent(version.low)} to ${percent(version.high)}`)));
  return table("Rate by active version", columns, rows);
}
