"""Django's settings for processes that tests start: the databases of the test that started them."""

from __future__ import annotations

from recflow.settings import *  # noqa: F403

for database in DATABASES.values():  # noqa: F405
    database["NAME"] = database["TEST"]["NAME"] if "TEST" in database else f"test_{database['NAME']}"
