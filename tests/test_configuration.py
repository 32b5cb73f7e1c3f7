"""config.toml and the environment: who wins, what is tolerated, what stops the start and in which words."""

from __future__ import annotations

import stat

import pytest

from recflow.configuration import (
    ENVIRONMENT,
    ConfigurationError,
    prepare_data_dir,
    read_configuration,
    secret_key,
)


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write a file and read it, in an environment that says nothing else."""
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    path = tmp_path / "config.toml"
    monkeypatch.setenv("RECFLOW_CONFIG", str(path))

    def read(text):
        path.write_text(text)
        return read_configuration()

    return read


def test_an_empty_file_gives_gorses_defaults(config):
    found = config("")
    assert (found.server.default_n, found.server.clock_error_s) == (10, 5.0)
    assert found.server.auto_insert_user is found.server.auto_insert_item is True
    assert found.server.api_key.get_secret_value() == ""
    assert found.openai.chat_completion_rpm == 0


def test_the_environment_wins_over_the_file(config, monkeypatch):
    monkeypatch.setenv("OPENAI_CHAT_COMPLETION_MODEL", "from-environment")
    monkeypatch.setenv("GORSE_SERVER_API_KEY", "k")
    found = config('[openai]\nchat_completion_model = "from-file"\nbase_url = "http://file"\n')
    assert found.openai.chat_completion_model == "from-environment"
    assert found.openai.base_url == "http://file"
    assert found.server.api_key.get_secret_value() == "k"


def test_an_empty_variable_counts_as_not_set(config, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    assert config('[openai]\nbase_url = "http://file"\n').openai.base_url == "http://file"


def test_keys_are_read_in_any_case(config):
    assert config("[SERVER]\nDefault_N = 3\n").server.default_n == 3


@pytest.mark.parametrize(("text", "seconds"), [('"10s"', 10), ('"1h30m"', 5400), ("2000000000", 2)])
def test_durations_are_gorses(config, text, seconds):
    assert config(f"[server]\nclock_error = {text}\n").server.clock_error_s == seconds


def test_keys_of_gorse_that_we_do_not_use_are_tolerated_and_listed(config):
    found = config('[database]\ndata_store = "x"\n[server]\ncache_expire = "10s"\n[recommend]\nx = 1\n')
    assert found.ignored == ("database", "server.cache_expire")
    assert found.recommend == {"x": 1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[recflow]\nallowed_host = 'x'\n", "recflow.allowed_host is not a setting; [recflow] has data_dir"),
        ("[server]\ndefault_n = 0\n", "server.default_n is wrong: Input should be greater than 0, got 0"),
        ("[server]\nclock_error = 'soon'\n", "server.clock_error is wrong: 'soon' is not a duration"),
        ("[server]\nauto_insert_user = 'x'\n", "server.auto_insert_user is wrong"),
        ("server = 5\n", "server is wrong"),
        ("[server\n", "is not a TOML file"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(config, text, sentence):
    with pytest.raises(ConfigurationError) as caught:
        config(text)
    assert sentence in str(caught.value)
    assert "config.toml" in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_a_wrong_secret_is_not_shown(config):
    with pytest.raises(ConfigurationError) as caught:
        config('[openai]\nauth_token = ["sk-very-secret"]\n')
    assert "openai.auth_token is wrong" in str(caught.value)
    assert "sk-very-secret" not in str(caught.value)


def test_secrets_do_not_show_in_the_configuration_itself(config):
    assert "sk-very-secret" not in repr(config('[openai]\nauth_token = "sk-very-secret"\n'))


def test_a_named_file_that_is_missing_is_an_error(config, monkeypatch, tmp_path):
    monkeypatch.setenv("RECFLOW_CONFIG", str(tmp_path / "missing.toml"))
    with pytest.raises(ConfigurationError, match=r"missing\.toml cannot be read: No such file"):
        read_configuration()


def test_the_secret_key_is_made_once_and_for_the_owner_only(config, tmp_path):
    found = config(f"[recflow]\ndata_dir = '{tmp_path}/var'\n")
    key = secret_key(found)
    assert len(key) > 50
    assert secret_key(found) == key
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600


def test_a_data_folder_is_made_for_the_owner_only_and_one_that_is_there_stays_as_it_is(config, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o770)
    for name, mode in (("own", 0o700), ("shared", 0o770)):
        folder = prepare_data_dir(config(f"[recflow]\ndata_dir = '{tmp_path}/{name}'\n"))
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_a_data_folder_that_cannot_be_made_is_one_sentence(config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"cannot be written .*: name another one in RECFLOW_DATA_DIR"
    ):
        secret_key(config(f"[recflow]\ndata_dir = '{tmp_path}/file/var'\n"))


def test_a_secret_key_that_cannot_be_read_is_one_sentence(config, tmp_path):
    (tmp_path / "var" / "secret_key").mkdir(parents=True)  # as for an account that may not read it
    with pytest.raises(
        ConfigurationError, match=r"secret_key cannot be used \(Is a directory\): let this acc"
    ):
        secret_key(config(f"[recflow]\ndata_dir = '{tmp_path}/var'\n"))
