"""A real server process, started as in production, with a key and with a flow out of its config.toml."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
API_KEY = "clients-key"
ADMIN_KEY = "admin-key"
CONFIG = f"""
[server]
api_key = "{API_KEY}"

[master]
admin_api_key = "{ADMIN_KEY}"

[recommend.data_source]
positive_feedback_types = ["like"]
read_feedback_types = ["read"]

[[recommend.non-personalized]]
name = "popular"
score = "len(feedback)"

[[recommend.item-to-item]]
name = "tags"
type = "tags"
column = "item.Labels.tags"

[[recommend.user-to-user]]
name = "taste"
type = "items"

[recommend.collaborative]
type = "mf"

[recommend.fallback]
recommenders = ["latest"]
"""


@pytest.fixture(scope="session")
def need():
    """Skip for a tool that is missing, or fail where everything that can be installed must be there."""
    return pytest.fail if os.environ.get("RECFLOW_ALL_TESTS") else pytest.skip


class Server:
    """``manage.py serve`` with a data folder of its own."""

    def __init__(self, folder):
        config = folder / "config.toml"
        config.write_text(CONFIG)
        self.log = folder / "log"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RECFLOW_", "OPENAI_", "GORSE_", "DJANGO_", "DATABASE_", "REDIS_"))
        }
        environment |= {
            "RECFLOW_DATA_DIR": str(folder),
            "RECFLOW_CONFIG": str(config),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.url = self._address()

    def _address(self):
        for _ in range(600):
            if found := re.search(r"RecFlow is at (http://\S+)", self.log.read_text()):
                return found[1]
            if self.process.poll() is not None:
                break
            try:
                self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        pytest.fail(f"The server did not start:\n{self.log.read_text()}")

    def request(self, method, path, body=None, **headers):
        """Status and bytes of one answer."""
        asked = urllib.request.Request(
            self.url + path, body, {"X-API-Key": API_KEY, **headers}, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def keys():
    """The keys of the data and of the administrator."""
    return {"data": API_KEY, "admin": ADMIN_KEY}
