"""The sections of Gorse's configuration that are settings of a server and no part of a drawing.

``[server]``, ``[openai]`` and ``[master]`` have the same form in our configuration file, so moving in means
copying what has a meaning here and is not set there yet. Values are never told: most are keys. A
configuration that leaves the house goes without them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

import tomlkit
from tomlkit.exceptions import TOMLKitError

from recflow.errors import BadRecord

#: Sections with a meaning here that are no settings of Gorse's server: one is drawn, one is ours.
OTHERS = ("recommend", "recflow")
#: How the names of keys, passwords and tokens end in a configuration, ours or Gorse's.
_SECRET = re.compile(
    r"(api_key|secret_key|access_key|account_key|token|password|client_secret)$", re.IGNORECASE
)
#: A password in an address, such as that of a database: ``mysql://user:password@host``.
_PASSWORD = re.compile(r"^([\w+]+://[^:/@\s]*):[^/@\s]+@")


def carry_over(source: str, target: str, known: Mapping[str, Collection[str]]) -> tuple[str, list[str]]:
    """Copy settings into another configuration.

    Args:
        source: a Gorse configuration.
        target: our own one.
        known: the sections that are settings here, and which of their keys mean something.

    Returns:
        The target with what it lacked, and a sentence for each key that was copied or stands there with
        another value, and for what means nothing here.

    Raises:
        BadRecord: one of them is no TOML.
    """
    given, own = _parsed(source), _parsed(target)
    told: list[str] = []
    for name, section in given.items():
        keys = known.get(name.lower())
        if keys is None or not isinstance(section, dict):
            if name.lower() not in OTHERS:
                told.append(f"[{name}] has no meaning here and stays in the file")
            continue
        told += _carried(name, {key: value for key, value in section.items() if key.lower() in keys}, own)
        if strange := [key for key in section if key.lower() not in keys]:
            have, stay = ("has", "stays") if len(strange) == 1 else ("have", "stay")
            told.append(f"{', '.join(strange)} of [{name}] {have} no meaning here and {stay} in the file")
    return tomlkit.dumps(own), told


def _carried(name: str, section: dict, own: tomlkit.TOMLDocument) -> Iterator[str]:
    """Copy the keys of a section; yields what became of each."""
    place = _spelled(own, name)
    for key, value in section.items():
        if place not in own:
            own[place] = tomlkit.table()
        spelled = _spelled(own[place], key)
        if spelled not in own[place]:
            own[place][spelled] = value
            yield f"{name}.{key} was copied to the configuration"
        elif own[place][spelled] != value:
            yield f"{name}.{key} has another value in the configuration, which stays"


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
