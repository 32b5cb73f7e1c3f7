/** Numbers as the page writes them; null is what could not be measured. */

export const DASH = "–";

/** @param {number|null} value @param {number} digits behind the point */
export function plain(value, digits = 3) {
  return value == null ? DASH : value.toFixed(digits);
}

/** @param {number|null} value a share in [0, 1] */
export function percent(value, digits = 1) {
  return value == null ? DASH : `${(value * 100).toFixed(digits)} %`;
}

/** With its sign, a real minus among them; what rounds to nothing has none. */
export function signed(value, digits = 3) {
  if (value == null) return DASH;
  const text = Math.abs(value).toFixed(digits);
  const isZero = Number(text) === 0;
  return isZero ? text : `${value < 0 ? "−" : "+"}${text}`;
}

/** The signed share that a change is of the whole: −0.8 %. */
export function signedPercent(value, digits = 1) {
  return value == null ? DASH : `${signed(value * 100, digits)} %`;
}

/** Half the width of an interval, for "0.432 ±0.031". */
function halfWidth(low, high) {
  return low == null || high == null ? null : (high - low) / 2;
}

/** "0.432 ±0.031", or the mean alone where there is no interval. */
export function withInterval(mean, low, high, digits = 3) {
  const half = halfWidth(low, high);
  return half == null ? plain(mean, digits) : `${plain(mean, digits)} ±${half.toFixed(digits)}`;
}

/** @param {number} count */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** Milliseconds and less for quick things, seconds for slow ones. */
export function duration(seconds) {
  if (seconds == null) return DASH;
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}
