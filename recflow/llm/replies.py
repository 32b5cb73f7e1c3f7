"""From the text of a reply to a ranking: forgiving of form, strict on meaning.

Models wrap their lists in thoughts, fences, tables, numbering and politeness. All of that is taken off by
rules in a fixed order; what remains counts only where it names exactly one candidate. Whatever comes in, the
outcome is a permutation of the candidates: those ranked first, then the rest in the order they came. Nothing
is raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from recflow.llm.envelope import Completion
from recflow.llm.json_lists import find_json, read_json
from recflow.llm.lines import clip
from recflow.llm.matching import Matcher, Mention, is_echo, ranked
from recflow.llm.regions import Region, clean, has_reasoning, shorten, split_regions, unquoted
from recflow.llm.tables import read_rows

#: Raised whenever the same reply may be read differently than before; part of the key of kept answers.
PARSER_VERSION = 2

#: Dropped tokens that are kept one by one; the rest is only counted.
MAX_DROPPED = 500

_CUT_REASONS = frozenset({"length", "max_tokens", "content_filter", "cut"})

_SENTENCES = {
    "": "Every candidate was ranked.",
    "missing": "The answer left candidates out; they follow in the order they came.",
    "cut": "The answer was cut off; candidates it did not reach follow in the order they came.",
    "empty": "The answer is empty.",
    "reasoning_only": "The model spent its whole answer on reasoning and gave no list.",
    "tool_calls": "The model asked for a tool instead of giving a list.",
    "refusal": "The model refused to answer.",
    "content_filter": "A content filter of the service held the answer back.",
    "no_candidate": "The answer names no candidate.",
}


@dataclass(frozen=True)
class Dropped:
    """A token of the reply that ranks nothing, and why.

    Args:
        reason: header, duplicate, unknown, ambiguous, cut or prose.
    """

    text: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """What a reply says about the candidates.

    Args:
        order: all candidate positions, best first: those ranked, then the others as they came.
        n_ranked: how many of them the reply ranked.
        status: ok (all that were asked for), partial (at least one) or failed (none).
        reason: one word for what is short of ok; ``message`` is its sentence.
        dropped: tokens that rank nothing, at most ``MAX_DROPPED``.
        dropped_counts: how many tokens were dropped for each reason, all of them.
        region: the part of the reply that was read, "" when none was.
    """

    order: tuple[int, ...]
    n_ranked: int
    status: str
    reason: str = ""
    dropped: tuple[Dropped, ...] = ()
    dropped_counts: dict[str, int] = field(default_factory=dict)
    region: str = ""

    @property
    def message(self) -> str:
        return _SENTENCES[self.reason]


def read_reply(
    text: str,
    candidate_ids: Sequence[str],
    *,
    aliases: Sequence[str] | None = None,
    finish_reason: str | None = None,
    wanted: int | None = None,
) -> Reading:
    """The ranking that a reply holds.

    Args:
        text: content of the message.
        candidate_ids: (n,) ids in the order they came; of a repeated id only the first can be ranked.
        aliases: (n,) names that stood in the prompt instead of the ids. Only they count then.
        finish_reason: as the service reports it; "length" makes an unfinished last token suspect.
        wanted: how many ranks were asked for, all when None.
    """
    n = len(candidate_ids)
    answer = clean(text)
    if not answer.strip():
        return failed_reading(n, _why_blank(text, finish_reason))
    matcher = Matcher(aliases if aliases is not None else candidate_ids)
    best = _choose([_read_region(region, matcher) for region in split_regions(shorten(answer, n))], n)
    was_cut = finish_reason in _CUT_REASONS
    order, dropped = _rank(best, matcher, was_cut)
    counts = dict(Counter(token.reason for token in dropped))
    rest = [position for position in range(n) if position not in set(order)] if len(order) < n else []
    is_short = len(order) < min(n, n if wanted is None else wanted)
    status = "failed" if is_short and not order else "partial" if is_short else "ok"
    reason = (
        ""
        if not is_short
        else "no_candidate"
        if not order
        else "cut"
        if was_cut or "cut" in counts
        else "missing"
    )
    return Reading(
        order=(*order, *rest),
        n_ranked=len(order),
        status=status,
        reason=reason,
        dropped=tuple(dropped[:MAX_DROPPED]),
        dropped_counts=counts,
        region=best.region.label,
    )


def read_completion(
    completion: Completion,
    candidate_ids: Sequence[str],
    *,
    aliases: Sequence[str] | None = None,
    wanted: int | None = None,
) -> Reading:
    """The ranking in a completion; the reason when it says nothing.

    Some models put their whole answer into the reasoning field. It counts only when it is nothing but the
    list: a list among thoughts may be the one that was thought better of.
    """
    finish_reason = completion.finish_reason
    if completion.content.strip():
        return read_reply(
            completion.content, candidate_ids, aliases=aliases, finish_reason=finish_reason, wanted=wanted
        )
    if completion.reasoning.strip():
        reading = read_reply(completion.reasoning, candidate_ids, aliases=aliases, wanted=wanted)
        if reading.n_ranked and not {"prose", "unknown", "ambiguous"} & set(reading.dropped_counts):
            return reading
    if completion.refusal:
        reason = "refusal"
    elif finish_reason == "content_filter":
        reason = "content_filter"
    elif completion.has_tool_calls or finish_reason in ("tool_calls", "function_call"):
        reason = "tool_calls"
    else:
        reason = "reasoning_only" if completion.reasoning.strip() else "empty"
    return failed_reading(len(candidate_ids), reason)


def failed_reading(n_candidates: int, reason: str) -> Reading:
    """No candidate was ranked: all stay as they came."""
    if n_candidates == 0:
        return Reading((), 0, "ok")
    return Reading(tuple(range(n_candidates)), 0, "failed", reason)


def _why_blank(text: str, finish_reason: str | None) -> str:
    if finish_reason in ("content_filter", "tool_calls", "refusal"):
        return finish_reason
    return "reasoning_only" if text.strip() and has_reasoning(text) else "empty"


@dataclass(frozen=True)
class _RegionReading:
    region: Region
    mentions: list[Mention]
    order: list[int]
    is_cut: bool = False


def _read_region(region: Region, matcher: Matcher) -> _RegionReading:
    """The list in one region: its JSON, unless the lines around that name more candidates."""
    from_json: list[_RegionReading] = []
    lines: list[str] = []
    read_to = 0
    text = unquoted(region.text)
    for run in find_json(text):
        mentions = read_json(run.values, matcher)
        from_json.append(_RegionReading(region, mentions, ranked(mentions), run.is_cut))
        if len(from_json[-1].order) > 1 and not run.is_cut:
            lines += [text[read_to : run.start], "\n"]
            read_to = run.end
    mentions = read_rows("".join(lines) + text[read_to:], matcher)
    return _choose([_RegionReading(region, mentions, ranked(mentions)), *from_json], len(matcher))


def _choose(readings: Sequence[_RegionReading], n_candidates: int) -> _RegionReading:
    """No echo of the input if another has ids; most distinct candidates; fenced over loose; last."""
    useful = [reading for reading in readings if reading.order]
    own = [reading for reading in useful if not is_echo(reading.order, n_candidates)]
    pool = own or useful or readings
    return max(enumerate(pool), key=lambda entry: (len(entry[1].order), entry[1].region.is_fenced, entry[0]))[
        1
    ]


def _rank(reading: _RegionReading, matcher: Matcher, was_cut: bool) -> tuple[list[int], list[Dropped]]:
    order: list[int] = []
    seen: set[int] = set()
    dropped: list[Dropped] = []
    mentions = reading.mentions
    last = len(mentions) - 1
    for place, mention in enumerate(mentions):
        if place == last and _is_unfinished(mention, reading, matcher, seen, was_cut):
            dropped.append(Dropped(clip(mention.text), "cut"))
        elif mention.position < 0:
            dropped.append(Dropped(mention.text, mention.reason))
        elif mention.position in seen:
            dropped.append(Dropped(clip(mention.text), "duplicate"))
        else:
            seen.add(mention.position)
            order.append(mention.position)
    return order, dropped


def _is_unfinished(
    mention: Mention, reading: _RegionReading, matcher: Matcher, ranked_so_far: set[int], was_cut: bool
) -> bool:
    """Whether the last token was cut in the middle, so that it may be the beginning of another id."""
    region = reading.region
    if not (was_cut or reading.is_cut) or not region.reaches_end or not region.text.endswith(mention.text):
        return False
    return mention.position < 0 or matcher.starts_another(mention.text, mention.position, ranked_so_far)
