"""Sections of a configuration that are no drawing: what is a key in them."""

import pytest

from recflow.errors import BadRecord
from recflow.interop.gorse_config.services import carry_over, without_keys

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


def test_only_settings_that_mean_something_here_are_copied_and_the_others_named():
    gorse = (
        "[Server]\nDefault_N = 5\ncache_expire = '10s'\nAPI_key = 'k'\n[master]\nport = 1\nhost = 2\n[oidc]\n"
    )
    after, told = carry_over(
        gorse, "[server]\napi_key = 'mine'\n", {"server": {"default_n", "api_key"}, "master": ()}
    )
    assert after == "[server]\napi_key = 'mine'\nDefault_N = 5\n"
    assert told == [
        "Server.Default_N was copied to the configuration",
        "Server.API_key has another value in the configuration, which stays",
        "cache_expire of [Server] has no meaning here and stays in the file",
        "port, host of [master] have no meaning here and stay in the file",
        "[oidc] has no meaning here and stays in the file",
    ]
