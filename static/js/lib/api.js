/** fetch with JSON both ways, the CSRF token, and errors that carry the server's own sentence. */

class ApiError extends Error {
  /** @param {number} status 0 when the server could not be reached */
  constructor(status, message, body = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
  }
}

/** @returns {{get: Function, lines: Function, post: Function, put: Function, patch: Function, delete: Function}} */
export function createApi(base) {
  const call = (method) => (path, body, options = {}) => request(method, base + path, body, options);
  return { get: (path, options) => request("GET", base + path, undefined, options), lines: (path, onLine, options) => readLines(base + path, onLine, options), post: call("POST"), put: call("PUT"), patch: call("PATCH"), delete: call("DELETE") };
}

/** An answer that comes as lines of JSON, each told as soon as it is there. */
async function readLines(url, onLine, { signal } = {}) {
  const response = await reached(url, { signal, credentials: "same-origin", headers: { Accept: "application/x-ndjson" } });
  if (!response.ok) throw refusal(response, await readJson(response));
  let rest = "";
  for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) onLine(JSON.parse(line));
  }
}

async function request(method, url, body, { signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await reached(url, { method, headers, signal, credentials: "same-origin", body: body && JSON.stringify(body) });
  const answer = await readJson(response);
  if (!response.ok) throw refusal(response, answer);
  return answer;
}

async function reached(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached.");
  }
}

function refusal(response, answer) {
  return new ApiError(response.status, answer?.message ?? `The server answered ${response.status}.`, answer ?? {});
}

async function readJson(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

function csrfToken() {
  const inPage = document.querySelector('meta[name="csrf-token"]')?.content;
  return inPage || document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] || "";
}
