/** Help while an expression is written, asked of the server: completions, problems, the value for an example. */

export function createExpressing(store, api) {
  return { completeExpression, checkExpression, setExample };

  /** @returns {Promise<{label: string, detail: string}[]>} */
  function completeExpression(scope, text, cursor) {
    return api.post("/expressions/complete", { scope, text, cursor });
  }

  /** @returns {Promise<{problems: {message: string, position: number|null, length: number}[], value: string|null, error: string|null}>} */
  function checkExpression({ scope, expects }, text, exampleId) {
    return api.post("/expressions/check", { scope, expects, text, example_id: exampleId });
  }

  /** The item whose value expressions show from now on. */
  function setExample(exampleItem) {
    store.set({ exampleItem });
  }
}
