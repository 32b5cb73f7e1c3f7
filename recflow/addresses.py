"""Addresses in the configuration: what each has to look like, checked before anybody is called there.

A check gives back what it was given, or raises ``ValueError`` with what is wrong. Passwords stand in some of
them, so no message quotes an address.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

#: A host as browsers name it, without scheme and port; "*" is every name, ".x.org" all below x.org.
_HOST = re.compile(r"\*|\.?\w([\w.-]*[\w.])?|\[[0-9A-Fa-f:.]+\]")
_REDIS = ("redis", "rediss", "unix")
_POSTGRESQL = ("postgres", "postgresql")


def web_address(text: str) -> str:
    """An address to call: ``https://api.example.org/v1``."""
    if text and not _is_of_the_web(_split(text)):
        raise ValueError("it must begin with http:// or https:// and name a host")
    return text


def origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Where pages come from: scheme, host and port, such as ``https://rec.example.org``."""
    for parts in map(_split, texts):
        if not _is_of_the_web(parts) or parts.path.strip("/") or parts.query:
            raise ValueError("an origin is a scheme and a host, such as https://rec.example.org")
    return tuple(text.rstrip("/") for text in texts)  # browsers send none at the end


def host_names(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Names of hosts as they stand in addresses: ``rec.example.org``."""
    if not all(map(_HOST.fullmatch, texts)):
        raise ValueError("a host is a name without scheme and port, such as rec.example.org")
    return texts


def scheduler(text: str) -> str:
    """Where a Dask scheduler listens: ``tcp://10.0.0.5:8786``."""
    if text and not ("://" in text and _split(text).port):
        raise ValueError("a scheduler has an address such as tcp://10.0.0.5:8786")
    return text


def redis_url(text: str) -> str:
    """A database of a Redis: ``redis://host:6379/3``."""
    parts = _split(text)
    if text and parts.scheme not in _REDIS:
        raise ValueError("it must begin with redis://, rediss:// or unix://")
    if parts.scheme != "unix" and not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError("behind the host may stand the number of a database, such as redis://host/3")
    return text


def database_url(text: str) -> str:
    """A database of a PostgreSQL: ``postgresql://user:password@host:5432/shop?sslmode=verify-full``."""
    if text:
        postgresql_settings(text)
    return text


def postgresql_settings(url: str) -> dict[str, Any]:
    """The parts of the address as PostgreSQL's own library names them: dbname, user, host, sslmode ...

    Raises:
        ValueError: it is none, or names no database.
    """
    from psycopg import Error  # slow to import, and needless on SQLite
    from psycopg.conninfo import conninfo_to_dict

    if url.partition("://")[0] not in _POSTGRESQL:
        raise ValueError("it must begin with postgresql://")
    try:
        parts = conninfo_to_dict(url)
    except Error as error:
        is_about_options = "query parameter" in str(error)  # else it may quote what stands before the host
        raise ValueError(str(error).strip() if is_about_options else "it cannot be read") from None
    if not re.fullmatch(r"[\d,]*", str(parts.get("port", ""))):
        raise ValueError("its port is not a number")
    if not parts.get("dbname"):
        raise ValueError("it names no database, as postgresql://user@host/shop does")
    return parts


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ValueError("it cannot be read as an address") from error
    try:
        _ = parts.port  # worked out here and now
    except ValueError as error:
        raise ValueError("its port is not a number from 0 to 65535") from error
    return parts


def _is_of_the_web(parts: SplitResult) -> bool:
    return parts.scheme in ("http", "https") and bool(parts.hostname)
