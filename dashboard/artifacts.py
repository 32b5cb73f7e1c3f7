"""Fitted models: files that never change, one folder a version, and the newest of each in memory.

A model belongs to what it was made of (kind, parameters, rules: the key of its ModelSpec), not to a node or
flow, so two flows that need the same one share it. A version is complete once its ``meta.json`` exists,
which is written last: a process killed in the middle leaves a folder that nobody reads.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from recflow.data.snapshot import Snapshot, TrainingView
from recflow.data.types import Vocabulary
from recflow.engine.registry import FITTERS, Fitter, ModelSpec, Renumbering
from recflow.errors import NotTrained

logger = logging.getLogger(__name__)

#: A run fits a missing model itself when that takes about this long at most.
QUICK_S = 10.0
KEPT_VERSIONS = 3
#: Models in memory; beyond that the one that was asked for longest ago is read again when it is needed.
LOADED_MODELS = 32
#: Seconds after which a version that is not complete will never be: whoever wrote it was killed.
LEFT_OVER_S = 3600.0


@dataclass(frozen=True, eq=False)
class Artifact:
    """One version of one model, as it was fitted.

    Args:
        version: its folder's name; later ones sort later.
        model: the frozen dataclass its fitter made.
        item_ids: the items it knows, in its own numbering.
        user_ids: the users it knows, in its own numbering; None when it holds nothing about users.
        meta: spec, metrics, seconds, feedback it was made of, Unix time.
    """

    version: str
    model: Any
    item_ids: Vocabulary
    user_ids: Vocabulary | None
    meta: dict[str, Any]


class ArtifactStore:
    """Where fitted models are: recflow.engine.context.ModelStore over a folder.

    Args:
        folder: holds one folder a model, and in it one a version.
        clock: Unix seconds.
        quick_s: a missing model that takes longer is left to a job.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.time, quick_s: float = QUICK_S
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._quick_s = quick_s
        self._lock = threading.Lock()
        self._fitting: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._loaded: OrderedDict[str, Artifact] = OrderedDict()
        # Of each loaded model the one in the numbering of a snapshot, and the versions of both.
        self._fitted_to: dict[str, tuple[tuple[str, str], Any]] = {}

    def version(self, spec: ModelSpec) -> str | None:
        """The newest complete version of a model, None while there is none."""
        return next(iter(self._versions(spec.key)), None)

    def history(self, spec: ModelSpec) -> list[dict[str, Any]]:
        """What is known of each complete version, newest first, with its ``version``; nothing is loaded."""
        found = []
        for version in self._versions(spec.key):
            try:
                text = (self.folder / spec.key / version / "meta.json").read_text(encoding="utf-8")
            except FileNotFoundError:  # a newer one took its place meanwhile
                continue
            found.append(json.loads(text) | {"version": version})
        return found

    def get(
        self,
        spec: ModelSpec,
        view: TrainingView,
        *,
        progress: Callable[[float, str], None] = lambda share, text: None,
        check: Callable[[], None] = lambda: None,
    ) -> Any:
        """The newest version of a model, in the numbering of the view's snapshot.

        Raises:
            NotTrained: there is none, and fitting it takes too long for a run.
        """
        artifact = self.newest(spec)
        if artifact is None:
            expected_s = FITTERS[spec.kind].cost(view, spec.params)
            if expected_s > self._quick_s:
                label = FITTERS[spec.kind].label
                raise NotTrained(f"{label} is not trained for these settings yet; about {expected_s:.0f} s")
            artifact = self.fit(spec, view, progress=progress, check=check, only_if_missing=True)
        return self._renumbered(spec, artifact, view.snapshot)

    def newest(self, spec: ModelSpec) -> Artifact | None:
        """The newest version as it was fitted, None while there is none that can be read.

        A version written by another release may lack a field that its model has now: it is as good as
        missing, and is fitted anew.

        Raises:
            OSError: its files are there, but cannot be read now; they stay.
        """
        for version in self._versions(spec.key):
            with self._lock:
                loaded = self._loaded.get(spec.key)
            if loaded is None or loaded.version != version:
                folder = self.folder / spec.key / version
                try:
                    loaded = _read(folder, FITTERS[spec.kind])
                except (FileNotFoundError, EOFError, ValueError, TypeError, KeyError) as error:
                    logger.warning("The model in %s cannot be read and is fitted anew: %s", folder, error)
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
            self._remember(spec.key, loaded)
            return loaded
        self._let_go(spec.key)
        return None

    def fit(
        self,
        spec: ModelSpec,
        view: TrainingView,
        *,
        seed: int = 0,
        progress: Callable[[float, str], None] = lambda share, text: None,
        check: Callable[[], None] = lambda: None,
        only_if_missing: bool = False,
        metrics: Mapping[str, float] | None = None,
    ) -> Artifact:
        """Fit a model and keep it as its newest version; one at a time for each model.

        Args:
            spec: which model.
            view: what to learn from.
            seed: of all randomness in the fit.
            progress: hears how far it is.
            check: raises to stop.
            only_if_missing: take a version that came while this one waited.
            metrics: what is known of its quality beside what the model says itself.
        """
        with self._lock:
            one_at_a_time = self._fitting.setdefault(spec.key, threading.Lock())
        with one_at_a_time:
            if only_if_missing and (there := self.newest(spec)) is not None:
                return there
            began = time.monotonic()
            fitter, params = FITTERS[spec.kind], dict(spec.params)
            if fitter.carry is not None and (newest := self.newest(spec)) is not None:
                params = fitter.carry(newest.model, params, view)
            model = fitter.fit(view, params, np.random.default_rng(seed), progress, check)
            meta = {
                "kind": spec.kind,
                "params": dict(spec.params),
                "rules": spec.rules.key(),
                "seed": seed,
                "fitted_at": self._clock(),
                "seconds": round(time.monotonic() - began, 3),
                "n_positive": len(view.positive),
                "snapshot": view.snapshot.version,
                "metrics": {
                    field.name: value
                    for field in fields(model)
                    if isinstance(value := getattr(model, field.name), int | float) and isfinite(value)
                }
                | dict(metrics or {}),
            }
            version = f"{int(self._clock() * 1000):015d}"
            user_ids = view.snapshot.users.ids if FITTERS[spec.kind].knows_users else None
            artifact = Artifact(version, model, view.snapshot.items.ids, user_ids, meta)
            _write(self.folder / spec.key / version, artifact)
            self._remember(spec.key, artifact)
            self._forget_old(spec.key)
            return artifact

    def unused(self, used: Collection[str], fitted_before: float) -> list[str]:
        """Keys of models that are not among the used ones and were last fitted before that moment.

        Args:
            used: keys of models that flows need.
            fitted_before: Unix seconds; what somebody tried out a moment ago is kept for the next preview.
        """
        newest = {folder.name: self._versions(folder.name)[:1] for folder in sorted(self.folder.glob("*/"))}
        return [
            key
            for key, version in newest.items()
            if version and key not in used and int(version[0]) / 1000 < fitted_before
        ]

    def forget(self, key: str) -> None:
        """Delete all versions of a model; a run that has one keeps it."""
        shutil.rmtree(self.folder / key, ignore_errors=True)
        self._let_go(key)

    def _remember(self, key: str, artifact: Artifact) -> None:
        with self._lock:
            self._loaded[key] = artifact
            self._loaded.move_to_end(key)
            while len(self._loaded) > LOADED_MODELS:
                oldest, _ = self._loaded.popitem(last=False)
                self._fitted_to.pop(oldest, None)

    def _let_go(self, key: str) -> None:
        with self._lock:
            self._loaded.pop(key, None)
            self._fitted_to.pop(key, None)

    def _versions(self, key: str) -> list[str]:
        found = (self.folder / key).glob("*/meta.json")
        return sorted((path.parent.name for path in found), reverse=True)

    def _forget_old(self, key: str) -> None:
        complete = self._versions(key)
        begun = {path.name for path in (self.folder / key).glob("*/") if path.name.isdecimal()}
        long_ago = self._clock() - LEFT_OVER_S
        left_over = [version for version in begun.difference(complete) if int(version) / 1000 < long_ago]
        for version in complete[KEPT_VERSIONS:] + left_over:
            shutil.rmtree(self.folder / key / version, ignore_errors=True)

    def _renumbered(self, spec: ModelSpec, artifact: Artifact, snapshot: Snapshot) -> Any:
        users = None if artifact.user_ids is None else snapshot.users.ids
        if _same_ids(artifact.item_ids, snapshot.items.ids) and _same_ids(artifact.user_ids, users):
            return artifact.model
        versions = (artifact.version, snapshot.version)
        with self._lock:
            known = self._fitted_to.get(spec.key)
        if known is not None and known[0] == versions:
            return known[1]
        items = _renumbering(artifact.item_ids, snapshot.items.ids)
        renumbered_users = users and _renumbering(artifact.user_ids, users)
        model = FITTERS[spec.kind].remap(artifact.model, items, renumbered_users)
        with self._lock:
            if spec.key in self._loaded:
                self._fitted_to[spec.key] = versions, model
        return model


def _same_ids(one: Vocabulary | None, other: Vocabulary | None) -> bool:
    if one is None or other is None or one is other:
        return one is other
    return (
        len(one) == len(other)
        and np.array_equal(one.ids.blob, other.ids.blob)
        and np.array_equal(one.ids.offsets, other.ids.offsets)
    )


def _renumbering(old: Vocabulary, new: Vocabulary) -> Renumbering:
    return Renumbering(new.find_many(old.ids.all()), len(new))


def _write(folder: Path, artifact: Artifact) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {}
    for field in fields(artifact.model):
        value = getattr(artifact.model, field.name)
        if isinstance(value, np.ndarray):
            np.save(folder / f"{field.name}.npy", value)
        else:
            values[field.name] = value
    for name, ids in (("items", artifact.item_ids), ("users", artifact.user_ids)):
        for part, array in ids.arrays.items() if ids else ():
            np.save(folder / f"{name}-{part}.npy", array)
    meta = artifact.meta | {"values": values}
    draft = folder / "meta.json.draft"
    draft.write_text(json.dumps(meta), encoding="utf-8")
    draft.rename(folder / "meta.json")


def _read(folder: Path, fitter: Fitter) -> Artifact:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    values = meta.pop("values")
    for field in fields(fitter.model):
        if field.name not in values:
            path = folder / f"{field.name}.npy"
            mapped = np.load(path, mmap_mode="r")
            values[field.name] = np.asarray(mapped) if mapped.size else np.load(path)
    user_ids = _ids(folder, "users") if fitter.knows_users else None
    return Artifact(folder.name, fitter.model(**values), _ids(folder, "items"), user_ids, meta)


def _ids(folder: Path, name: str) -> Vocabulary:
    parts = ("blob", "offsets", "hashes", "order")
    return Vocabulary.from_arrays({part: np.load(folder / f"{name}-{part}.npy") for part in parts})
