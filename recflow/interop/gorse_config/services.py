"""The sections of Gorse's configuration that are settings of a server and no part of a drawing.

``[server]``, ``[openai]`` and ``[master]`` have the same form in our configuration file, so moving in means
copying them, and only what is not set there yet. Values are never told: most are keys.
"""

from __future__ import annotations

import tomlkit
from tomlkit.exceptions import TOMLKitError

from recflow.errors import BadRecord

SECTIONS = ("server", "openai", "master")
#: Sections with a meaning here.
KNOWN = (*SECTIONS, "recommend", "recflow")


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


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise BadRecord(f"The configuration is not TOML: {error}") from error


def _spelled(table: dict, name: str) -> str:
    """The name as the table spells it: keys match in any case."""
    return next((key for key in table if key.lower() == name.lower()), name)
