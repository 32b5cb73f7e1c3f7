"""Fitted models: kept, shared, renumbered, and never half there."""

import errno
import gc
import json
import weakref

import numpy as np
import pytest

from dashboard import artifacts as artifact_files
from dashboard.artifacts import KEPT_VERSIONS, LEFT_OVER_S, ArtifactStore
from dashboard.jobs.fitting import fit_missing, models_of_flow
from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.engine.flow import load_flow
from recflow.errors import NotTrained
from recflow.nodes.starters import STARTERS

FLOW = load_flow(STARTERS["classic"].document)
FEEDBACK = [(f"u{u}", f"i{i}", "like", 1.0, u + i) for u in range(6) for i in range(6) if (u + i) % 2 == 0]


def snapshot(item_ids, version="1"):
    users = [UserRow(f"u{n}") for n in range(6)]
    items = [ItemRow(item_id) for item_id in sorted(item_ids)]
    return build_snapshot(users, items, FEEDBACK, version=version, taken_at=100)


@pytest.fixture
def data():
    return snapshot([f"i{n}" for n in range(6)])


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def artifacts(tmp_path, clock):
    def tick():
        clock[0] += 1
        return clock[0]

    return ArtifactStore(tmp_path, tick)


def spec_of(kind):
    return next(spec for spec in models_of_flow(FLOW) if spec.kind == kind)


def with_factors(document, n_factors):
    nodes = [
        {**n, "settings": {"n_factors": n_factors}} if n["type"] == "collaborative" else n
        for n in document["nodes"]
    ]
    return {**document, "nodes": nodes}


def test_collaborative_and_the_mf_ranker_share_one_model():
    assert [spec.kind for spec in models_of_flow(FLOW)] == ["mf", "item-neighbors"]


def test_a_missing_model_is_fitted_once_and_kept(artifacts, data):
    spec = spec_of("mf")
    assert artifacts.version(spec) is None
    first = artifacts.get(spec, data.view(spec.rules))
    assert artifacts.get(spec, data.view(spec.rules)) is first


def test_a_model_comes_back_from_its_files_unchanged(artifacts, data, tmp_path):
    spec = spec_of("mf")
    fitted = artifacts.fit(spec, data.view(spec.rules))
    again = ArtifactStore(tmp_path).newest(spec)
    assert again.version == fitted.version
    assert np.array_equal(again.model.item_factors, fitted.model.item_factors)
    assert again.meta["n_positive"] == 18


def test_a_model_too_costly_for_a_run_is_left_to_a_job(tmp_path, data):
    spec = spec_of("mf")
    with pytest.raises(NotTrained, match="Matrix factorization is not trained"):
        ArtifactStore(tmp_path, quick_s=0.0).get(spec, data.view(spec.rules))


def test_other_settings_make_another_model(artifacts, data):
    changed = models_of_flow(load_flow(with_factors(STARTERS["classic"].document, 3)))
    assert [spec.kind for spec in changed] == ["mf", "item-neighbors", "mf"]
    assert len({spec.key for spec in changed}) == 3


@pytest.mark.parametrize("kind", ["mf", "item-neighbors"])
def test_a_model_meets_a_newer_catalogue_by_its_ids(artifacts, data, kind):
    spec = spec_of(kind)
    old = artifacts.fit(spec, data.view(spec.rules)).model
    newer = snapshot(["i0", "i2", "i3", "i4", "i5", "hello"], version="2")  # i1 is gone, hello sorts first
    new = artifacts.get(spec, newer.view(spec.rules))
    i4_old, i4_new, hello = 4, newer.items.ids.find("i4"), newer.items.ids.find("hello")
    assert (hello, i4_new) == (0, 4)
    if kind == "mf":
        assert np.array_equal(new.item_factors[i4_new], old.item_factors[i4_old])
        assert np.isnan(new.item_factors[hello]).all()
    else:
        old_ids = {data.items.ids[i] for i in old.indices[i4_old] if i >= 0}
        new_ids = {newer.items.ids[i] for i in new.indices[i4_new] if i >= 0}
        assert new_ids == old_ids - {"i1"}
        assert (new.indices[hello] == -1).all()


def test_only_the_newest_versions_stay(artifacts, data):
    spec = spec_of("mf")
    made = [artifacts.fit(spec, data.view(spec.rules)).version for _ in range(KEPT_VERSIONS + 2)]
    left = sorted(path.name for path in (artifacts.folder / spec.key).iterdir())
    assert left == made[-KEPT_VERSIONS:]


def test_a_version_without_its_last_file_is_not_there(artifacts, data):
    spec = spec_of("mf")
    fitted = artifacts.fit(spec, data.view(spec.rules))
    (artifacts.folder / spec.key / fitted.version / "meta.json").unlink()
    assert artifacts.version(spec) is None


def test_fitting_what_is_missing_names_what_could_not_be_fitted(artifacts):
    empty = build_snapshot([UserRow("u")], [ItemRow("i")], [], version="1", taken_at=1)
    said = []
    fit_missing([FLOW], empty, artifacts, said.append)
    assert said[0].startswith("Matrix factorization: There is no positive feedback to train on yet")


def test_fitting_what_is_missing_measures_it_if_asked_to(artifacts, data):
    said = []
    fit_missing([FLOW], data, artifacts, said.append, measure=True)
    spec = spec_of("mf")
    assert f"NDCG@10 {artifacts.newest(spec).meta['metrics']['ndcg_at_10']:.3f}" in said[0]
    fit_missing([FLOW], data, artifacts, said.append, measure=True)
    assert len(said) == len(models_of_flow(FLOW))


@pytest.mark.parametrize("file", ["items-blob.npy", "item_factors.npy"])
def test_a_version_that_another_release_wrote_is_fitted_anew(artifacts, data, file):
    spec = spec_of("mf")
    fitted = artifacts.fit(spec, data.view(spec.rules))
    (artifacts.folder / spec.key / fitted.version / file).unlink()
    again = ArtifactStore(artifacts.folder)
    assert again.newest(spec) is None
    assert again.get(spec, data.view(spec.rules)) is not None


def test_a_model_that_cannot_be_read_at_the_moment_stays(artifacts, data, monkeypatch):
    spec = spec_of("mf")
    fitted = artifacts.fit(spec, data.view(spec.rules))
    again = ArtifactStore(artifacts.folder)

    def too_many_files(*asked, **how):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(artifact_files.np, "load", too_many_files)
        with pytest.raises(OSError, match="Too many open files"):
            again.newest(spec)
    assert again.newest(spec).version == fitted.version


def test_an_older_version_takes_the_place_of_one_that_cannot_be_used_or_deleted(artifacts, data, monkeypatch):
    spec = spec_of("mf")
    older, newer = (artifacts.fit(spec, data.view(spec.rules)).version for _ in range(2))
    (artifacts.folder / spec.key / newer / "items-blob.npy").write_bytes(b"")
    monkeypatch.setattr(artifact_files.shutil, "rmtree", lambda *asked, **how: None)
    assert ArtifactStore(artifacts.folder).newest(spec).version == older


def test_a_version_that_goes_while_the_history_is_read_is_left_out(artifacts, data, monkeypatch):
    spec = spec_of("mf")
    made = [artifacts.fit(spec, data.view(spec.rules)).version for _ in range(2)]
    read = json.loads

    def go_and_read(text):
        (artifacts.folder / spec.key / made[0] / "meta.json").unlink()
        return read(text)

    monkeypatch.setattr(artifact_files.json, "loads", go_and_read)
    assert [meta["version"] for meta in artifacts.history(spec)] == [made[1]]


def test_what_a_killed_process_has_left_of_a_version_goes_after_an_hour(artifacts, data, clock):
    spec = spec_of("mf")
    folder = artifacts.folder / spec.key
    killed = folder / f"{int(clock[0] * 1000):015d}"
    killed.mkdir(parents=True)
    (killed / "item_factors.npy").write_bytes(b"half")
    artifacts.fit(spec, data.view(spec.rules))
    assert killed.exists()
    clock[0] += LEFT_OVER_S
    artifacts.fit(spec, data.view(spec.rules))
    assert not killed.exists()
    assert len(list(folder.iterdir())) == 2


def test_the_models_in_memory_are_those_asked_for_last(artifacts, data, monkeypatch):
    monkeypatch.setattr(artifact_files, "LOADED_MODELS", 2)
    other = models_of_flow(load_flow(with_factors(STARTERS["classic"].document, 3)))[0]
    specs = [spec_of("mf"), spec_of("item-neighbors"), other]
    newer = snapshot(["hello", *(f"i{n}" for n in range(6))], version="2")
    held = []
    for spec in specs:
        artifacts.fit(spec, data.view(spec.rules))
        held.append(weakref.ref(artifacts.get(spec, newer.view(spec.rules))))
        artifacts.get(specs[0], newer.view(spec.rules))
    gc.collect()
    assert [model() is not None for model in held] == [True, False, True]
    artifacts.forget(specs[0].key)
    gc.collect()
    assert held[0]() is None
