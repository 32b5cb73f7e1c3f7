/** What a node would send to another machine, and what comes of it, asked of the server without running the flow. */

export function createPreviewing(api) {
  let endpoints = null; // asked for once, until somebody looks again
  return { listEndpoints, showPrompt, sendPrompt, readAnswer, sendRequest };

  /** @returns {Promise<{name: string, model: string, notice: string, problem: string|null}[]>} */
  function listEndpoints({ anew } = {}) {
    if (!endpoints || anew) {
      endpoints = api.get("/endpoints");
      endpoints.catch(() => (endpoints = null));
    }
    return endpoints;
  }

  /** The messages as they would be sent; asks nobody. */
  function showPrompt(question, signal) {
    return api.post("/preview/prompt", question, { signal });
  }

  function sendPrompt(question, signal) {
    return api.post("/preview/prompt/send", question, { signal });
  }

  /** What an answer from elsewhere would be read as; asks nobody. */
  function readAnswer(question, answer, signal) {
    return api.post("/preview/prompt/read", { ...question, answer }, { signal });
  }

  function sendRequest(question, signal) {
    return api.post("/preview/external", question, { signal });
  }
}
