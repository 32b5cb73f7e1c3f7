"""Real processes, really killed: the next one takes up exactly what is left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from django.utils import timezone

from dashboard import activation, drafts
from dashboard.catalogue import writing
from dashboard.jobs import ledger, prepared, refreshing, runner
from dashboard.models import Job
from dashboard.store import store
from recflow.data.records import FeedbackRecord
from recflow.nodes.starters import STARTERS
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

ROOT = Path(__file__).resolve().parents[2]
HELD = Path(__file__).with_name("held_shards.py")


@pytest.fixture
def job(monkeypatch):
    """A refresh of 30 users in four parts of a flow that needs no models."""
    monkeypatch.setattr(refreshing, "SHARD_USERS", 8)
    writing.put_feedback(
        [FeedbackRecord("like", f"u{u:02}", f"i{(u + n) % 9}", 1.0, 5) for u in range(30) for n in range(3)],
        overwrite=True,
    )
    store.snapshot(fresh=True)
    flow = drafts.create("Home", STARTERS["popular"].document, "ada")
    activation.activate(flow.pk, None, "", "ada")
    return refreshing.ask()


class Held:
    """Processes that stand still at a part, and say so through a pipe."""

    def __init__(self, folder):
        self.path = folder / "held.pipe"
        os.mkfifo(self.path)
        self.pipe = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.processes = {}

    def start(self, *command, shard, after=0):
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
            "PYTHONPATH": str(ROOT),
            "HELD_PIPE": str(self.path),
            "HELD_SHARD": str(shard),
            "HELD_AFTER": str(after),
        }
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.processes[process.pid] = process
        return process

    def standing(self):
        """The number of the process that has come to the part."""
        if not select.select([self.pipe], [], [], PATIENCE_S)[0]:
            pytest.fail("Nobody came to the part; a process said: " + self.stop())
        return int(os.read(self.pipe, 100))

    def kill(self, number):
        self.processes[number].kill()
        assert self.processes[number].wait(PATIENCE_S) == -signal.SIGKILL

    def stop(self):
        said = []
        for process in self.processes.values():
            process.kill()
            said.append(process.communicate()[1].decode())
        return "\n".join(said)


@pytest.fixture
def held(tmp_path):
    held = Held(tmp_path)
    yield held
    held.stop()
    os.close(held.pipe)


def done_parts(job):
    return {shard.number: (shard.done_at, shard.worker) for shard in job.shards.exclude(done_at=None)}


def test_after_sigkill_the_next_process_does_only_the_part_that_is_left(job, held):
    process = held.start(str(HELD), shard=2, after=3)
    held.kill(held.standing())
    done = done_parts(job)
    assert set(done) == {0, 1, 3}
    job.refresh_from_db()
    assert job.state == "running"  # nobody was there to write anything down

    ledger.take_up_stale(timezone.now() + timedelta(seconds=ledger.STALE_S + 1))
    with runner.embedded() as executor:
        while (mine := ledger.claim("next")) is not None:
            runner.do(mine, "next", executor)
    after = done_parts(job)
    assert {number: after[number] for number in done} == done
    assert after[2][1].endswith(f":{os.getpid()}")
    assert all(worker.endswith(f":{process.pid}") for _, worker in done.values())
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("done", 2)
    assert prepared.count(job.parameters["version"]) == 30


@pytest.mark.filterwarnings("default")  # of distributed and its parts, not of ours
def test_of_two_dask_workers_one_finishes_what_the_other_was_killed_with(job, held):
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, protocol="tcp://", host="127.0.0.1", dashboard_address=None) as cluster:
        for name in ("one", "two"):
            held.start(
                *("-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--name", name),
                *("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"),
                *("--preload", str(HELD)),
                shard=1,
            )

        def work():
            with runner.on_dask(cluster.scheduler_address) as executor:
                runner.do(ledger.claim("w1"), "w1", executor)
            connections.close_all()

        thread = threading.Thread(target=work)
        thread.start()
        killed = held.standing()
        held.kill(killed)
        thread.join(PATIENCE_S)
    (survivor,) = set(held.processes) - {killed}
    job = Job.objects.get()
    assert (job.state, job.error) == ("done", "")
    assert done_parts(job)[1][1].endswith(f":{survivor}")
    assert prepared.count(job.parameters["version"]) == 30


def test_a_scheduler_that_nobody_answers_at_is_told_in_a_sentence():
    with pytest.raises(OSError, match=r"127\.0\.0\.1"), runner.on_dask("tcp://127.0.0.1:9", timeout_s=0.2):
        pass


def test_the_web_process_never_imports_dask():
    code = "import recflow.asgi, sys; sys.exit('dask' in sys.modules or 'distributed' in sys.modules)"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.worker_settings"}
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False).returncode == 0
    )


def test_the_jobs_process_ends_when_the_process_that_started_it_is_gone():
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.worker_settings"}
    command = [sys.executable, "manage.py", "jobs", "--parent", "1"]  # it is ours, so number 1 looks gone
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
