"""Sections of a configuration that are no drawing: what is a key in them."""

import pytest

from recflow.errors import BadRecord
from recflow.interop.gorse_config.services import without_keys

SECRETS = """# shop
[database]
data_store = "mysql://gorse:pass@tcp(db:3306)/gorse"  # ours
cache_store = "redis://:word@cache:6379"

[master]
dashboard_password = "hush"

[openai]
auth_token = "sk-1" # a key
chat_completion_model = "mail:me@x"

[[recommend.external]]
api_key = ""
script = "fetch('http://a:b@c')"

[[recommend.external]]
client_secret = 'x'
"""

PUBLIC = """# shop
[database]
data_store = "mysql://gorse:@tcp(db:3306)/gorse"  # ours
cache_store = "redis://:@cache:6379"

[master]
dashboard_password = ""

[openai]
auth_token = "" # a key
chat_completion_model = "mail:me@x"

[[recommend.external]]
api_key = ""
script = "fetch('http://a:b@c')"

[[recommend.external]]
client_secret = ""
"""


def test_keys_and_passwords_are_emptied_and_all_else_stands():
    assert without_keys(SECRETS) == (
        PUBLIC,
        [
            "database.data_store",
            "database.cache_store",
            "master.dashboard_password",
            "openai.auth_token",
            "recommend.external.1.client_secret",
        ],
    )


def test_without_a_key_nothing_changes_not_even_odd_spacing():
    text = "[openai]\n  auth_token   =  ''\nmodel='x'"
    assert without_keys(text) == (text, [])


def test_what_is_no_toml_is_refused():
    with pytest.raises(BadRecord, match="The configuration is not TOML"):
        without_keys("[openai")
