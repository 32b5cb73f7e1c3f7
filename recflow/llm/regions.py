"""The parts of a reply that may hold the list: fenced blocks and the text around, reasoning taken off."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_CLOSED_REASONING = re.compile(
    r"</\s*(?:think|thinking|thought|reasoning|reflection)\s*>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>\s*final\s*(?:<\|constrain\|>\s*\w+\s*)?<\|message\|>",
    re.IGNORECASE,
)
_OPENED_REASONING = re.compile(
    r"<\s*(?:think|thinking|thought|reasoning|reflection)\s*>|\[THINK\]|◁think▷|<\|channel\|>\s*(?:analysis|commentary)",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"<\s*answer\s*>(.*?)(?:<\s*/\s*answer\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_SPECIAL = re.compile(
    r"<[|｜][^|｜<>\n]{1,60}[|｜]>|</?s>|<eos>|<(?:start|end)_of_turn>|\[/?INST\]", re.IGNORECASE
)
_BOXED = re.compile(r"\\boxed\{(?:([^{}\n]*)\})?")
_TAG_ON_TAG = re.compile(r"(</?\w{1,30}>)[ \t]*(?=<\w)")
_FENCE = re.compile(r"[ \t>]*+(?:(?:[-*+]|\d{1,3}[.)])[ \t]++)?(?P<mark>`{3,}+|~{3,}+)(?P<info>[^\n]*)\Z")
#: Fenced blocks that are read, counted from the end of the reply, where the answer usually is.
MAX_BLOCKS = 100
#: Characters that are read for each candidate, and at least. No honest answer is longer; of a longer one the
#: beginning and the end are read.
READ_PER_CANDIDATE, READ_AT_LEAST = 500, 100_000


@dataclass(frozen=True)
class Region:
    """A part of the reply that is read as one list.

    Args:
        text: its lines.
        is_fenced: inside ``` or ~~~; else all the text outside of blocks.
        language: the word behind the opening fence, "" without.
        reaches_end: its last line is the last of the reply, so a cut reply was cut here.
    """

    text: str
    is_fenced: bool
    language: str = ""
    reaches_end: bool = False

    @property
    def label(self) -> str:
        return f"fenced {self.language}".strip() if self.is_fenced else "loose text"


def clean(text: str) -> str:
    """The answer itself: no reasoning, no tokens of a chat format, one tag and one line end a line."""
    text = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    return _TAG_ON_TAG.sub(r"\1\n", _BOXED.sub(r"\n\1\n", _SPECIAL.sub("\n", _answer(text))))


def unquoted(text: str) -> str:
    """A text that was encoded twice, and so is one JSON string of a list or of lines, decoded."""
    stripped = text.strip()
    if not (stripped.startswith('"') and stripped.endswith('"')):
        return text
    try:
        found = json.loads(stripped)
    except ValueError:
        return text
    return found if isinstance(found, str) and (found[:1] in ("[", "{") or "\n" in found) else text


def shorten(text: str, n_candidates: int) -> str:
    """The text without its middle if it is longer than any list of the candidates would be."""
    limit = max(READ_AT_LEAST, READ_PER_CANDIDATE * n_candidates)
    if len(text) <= limit:
        return text
    head, tail = text[: limit // 2], text[-(limit // 2) :]
    return head[: head.rfind("\n") + 1 or None].rstrip("\n") + "\n" + tail[tail.find("\n") + 1 :]


def has_reasoning(text: str) -> bool:
    """Whether the text holds reasoning tags of any of the known families."""
    return bool(_CLOSED_REASONING.search(text) or _OPENED_REASONING.search(text))


def _answer(text: str) -> str:
    for closing in _CLOSED_REASONING.finditer(text):
        end = closing.end()
    rest = text[end:] if _CLOSED_REASONING.search(text) else text
    opened = _OPENED_REASONING.search(rest)
    spoken = rest[: opened.start()] if opened else rest
    for part in (spoken, rest):  # an <answer> wins even inside reasoning that was never closed
        answers = [match[1] for match in _ANSWER.finditer(part) if match[1].strip()]
        if answers:
            return answers[-1]
    return spoken


def split_regions(text: str) -> list[Region]:
    """Fenced blocks in the order they open, inner blocks apart from the outer, then the text outside."""
    lines = text.split("\n")
    if "```" not in text and "~~~" not in text:
        return [Region(text, is_fenced=False, reaches_end=True)]
    blocks: list[_Block] = []
    opened: list[_Block] = []
    outside: list[str] = []
    for line in lines:
        inside = opened[-1].lines if opened else outside
        fence = _FENCE.match(line) if "```" in line or "~~~" in line else None
        if fence is None:
            if opened and (content := _closing_behind(line, opened[-1].mark)) is not None:
                inside.append(content)
                opened.pop()
            else:
                inside.append(line)
            continue
        mark, info = fence["mark"], fence["info"].strip()
        if info.endswith(mark[:3]):
            blocks.append(_Block(mark, *_one_line(info.rstrip("`~"))))
        elif opened and not info:
            # a bare fence ends the block if it can, else it is content: ``` inside ~~~ or inside ````
            if mark.startswith(opened[-1].mark):
                opened.pop()
        else:
            block = _Block(mark, *_one_line(info)) if info[:1] in "[{" else _Block(mark, info.split()[0], [])
            blocks.append(block)
            opened.append(block)
    last = opened[-1] if opened else None
    regions = [
        Region("\n".join(block.lines), True, block.language[:40], reaches_end=block is last)
        for block in blocks[-MAX_BLOCKS:]
    ]
    reaches_end = not opened and bool(outside) and lines[-1] is outside[-1]
    return [*regions, Region("\n".join(outside), is_fenced=False, reaches_end=reaches_end)]


@dataclass(frozen=True, eq=False)
class _Block:
    mark: str
    language: str
    lines: list[str]


def _one_line(info: str) -> tuple[str, list[str]]:
    """Language and content of a block that is written in one line: ```json ["b", "a"]```."""
    match = re.match(r"([A-Za-z]\w*)(?=\s|[\[{])\s*(.*)", info)
    return (match[1], [match[2]]) if match and match[2] else ("", [info])


def _closing_behind(line: str, mark: str) -> str | None:
    """The content in front of a closing fence at the end of its line, None when the block goes on."""
    stripped = line.rstrip()
    if not stripped.endswith(mark):
        return None
    content = stripped.rstrip(mark[0])
    return content if mark[0] not in content else None
