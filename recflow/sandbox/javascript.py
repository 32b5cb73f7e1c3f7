"""Runs scripts in QuickJS; inside the child process only.

A script is evaluated as a global script in a fresh engine; the value of its last expression is its result.
Beside the language it finds ``user_id``, a synchronous ``fetch`` and ``console``: no files, timers, modules
or environment. QuickJS's own time limit cannot be used, as it forbids calls back into Python and does not
stop every regular expression; the alarm clock of the child stops everything.
"""

from __future__ import annotations

import json
import re

import quickjs

from recflow.sandbox.frames import whole_text

_HEAP_BYTES = 64 * 1024 * 1024
_STACK_BYTES = 512 * 1024
_MOST_LOG_LINES = 200
_LONGEST_LOG_LINE = 2000
_SHOWN = 300
_PLACE = re.compile(r"<input>:(\d+):(\d+)")
#: What a fetch is asked for with.
_FETCH = ("url", "method", "headers", "body")

# Whatever this needs of the language it takes before the script can change it.
_PRELUDE = r"""
(() => {
  const host = globalThis.__host;
  delete globalThis.__host;
  const { stringify, parse } = JSON;
  const { isArray } = Array;
  const ask = (frame) => parse(host(stringify(frame)));

  const shown = (value) => {
    if (typeof value === "string") return value;
    try { return stringify(value) ?? String(value); } catch { return String(value); }
  };
  const log = (...values) => { ask({ log: values.map(shown).join(" ") }); };
  globalThis.console = { log, info: log, warn: log, error: log, debug: log };

  globalThis.fetch = function fetch(first, second) {
    const options = typeof first === "string" ? { url: first, ...(second ?? {}) } : first;
    if (options === null || typeof options !== "object" || isArray(options)
        || (typeof second !== "object" && second !== undefined))
      throw new TypeError("fetch takes a URL, an options object, or a URL and an options object");
    const { url, method = "GET", headers = {}, body = "" } = options;
    for (const [name, value] of [["url", url], ["method", method], ["body", body]])
      if (typeof value !== "string") throw new TypeError(`fetch: ${name} must be a string`);
    if (headers === null || typeof headers !== "object" || isArray(headers)
        || Object.values(headers).some((value) => typeof value !== "string"))
      throw new TypeError("fetch: headers must be an object of strings");
    const answer = ask({ fetch: { url, method, headers: { ...headers }, body } });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.response;
  };

  const described = (value) => {
    if (isArray(value)) {
      const wrong = value.findIndex((id) => typeof id !== "string");
      if (wrong < 0) return { ids: value };
      return { wrong, kind: value[wrong] === null ? "null" : typeof value[wrong] };
    }
    if (value === null || value === undefined) return { kind: "nothing" };
    if (value instanceof Promise) return { kind: "a promise" };
    if (typeof value === "string") return { text: value };
    if (typeof value === "object") return { kind: "an object" };
    if (typeof value === "function") return { kind: "a function" };
    return { kind: `the ${typeof value} ${String(value)}` };
  };
  const run = eval;
  return (script) => stringify(described(run(script)));
})()
"""


_READ_ONLY = r"""
((run) => (script) => {
  try { run("throw null;\n" + script); } catch (error) { if (error !== null) throw error; }
})(eval)
"""


class _Failure(Exception):
    """A script's error, for the parent."""

    def __init__(self, message: str, place: tuple[int, int] | None = None, *, is_limit: bool = False) -> None:
        super().__init__(message)
        self.message, self.place, self.is_limit = message, place, is_limit

    def as_reply(self) -> dict:
        line, column = self.place or (None, None)
        return {"message": self.message, "line": line, "column": column, "limit": self.is_limit}


def handle(job: dict, channel) -> dict:
    """One script, from its text to its ids; of a script to be checked, no ids."""
    try:
        if "check" in job:
            return {"ok": _check(job["check"])}
        ids = _run(job, channel)
        length = sum(map(len, ids))
        if length > job["output_chars"]:
            raise _Failure(
                f"The script's ids take {length:,} characters; at most {job['output_chars']:,} are allowed.",
                is_limit=True,
            )
        return {"ok": ids}
    except _Failure as failure:
        return {"error": failure.as_reply()}


def _run(job: dict, channel) -> list[str]:
    engine = quickjs.Context()
    engine.set_memory_limit(_HEAP_BYTES)
    engine.set_max_stack_size(_STACK_BYTES)
    engine.add_callable("__host", _Host(channel))
    run = engine.eval(_PRELUDE)
    engine.set("user_id", job["user_id"])
    try:
        # Through JavaScript's own eval: the binding cannot hand over a long string made by +.
        value = json.loads(run(job["script"]))
    except quickjs.StackOverflow:
        raise _Failure("The script calls itself too often.", is_limit=True) from None
    except quickjs.JSException as error:
        raise _explained(str(error)) from None
    return _ids(value)


def _check(script: str) -> list[str]:
    """Reads a script without running it: the whole text is read before its first line, which ends it."""
    engine = quickjs.Context()
    engine.set_memory_limit(_HEAP_BYTES)
    engine.set_max_stack_size(_STACK_BYTES)
    try:
        engine.eval(_READ_ONLY)(script)
    except quickjs.StackOverflow:
        raise _Failure("The script is nested too deeply.", is_limit=True) from None
    except quickjs.JSException as error:
        raise _explained(str(error), lines_before=1) from None
    return []


class _Host:
    """The one function a script can reach. It never raises: an exception may not cross the engine.

    A script can change what its engine makes of any object, so what comes here is read like a stranger's
    letter, and the frame that goes to the parent is made anew: one of the script's own making could pass for
    its result, and the script would go on and be given the next job.
    """

    def __init__(self, channel) -> None:
        self._channel = channel
        self._log_lines = 0

    def __call__(self, text: str) -> str:
        try:
            asked = json.loads(text)
        except (ValueError, RecursionError):
            asked = None
        match asked:
            case {"log": str() as line}:
                self._log(line)
                return "{}"
            case {"fetch": dict() as fetch} if _is_fetch(fetch):
                wanted = {name: fetch[name] for name in _FETCH}
                return json.dumps(self._channel.ask({"fetch": wanted}))
        return json.dumps({"error": "fetch: what was asked for cannot be read"})

    def _log(self, text: str) -> None:
        self._log_lines += 1
        if self._log_lines <= _MOST_LOG_LINES:
            self._channel.send({"log": whole_text(text[:_LONGEST_LOG_LINE])})
        elif self._log_lines == _MOST_LOG_LINES + 1:
            self._channel.send({"log": f"… only the first {_MOST_LOG_LINES} lines are kept"})


def _is_fetch(asked: dict) -> bool:
    """Whether it holds what a request is made of, all of it text."""
    match asked:
        case {"url": str(), "method": str(), "headers": dict() as headers, "body": str()}:
            return all(isinstance(value, str) for value in headers.values())
    return False


def _ids(value: dict) -> list[str]:
    """The ids in a script's value: an array of strings, or a string that holds such an array as JSON."""
    match value:
        case {"ids": list() as ids}:
            return _all_strings(ids)
        case {"text": str() as text}:
            return _ids_in_text(text)
        case {"wrong": int() as wrong, "kind": str() as kind}:
            raise _Failure(f"The script's array holds {_article(kind)} at position {wrong}; ids are strings.")
        case {"kind": str() as kind}:
            raise _Failure(f"The script's last expression is {kind[:50]}; it must be an array of ids.")
        case _:  # the script spoiled what describes its value
            raise _Failure("The script's last expression cannot be read; it must be an array of ids.")


def _ids_in_text(text: str) -> list[str]:
    try:
        ids = json.loads(text)
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, list):
        raise _Failure(
            f"The script's last expression is the text {text[:50]!r}, which is no JSON array of ids."
        )
    return _all_strings(ids)


def _all_strings(ids: list) -> list[str]:
    for position, found in enumerate(ids):
        if not isinstance(found, str):
            raise _Failure(
                f"The script's array holds {json.dumps(found)[:50]} at position {position}; ids are strings."
            )
    return [whole_text(found) for found in ids]


def _article(kind: str) -> str:
    if kind in ("null", "undefined"):
        return kind
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _explained(text: str, lines_before: int = 0) -> _Failure:
    """QuickJS's message with the place in the script; frames of our own ``fetch`` do not count.

    Args:
        lines_before: of ours in front of the script.
    """
    message, _, trace = text.partition("\n")
    places = [_PLACE.search(line) for line in trace.splitlines() if not line.strip().startswith("at fetch (")]
    place = next(((int(found[1]) - lines_before, int(found[2])) for found in places if found), None)
    is_limit = "out of memory" in message or "too long" in message
    message = message if len(message) <= _SHOWN else message[: _SHOWN - 1] + "…"
    where = f"Line {place[0]}, column {place[1]}: " if place else "The script stopped: "
    return _Failure(f"{where}{message.rstrip('.')}.", place, is_limit=is_limit)
