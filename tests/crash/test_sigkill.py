"""SIGKILL at random moments, while everything that writes is writing: the databases hold the old or the new.

A real server is started, written to by several clients at once and killed, again and again. After each kill
the files are read as the next process will find them: whatever was acknowledged is there, what was under way
is there as a whole or not at all, and nothing contradicts anything else.

RECFLOW_KILLS says how often (12, on PostgreSQL a third of it), RECFLOW_KILL_SEED with which moments.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from recflow.engine.flow import load_flow
from recflow.nodes.starters import STARTERS
from tests import private_servers
from tests.patience import PATIENCE_S, wait_until
from tests.server_process import ROOT, environment

KILLS = int(os.environ.get("RECFLOW_KILLS", "12"))
SEED = int(os.environ.get("RECFLOW_KILL_SEED", "0"))
#: Feedback of one request; rows of one imported file, which are three batches of 100 (server.py).
ROWS, FILE_ROWS, BATCH = 40, 300, 100
POPULAR = STARTERS["popular"].document


def drawing(text: str) -> dict:
    """A flow that says this."""
    document = copy.deepcopy(POPULAR)
    document["notes"] = [{"id": "t", "text": text, "position": {"x": 0, "y": 0}}]
    return document


class Server:
    """The process that starts servers, and the one it started last."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder, self.database_url = folder, database_url
        given = {"DATABASE_URL": database_url} if database_url else {}
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            cwd=ROOT,
            env=environment(folder, PYTHONPATH=str(ROOT), **given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.number, self.url = 0, ""

    def answer(self) -> str:
        line = self.process.stdout.readline().strip()
        assert line, (self.folder / "log").read_text()
        return line

    def start(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        number, port = self.answer().split()
        self.number, self.url = int(number), f"http://127.0.0.1:{port}"

    def kill(self) -> None:
        os.kill(self.number, signal.SIGKILL)
        assert self.answer() == "gone"
        self.number = 0
        if self.database_url:
            private_servers.until_alone(self.database_url)

    def stop(self) -> None:
        if self.number:
            os.kill(self.number, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()
        self.log.close()

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A browser on the machine itself, with the token that writing takes."""
        with httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False) as client:
            client.get("/flows").raise_for_status()
            (client.headers["X-CSRFToken"],) = client.cookies.values()
            yield client

    def rows(self, database: str, statement: str) -> list[tuple]:
        """What the next process will find."""
        if self.database_url:
            return private_servers.rows(self.database_url, statement)
        with closing(sqlite3.connect(self.folder / f"{database}.sqlite3")) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request, tmp_path):
    url = request.getfixturevalue("postgresql").new_database() if request.param == "postgresql" else ""
    started = Server(tmp_path, url)
    yield started
    started.stop()


class Writer:
    """One client, which writes until the server is gone.

    ``sent`` counts its writes, ``kept`` those that were answered or found afterwards, ``answers`` rounds.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sent = self.kept = 0
        self.answers = 0

    def prepare(self, client: httpx.Client) -> None:
        """What is needed once, before the first kill."""

    def write(self, client: httpx.Client) -> None:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def run(self, start: threading.Barrier, complaints: list[str]) -> None:
        try:
            with self.server.client() as client:
                start.wait(PATIENCE_S)
                while True:
                    self.write(client)
                    self.answers += 1
        except httpx.TransportError:
            pass  # killed
        except Exception as error:
            complaints.append(f"{type(self).__name__}: {error!r}")


def sent(client: httpx.Client, method: str, path: str, *, status: int = 200, **body) -> httpx.Response:
    """The answer, when it says that all is well; anything else fails the test."""
    answer = client.request(method, path, **body)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
    return answer


class Saver(Writer):
    """Saves drafts, each with the number of the save written on it."""

    def prepare(self, client):
        self.flow = sent(
            client, "POST", "/api/flows", json={"name": "Saved", "document": drawing("0")}
        ).json()["id"]
        self.revision = 1

    def write(self, client):
        self.sent += 1
        body = {"base_revision": self.revision, "document": drawing(str(self.sent))}
        self.revision = sent(client, "PUT", f"/api/flows/{self.flow}/draft", json=body).json()["revision"]
        self.kept = self.sent

    def check(self):
        ((revision,),) = self.server.rows(
            "recflow", f"SELECT revision FROM dashboard_flow WHERE id = {self.flow}"
        )
        drafts = self.server.rows(
            "recflow",
            f"SELECT revision, text, hash FROM dashboard_draft WHERE flow_id = {self.flow} ORDER BY revision",
        )
        newest, text, digest = drafts[-1]
        document = json.loads(text)
        number = int(document["notes"][0]["text"])
        assert revision == newest == number + 1  # the first save made revision 2
        assert number in {self.kept, self.sent}
        assert load_flow(document).content_hash() == digest
        self.sent = self.kept = number
        self.revision = revision


class Activator(Writer):
    """Saves a draft, keeps it as a version and activates that, one transaction after the other."""

    def prepare(self, client):
        self.flow = sent(
            client, "POST", "/api/flows", json={"name": "Live", "document": drawing("0")}
        ).json()["id"]
        self.versions = self.activations = 0

    def write(self, client):
        path = f"/api/flows/{self.flow}"
        draft = sent(client, "GET", path).json()["draft"]
        body = {"base_revision": draft["revision"], "document": drawing(f"{draft['revision']}")}
        revision = sent(client, "PUT", f"{path}/draft", json=body).json()["revision"]
        version = sent(client, "POST", f"{path}/versions", json={"revision": revision, "note": ""}).json()[
            "number"
        ]
        self.versions = version
        sent(client, "POST", f"{path}/activate", json={"version": version, "note": ""})
        self.activations += 1

    def check(self):
        versions = self.server.rows(
            "recflow",
            "SELECT number, text, hash FROM dashboard_flowversion "
            f"WHERE flow_id = {self.flow} ORDER BY number",
        )
        assert [row[0] for row in versions] == list(range(1, len(versions) + 1))
        assert len(versions) - self.versions in {0, 1}
        assert all(load_flow(json.loads(text)).content_hash() == digest for _, text, digest in versions)
        activations = self.server.rows(
            "recflow", "SELECT version_id, previous_id FROM dashboard_activation ORDER BY id"
        )
        assert len(activations) - self.activations in {0, 1}
        before = [None, *(version for version, _ in activations)]
        assert [previous for _, previous in activations] == before[:-1]
        active = self.server.rows("recflow", "SELECT version_id FROM dashboard_activeversion")
        assert active == ([(before[-1],)] if activations else [])
        self.versions, self.activations = len(versions), len(activations)


class Feeder(Writer):
    """Posts feedback, 40 rows of one new user at a time."""

    def write(self, client):
        self.sent += 1
        row = {"FeedbackType": "like", "UserId": f"fed-{self.sent}", "Timestamp": "2024-01-01T00:00:00Z"}
        rows = [{**row, "ItemId": f"item-{(self.sent + n) % 97}"} for n in range(ROWS)]
        assert sent(client, "POST", "/api/feedback", json=rows).json() == {"RowAffected": ROWS}
        self.kept = self.sent

    def check(self):
        found = counted_by_user(self.server, "fed-")
        for number in range(1, self.kept + 1):
            assert found.pop(number, 0) == ROWS, number
        assert found in ({}, {self.sent: ROWS})
        self.sent = self.kept = max(self.kept, *found, 0)


class Importer(Writer):
    """Uploads files of three batches; after a kill jobs go on with those that were acknowledged."""

    def write(self, client):
        if self.sent == self.kept:
            self.sent += 1
        row = {"FeedbackType": "read", "UserId": f"imported-{self.sent}", "Timestamp": "2024-01-01T00:00:00Z"}
        lines = [json.dumps({**row, "ItemId": f"item-{n}"}) for n in range(FILE_ROWS)]
        file = {"file": ("feedback.jsonl", "\n".join(lines))}
        answer = sent(client, "POST", "/data/import", status=302, files=file)
        self.kept = self.sent
        number = re.search(r"import=(\d+)", answer.headers["Location"])[1]
        while sent(client, "GET", f"/api/jobs/{number}").json()["state"] in {"queued", "running"}:
            threading.Event().wait(0.05)

    def check(self):
        found = counted_by_user(self.server, "imported-")
        jobs = self.server.rows("recflow", "SELECT state FROM dashboard_job WHERE kind = 'import'")
        under_way = self.server.rows("catalogue", "SELECT position FROM catalogue_import")
        assert set(found) <= set(range(1, self.sent + 1))
        assert set(found.values()) <= {BATCH, 2 * BATCH, FILE_ROWS}  # whole batches only
        # A job fails whose process ended three times; its file is still there for another try.
        unfinished = sum(state in {"queued", "running", "failed"} for (state,) in jobs)
        n_begun = sum(count < FILE_ROWS for count in found.values())
        assert n_begun <= len(under_way) <= unfinished  # each knows where it stopped
        left = sum(found.get(number, 0) < FILE_ROWS for number in range(1, self.kept + 1))
        assert left <= unfinished


class Refresher(Writer):
    """Asks for everybody's list, over and over; a job in the server makes them."""

    def write(self, client):
        sent(client, "POST", "/api/jobs", json={"kind": "lists"})
        threading.Event().wait(0.05)

    def check(self):
        lists = self.server.rows(
            "catalogue", "SELECT version, user_id, item_ids, scores FROM catalogue_prepared_list"
        )
        known = {
            f"{flow}@{number}"
            for flow, number in self.server.rows(
                "recflow", "SELECT flow_id, number FROM dashboard_flowversion"
            )
        }
        for version, _, items, scores in lists:
            assert version in known | {"default"}
            assert len(json.loads(items)) == len(json.loads(scores))
        errors = self.server.rows("recflow", "SELECT error FROM dashboard_job WHERE state = 'failed'")
        assert all("ended 3 times without a word" in error for (error,) in errors), errors


def counted_by_user(server: Server, prefix: str) -> dict[int, int]:
    """Number in the user's id -> rows of feedback."""
    rows = server.rows(
        "catalogue",
        "SELECT u.user_id, COUNT(*) FROM catalogue_feedback f "
        "JOIN catalogue_user u ON u.number = f.user_number "
        f"WHERE u.user_id LIKE '{prefix}%' GROUP BY u.user_id",
    )
    return {int(user_id.removeprefix(prefix)): count for user_id, count in rows}


def until_idle(client: httpx.Client) -> None:
    """Wait for the jobs, those that were interrupted among them."""

    def live() -> list[dict]:
        jobs = sent(client, "GET", "/api/jobs").json()["jobs"]
        return [job for job in jobs if job["state"] in {"queued", "running"}]

    wait_until(lambda: not live(), lambda: f"Jobs are not done: {live()}", every_s=0.1)


def check_files(server: Server) -> None:
    """What holds whoever wrote: sound files, and a log of changes that goes as far as the version."""
    for database in () if server.database_url else ("recflow", "catalogue"):
        assert server.rows(database, "PRAGMA integrity_check") == [("ok",)]
    (version,) = server.rows("catalogue", "SELECT number FROM catalogue_version") or [(None,)]
    assert server.rows("catalogue", "SELECT MAX(version) FROM catalogue_change") == [version]


def test_whatever_is_killed_leaves_the_old_or_the_new_state(server):
    moments = random.Random(SEED)
    writers = [kind(server) for kind in (Saver, Activator, Feeder, Importer, Refresher)]
    server.start()
    with server.client() as client:
        for writer in writers:
            writer.prepare(client)
    complaints: list[str] = []
    kills = max(1, KILLS // 3) if server.database_url else KILLS
    for number in range(kills):
        together = threading.Barrier(len(writers) + 1)
        threads = [threading.Thread(target=writer.run, args=(together, complaints)) for writer in writers]
        for thread in threads:
            thread.start()
        together.wait(PATIENCE_S)
        threading.Event().wait(moments.uniform(0.0, 0.6))
        server.kill()
        for thread in threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        assert complaints == [], f"before kill {number} of seed {SEED}"
        check_files(server)
        for writer in writers:
            writer.check()
        server.start()
    answers = {type(writer).__name__: writer.answers for writer in writers}
    print(f"{kills} kills; whole rounds of writes between them: {answers}")
    assert any(answers.values()), "The kills came before anything was written"
    with server.client() as client:
        for writer in writers:
            writer.write(client)
        until_idle(client)
    for writer in writers:
        writer.check()
    assert server.rows("catalogue", "SELECT COUNT(*) FROM catalogue_prepared_list") > [(0,)]
