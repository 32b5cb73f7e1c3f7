/** What the review before activation asks of the server: the changes, the lists of some users, models, costs. */

export function createReviewing(store, api) {
  const path = `/flows/${store.get().record.id}`;
  const of = (version) => (version ? `?version=${version}` : "");
  return { review, compareLists, refreshCost, trainMissing, lookAtJob };

  function review(version) {
    return api.get(`${path}/review${of(version)}`);
  }

  /**
   * The lists of the live version beside those of this one, for some users, told after each of them.
   *
   * @param {(found: object) => void} onStep what is known so far, see docs/protocol.md
   * @param {AbortSignal} signal ends the work on the server too
   */
  function compareLists(version, onStep, signal) {
    return api.lines(`${path}/result-difference?progress=true${version ? `&version=${version}` : ""}`, onStep, { signal });
  }

  function refreshCost(version) {
    return api.get(`${path}/refresh-cost${of(version)}`);
  }

  async function trainMissing(version, key) {
    const { jobs } = await api.post("/jobs", { kind: "fit", flow_id: store.get().record.id, model: key, ...(version && { version }) });
    return jobs[0];
  }

  function lookAtJob(id) {
    return api.get(`/jobs/${id}`);
  }
}
