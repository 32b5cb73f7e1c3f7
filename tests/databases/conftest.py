"""A shop as it runs in production: rows imported, two web processes, one of them with background jobs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import httpx
import pytest

from tests.patience import PATIENCE_S
from tests.server_process import ROOT, ServerProcess, environment

ADMIN_KEY, NAME, PASSWORD = "admin-key", "ada", "long-enough-1815"
CONFIG = f"""
[master]
dashboard_user_name = "{NAME}"
dashboard_password = "{PASSWORD}"
admin_api_key = "{ADMIN_KEY}"
"""
N_USERS, N_ITEMS = 60, 30


def drawing(text=""):
    """What was liked most, or the latest, with a note to tell versions apart."""
    nodes = [
        {"id": "s", "type": "data-source", "settings": {"positive": ["like"]}},
        {"id": "p", "type": "non-personalized", "name": "popular", "settings": {"score": "len(feedback)"}},
        {"id": "l", "type": "latest"},
        {"id": "f", "type": "fallback"},
        {"id": "r", "type": "recommend"},
    ]
    chains = [("s", "p"), ("p", "r"), ("s", "l"), ("l", "f"), ("f", "r")]
    return {
        "nodes": nodes,
        "edges": [{"id": a + b, "source": a, "target": b} for a, b in chains],
        "notes": [{"id": "t", "text": text, "position": {"x": 0, "y": 0}}],
    }


class Web:
    """``manage.py serve`` in a process of its own."""

    def __init__(self, shop, name, *options):
        self._process = ServerProcess(
            "serve", *options, environment=shop.environment, log=shop.folder / f"{name}.log"
        )
        self.client = None

    def wait(self):
        """Until it answers."""
        self.client = httpx.Client(base_url=self._process.address(), timeout=PATIENCE_S, trust_env=False)

    def ask(self, method, path, **given):
        """The answer, which has to be one."""
        answer = self.client.request(method, path, **given)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
        return answer

    def recommended(self, user, n=3):
        return self.ask("GET", f"/api/recommend/{user}?n={n}").json()

    def explained(self, user):
        """The same, with where it comes from."""
        path = f"/api/recommend/{user}?n=3&explain=true"
        return self.ask("GET", path, headers={"X-API-Key": ADMIN_KEY}).json()

    def log_in(self):
        self.client.get("/login")
        form = {"username": NAME, "password": PASSWORD}
        (token,) = self.client.cookies.values()
        self.client.post("/login", data={**form, "csrfmiddlewaretoken": token})
        self.client.headers["X-CSRFToken"] = self.client.cookies["recflow_csrf"]

    def stop(self):
        if self.client is not None:
            self.client.close()
        self._process.stop()


class Shop:
    """Everything of one installation; ``flow`` is the active one."""

    def __init__(self, folder, **variables):
        self.folder = folder
        given = {name: value for name, value in variables.items() if value}
        self.environment = environment(folder, **given)
        (folder / "config.toml").write_text(CONFIG)
        self.database_url, self.redis_url = variables["DATABASE_URL"], variables["REDIS_URL"]
        self.flow = None
        self._import()
        self.first, self.second = Web(self, "first"), Web(self, "second", "--no-jobs")
        try:
            self.first.wait()
            self.second.wait()
            self.first.log_in()
            self.flow = self.first.ask(
                "POST", "/api/flows", json={"name": "Shop", "document": drawing()}
            ).json()["id"]
            self.activate("first")
            self.make_lists()
        except BaseException:
            self.stop()
            raise

    def _import(self):
        rows = {
            "users": [{"UserId": f"u{n}"} for n in range(N_USERS)],
            "items": [
                {"ItemId": f"i{n}", "Timestamp": f"2024-01-{n + 1:02d}T00:00:00Z"} for n in range(N_ITEMS)
            ],
            # u0 likes i0; u1 likes i0 and i1; ...: i0 is liked most, and 40 users like nothing.
            "feedback": [
                {"FeedbackType": "like", "UserId": f"u{n}", "ItemId": f"i{item}", "Timestamp": "2024-02-01"}
                for n in range(20)
                for item in range(n + 1)
            ],
        }
        data = self.folder / "data"
        data.mkdir()
        for name, objects in rows.items():
            (data / f"{name}.jsonl").write_text("\n".join(map(json.dumps, objects)))
        subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "import", "jsonl", str(data)],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
        )

    def activate(self, text):
        """Save the drawing with this text and let it answer; returns what the version is called."""
        path = f"/api/flows/{self.flow}"
        revision = self.first.ask("GET", path).json()["draft"]["revision"]
        body = {"base_revision": revision, "document": drawing(text)}
        revision = self.first.ask("PUT", f"{path}/draft", json=body).json()["revision"]
        body = {"revision": revision, "note": text}
        version = self.first.ask("POST", f"{path}/versions", json=body).json()["number"]
        self.first.ask("POST", f"{path}/activate", json={"version": version, "note": text})
        return f"{self.flow}@{version}"

    def make_lists(self):
        """Refresh everybody's list, and wait for it."""
        asked = self.first.ask("POST", "/api/jobs", json={"kind": "lists"}).json()
        numbers = [job["id"] for job in asked["jobs"]] if "jobs" in asked else [asked["id"]]
        for _ in range(int(PATIENCE_S / 0.1)):
            states = [self.first.ask("GET", f"/api/jobs/{number}").json() for number in numbers]
            if all(job["state"] == "done" for job in states):
                return
            assert not any(job["state"] == "failed" for job in states), states
            threading.Event().wait(0.1)
        pytest.fail(f"The lists are not done: {states}")

    def stop(self):
        for web in (self.first, self.second):
            web.stop()


@pytest.fixture(scope="module", params=["postgresql", "postgresql and redis"])
def shop(request, tmp_path_factory):
    """Rows in PostgreSQL, what lists hold beside them or in Redis."""
    database_url = request.getfixturevalue("postgresql").new_database()
    redis_url = request.getfixturevalue("redis_url") if "redis" in request.param else ""
    running = Shop(tmp_path_factory.mktemp("shop"), DATABASE_URL=database_url, REDIS_URL=redis_url)
    yield running
    running.stop()
