"""Addresses in the configuration: which pass, and in which words the others are refused."""

from __future__ import annotations

import pytest

from recflow import addresses
from recflow.configuration import ENVIRONMENT, ConfigurationError, read_configuration
from recflow.settings import _postgresql


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Read the configuration with one variable set."""
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "config.toml").touch()
    monkeypatch.setenv("RECFLOW_CONFIG", str(tmp_path / "config.toml"))

    def read(variable, value):
        monkeypatch.setenv(variable, value)
        return read_configuration()

    return read


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://u:s3cret@h/x", "it must begin with postgresql://"),
        ("DATABASE_URL", "postgresql://u:s3cret@h:port/x", "its port is not a number"),
        (
            "DATABASE_URL",
            "postgresql://u:s3cret@h",
            "it names no database, as postgresql://user@host/shop does",
        ),
        ("DATABASE_URL", "postgresql://u:s3cret%ZZ@h/x", "it cannot be read"),
        ("DATABASE_URL", "postgresql://u:s3cret@h/x?tls=1", 'invalid URI query parameter: "tls"'),
        ("REDIS_URL", "http://:s3cret@h/0", "it must begin with redis://, rediss:// or unix://"),
        ("REDIS_URL", "redis://:s3cret@h:x/0", "its port is not a number from 0 to 65535"),
        ("REDIS_URL", "redis://:s3cret@h/shop", "behind the host may stand the number of a database"),
        ("OPENAI_BASE_URL", "api.example.org/v1", "it must begin with http:// or https:// and name a host"),
        ("OPENAI_BASE_URL", "http://[s3cret/v1", "it cannot be read as an address"),
        ("RECFLOW_TRUSTED_ORIGINS", "https://a.org, rec.example.org", "an origin is a scheme and a host"),
        ("RECFLOW_TRUSTED_ORIGINS", "https://rec.example.org/shop", "an origin is a scheme and a host"),
        ("RECFLOW_ALLOWED_HOSTS", "https://rec.example.org", "a host is a name without scheme and port"),
        ("RECFLOW_ALLOWED_HOSTS", "rec.example.org:8088", "a host is a name without scheme and port"),
        ("RECFLOW_DASK_SCHEDULER", "10.0.0.5:8786", "a scheduler has an address such as tcp://10.0.0.5:8786"),
    ],
)
def test_a_wrong_address_stops_the_start_in_one_sentence(start, variable, value, sentence):
    with pytest.raises(ConfigurationError) as caught:
        start(variable, value)
    said = str(caught.value)
    assert said.startswith(f"{variable}: {ENVIRONMENT[variable]} is wrong: {sentence}")
    assert "s3cret" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "postgres://u:p%2F%23@a:1,b:2/shop?sslmode=verify-full"),
        ("DATABASE_URL", "postgresql:///shop?host=/var/run/postgresql"),
        ("REDIS_URL", "rediss://user:p@h:6380/3"),
        ("REDIS_URL", "redis://h"),
        ("REDIS_URL", "unix:///run/redis.sock?db=3"),
        ("OPENAI_BASE_URL", "http://localhost:11434/v1"),
        ("RECFLOW_ALLOWED_HOSTS", "rec.example.org, 10.0.0.5, [::1], .example.org, *"),
        ("RECFLOW_DASK_SCHEDULER", "tls://scheduler:8786"),
    ],
)
def test_an_address_as_people_have_them_passes(start, variable, value):
    assert start(variable, value)


def test_an_origin_loses_the_slash_that_browsers_do_not_send(start):
    found = start("RECFLOW_TRUSTED_ORIGINS", "https://rec.example.org/,http://localhost:8000")
    assert found.recflow.trusted_origins == ("https://rec.example.org", "http://localhost:8000")


def test_all_that_a_database_url_says_reaches_the_driver():
    made = _postgresql("postgresql://ada:p%40ss@db:5433/shop?sslmode=verify-full&connect_timeout=3")
    named = {name: made[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    assert named == {"NAME": "shop", "USER": "ada", "PASSWORD": "p@ss", "HOST": "db", "PORT": "5433"}
    assert made["OPTIONS"] == {"sslmode": "verify-full", "connect_timeout": "3"}


def test_no_address_at_all_is_none():
    for check in (addresses.web_address, addresses.redis_url, addresses.database_url, addresses.scheduler):
        assert check("") == ""
