"""A real server process, started as in production, with a key and with a flow out of its config.toml."""

import os
import urllib.error
import urllib.request

import pytest

from tests.patience import PATIENCE_S
from tests.server_process import ServerProcess, environment

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


class Server(ServerProcess):
    """``manage.py serve`` with a data folder of its own."""

    def __init__(self, folder):
        variables = environment(folder)
        (folder / "config.toml").write_text(CONFIG)
        super().__init__("serve", environment=variables, log=folder / "log")
        self.url = self.address()

    def request(self, method, path, body=None, **headers):
        """Status and bytes of one answer."""
        asked = urllib.request.Request(
            self.url + path, body, {"X-API-Key": API_KEY, **headers}, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def keys():
    """The keys of the data and of the administrator."""
    return {"data": API_KEY, "admin": ADMIN_KEY}
