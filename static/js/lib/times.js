/** Moments and spans as people say them; pure, with the present as an argument. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @param {string|number} moment ISO text or milliseconds @returns {string} such as "5 min ago" */
export function ago(moment, now = Date.now()) {
  const seconds = Math.max(0, (now - new Date(moment).getTime()) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

/** Local time, written as the server writes dates, whatever the browser's language. @returns {string} such as "1 Mar 2026, 09:05" */
export function dateTime(moment) {
  const date = new Date(moment);
  const [hours, minutes] = [date.getHours(), date.getMinutes()].map((n) => String(n).padStart(2, "0"));
  return `${date.getDate()} ${MONTHS[date.getMonth()]} ${date.getFullYear()}, ${hours}:${minutes}`;
}

/** @param {string} date such as "2026-03-01" @returns {string} such as "1 Mar" */
export function dayOfMonth(date) {
  const [, month, day] = date.split("-").map(Number);
  return `${day} ${MONTHS[month - 1]}`;
}

/** @returns {string} such as "0.4 s" or "3 min 20 s" */
export function duration(from, to) {
  const seconds = Math.max(0, (new Date(to) - new Date(from)) / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
