/** fetch with JSON both ways, the CSRF token, and errors that carry the server's own sentence. */

export class ApiError extends Error {
  /** @param {number} status 0 when the server could not be reached */
  constructor(status, message, body = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
  }
}

/** @returns {{get: Function, post: Function, put: Function, patch: Function}} */
export function createApi(base) {
  const call = (method) => (path, body, options = {}) => request(method, base + path, body, options);
  return { get: (path, options) => request("GET", base + path, undefined, options), post: call("POST"), put: call("PUT"), patch: call("PATCH") };
}

async function request(method, url, body, { signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, { method, headers, signal, credentials: "same-origin", body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached.");
  }
  const answer = await readJson(response);
  if (!response.ok) throw new ApiError(response.status, answer?.message ?? `The server answered ${response.status}.`, answer ?? {});
  return answer;
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
