"""The sections of Gorse's configuration that are settings of a server and no part of a drawing.

``[server]``, ``[openai]`` and ``[master]`` have the same form in our configuration file, so moving in means
copying them, and only what is not set there yet. Values are never told: most are keys. A configuration that
leaves the house goes without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tomlkit
from tomlkit.exceptions import TOMLKitError

from recflow.errors import BadRecord

SECTIONS = ("server", "openai", "master")
#: Sections with a meaning here.
KNOWN = (*SECTIONS, "recommend", "recflow")
#: How the names of keys, passwords and tokens end in a configuration, ours or Gorse's.
_SECRET = re.compile(
    r"(api_key|secret_key|access_key|account_key|token|password|client_secret)$", re.IGNORECASE
)
#: A password in an address, such as that of a database: ``mysql://user:password@host``.
_PASSWORD = re.compile(r"^([\w+]+://[^:/@\s]*):[^/@\s]+@")


def carry_over(source: str, target: str) -> tuple[str, list[str]]:
    """Copy the sections into another configuration.

    Args:
        source: a Gorse configuration.
        target: our own one.

    Returns:
        The target with what it lacked, and a sentence for each key that was copied or stands there with
        another value, and for each section that means nothing here.

    Raises:
        BadRecord: one of them is no TOML.
    """
    given, own = _parsed(source), _parsed(target)
    told: list[str] = []
    for name, section in given.items():
        if name.lower() not in KNOWN:
            told.append(f"[{name}] has no meaning here and stays in the file")
        if name.lower() not in SECTIONS or not isinstance(section, dict):
            continue
        place = _spelled(own, name)
        if place not in own:
            own[place] = tomlkit.table()
        for key, value in section.items():
            spelled = _spelled(own[place], key)
            if spelled not in own[place]:
                own[place][spelled] = value
                told.append(f"{name}.{key} was copied to the configuration")
            elif own[place][spelled] != value:
                told.append(f"{name}.{key} has another value in the configuration, which stays")
    return tomlkit.dumps(own), told


def without_keys(text: str) -> tuple[str, list[str]]:
    """A configuration to give away: keys, tokens and passwords are emptied, all else stands as it did.

    Returns:
        The text, and where something was emptied, such as ``openai.auth_token``.

    Raises:
        BadRecord: it is no TOML.
    """
    document = _parsed(text)
    emptied = []
    for place, table, key in _strings(document, ""):
        value = str(table[key])
        public = "" if _SECRET.search(key) else _PASSWORD.sub(r"\1:@", value)
        if public != value:
            table[key] = public
            emptied.append(place)
    return (tomlkit.dumps(document) if emptied else text), emptied


def _strings(table: dict, above: str) -> Iterator[tuple[str, dict, str]]:
    """Every string of a configuration: where it stands, the table it stands in, and its name there."""
    for key, value in list(table.items()):
        place = f"{above}{key}"
        if isinstance(value, str):
            yield place, table, key
        elif isinstance(value, dict):
            yield from _strings(value, f"{place}.")
        elif isinstance(value, list):
            for number, part in enumerate(value):
                if isinstance(part, dict):
                    yield from _strings(part, f"{place}.{number}.")


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise BadRecord(f"The configuration is not TOML: {error}") from error


def _spelled(table: dict, name: str) -> str:
    """The name as the table spells it: keys match in any case."""
    return next((key for key in table if key.lower() == name.lower()), name)
