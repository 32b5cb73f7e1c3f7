# ruff: noqa: E501  templates and scripts are data; broken over lines they are harder to read
"""Templates that want to hang the server, fill its memory or look around: each ends in a clear error,
soon."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recflow.errors import SandboxError, SandboxLimit
from recflow.sandbox import templates, workers
from recflow.sandbox.templates import check, fields_used, render
from recflow.sandbox.workers import Limits, Pool
from tests.patience import PATIENCE_S, is_within, wait_until

LIMITS = Limits(seconds=0.2)
PROMISED_S = 2.0

RUNAWAY = {
    "nested loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
    "{% endfor %}{% endfor %}{% endfor %}",
    "huge range": "{% for i in range(10**9) %}{{ i }}{% endfor %}",
    "repeated string": "{{ 'a' * 10**10 }}",
    "repeated list": "{{ [0] * 10**9 }}",
    "huge power": "{{ 9 ** 99999999 }}",
    "power of powers": "{{ 9 ** 9 ** 9 ** 9 ** 9 }}",
    "growing power": "{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}{{ ns.x }}",
    "doubling string": "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "doubling by tilde": "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "center": "{{ 'a' | center(10**10) }}",
    "indent": "{{ ('a\n' * 9999) | indent(10**8) }}",
    "slice": "{{ [1] | slice(10**9) | list }}",
    "batch": "{{ [1] | batch(10**9, 0) | list }}",
    "format width": "{{ '%999999999d' % 1 }}",
    "format method": "{{ '{:999999999}'.format(1) }}",
    "format filter": "{{ '%999999999d' | format(1) }}",
    "wordwrap": "{{ ('a' * 9999999) | wordwrap(1) | length }}{{ ('a' * 9999999) | wordwrap(1) | wordwrap(1) }}",
    "ljust": "{{ 'a'.ljust(10**10) }}",
    "zfill": "{{ '1'.zfill(10**10) }}",
    "replace": "{{ ('a' * 10**5) | replace('a', 'b' * 10**5) }}",
    "join": "{{ range(99999) | join('x' * 10**6) }}",
    "recursive macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "exponential macro": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "recursive loop": "{% for i in [[]] recursive %}{{ loop([[]]) }}{% endfor %}",
    "flood of text": "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
    "flood of numbers": "{% for i in range(9999) %}{% for j in range(9999) %}{{ j }}{% endfor %}{% endfor %}",
    "flood into a macro": "{% macro m() %}{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}{% endmacro %}{{ m() | length }}",
    "flood into a set block": "{% set x %}{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}{% endset %}",
    "deep nesting": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep lists": "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "deep blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "cycle of a list": "{% set x = namespace() %}{% set x.x = x %}{{ x.x.x.x }}{{ [x] * 10**8 }}",
    "slow sort": "{% for i in range(99999) %}{% set x = range(99999) | list | sort | list %}{% endfor %}",
    "flood by links": "{{ ('a' * 10**6 ~ '!') | urlize }}{% for i in range(99999) %}{{ ('www.' * 9999) | urlize | length }}{% endfor %}",
}


@pytest.mark.parametrize("template", RUNAWAY.values(), ids=RUNAWAY)
def test_runaway_template_ends_in_an_error_within_the_limit(template):

    def seconds():
        started = time.perf_counter()
        with pytest.raises(SandboxError) as caught:
            render(template, {}, limits=LIMITS)
        assert 10 < len(str(caught.value)) < 500
        return time.perf_counter() - started

    assert is_within(PROMISED_S, seconds)
    assert render("{{ 1 + 1 }}", {}) == "2"


def test_constants_that_are_never_used_are_not_computed_either():
    limits = Limits(seconds=PATIENCE_S / 4)
    assert render("{% if false %}{{ 9**99999999 }}{% endif %}ok", {}, limits=limits) == "ok"


@pytest.mark.parametrize(
    "template",
    ["{% if false %}{{ 'a' | center(10**9) | length }}{% endif %}", "{{ 10**9 | string | center(10**10) }}"],
)
def test_checking_and_reading_fields_cannot_run_away(template):
    def seconds():
        started = time.perf_counter()
        check(template)
        fields_used(template)
        return time.perf_counter() - started

    assert is_within(2 * PROMISED_S, seconds)


LOOKING_AROUND = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'].__base__ }}",
    "{{ '' | attr('__class__') | string }}{{ ('' | attr('__class__')).x }}",
    "{{ self.__init__.__globals__ }}",
    "{{ range.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ config }}",
    "{{ request }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ '{0.__globals__}'.format(range) }}",
    "{{ ''.__init__ }}",
    "{{ t.Format.__func__.__globals__ }}",
    "{{ t._moment }}",
    "{{ x.append(1) }}",
    "{{ x.pop() }}",
    "{% include '/etc/passwd' %}",
    "{% include ['/etc/passwd'] ignore missing %}",
    "{% extends '/etc/passwd' %}",
    "{% import '/etc/passwd' as x %}",
    "{{ __import__('os') }}",
    "{{ open('/etc/passwd') }}",
    "{% set __class__ = 1 %}{{ ().__class__ }}",
    "{{ dict.__mro__ }}",
    "{{ loop.__class__ }}",
    "{{ (1).__class__ }}",
]


@pytest.mark.parametrize("template", LOOKING_AROUND)
def test_nothing_but_the_variables_can_be_seen(template):
    with pytest.raises(SandboxError):
        render(template, {"t": datetime(2024, 1, 1, tzinfo=UTC), "x": [1]})


def test_output_limit_counts_all_texts_together():
    limits = Limits(output_chars=1000)
    assert len(render("{{ 'x' * 1000 }}", {}, limits=limits)) == 1000
    with pytest.raises(SandboxLimit, match="more than 1,000 characters"):
        templates.render_many("{{ 'x' * 400 }}", [{}, {}, {}], limits=limits)


def test_time_limit_is_named():
    template = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    with pytest.raises(SandboxLimit, match=r"ran longer than 0\.2 s"):
        render(template, {}, limits=LIMITS)


def test_other_renders_go_on_while_hostile_ones_run():
    render("{{ 1 }}", {})
    hostile = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    errors = []

    def attack():
        try:
            render(hostile, {}, limits=Limits(seconds=0.8))
        except SandboxLimit as error:
            errors.append(error)

    attackers = [threading.Thread(target=attack) for _ in range(3)]
    for attacker in attackers:
        attacker.start()
    rendered = 0
    while any(attacker.is_alive() for attacker in attackers):
        assert render("{{ n }}", {"n": rendered}, limits=Limits(seconds=PATIENCE_S)) == str(rendered)
        rendered += 1
    assert len(errors) == 3
    assert rendered >= 5  # three spinning children on two cores slow the rest, but never stop it


def test_secrets_of_the_environment_do_not_reach_the_child(monkeypatch):
    monkeypatch.setenv("OPENAI_AUTH_TOKEN", "sesame")
    pool = Pool("template", size=1)
    pool.run({"do": "fields", "template": "x"}, Limits())
    (worker,) = pool._idle
    environment = _environment_of(worker._process.pid)
    pool.close()
    if environment is None:
        pytest.skip("only Linux shows the environment of another process")
    assert b"PYTHONUTF8" in environment
    assert b"sesame" not in environment


def _environment_of(pid: int) -> bytes | None:
    path = Path(f"/proc/{pid}/environ")
    return path.read_bytes() if path.exists() else None


def test_child_that_was_killed_while_idle_is_replaced():
    pool = Pool("template", size=1)
    job = {"do": "fields", "template": "x"}
    pool.run(job, Limits())
    victim = pool._idle[0]._process
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert pool.run(job, Limits()) == {}
    pool.close()


def test_child_that_does_not_even_die_of_its_alarm_is_killed_by_the_parent():
    pool = Pool("template", size=1)
    job = {"do": "fields", "template": "x"}
    pool.run(job, Limits())
    frozen = pool._idle[0]._process
    os.kill(frozen.pid, signal.SIGSTOP)
    with pytest.raises(SandboxLimit, match=r"longer than 0\.1 s"):
        pool.run(job, Limits(seconds=0.1))
    assert frozen.poll() == -signal.SIGKILL
    assert pool.run(job, Limits()) == {}
    pool.close()


def test_children_are_reused_and_retired():
    pool = Pool("template", size=1)
    job = {"do": "fields", "template": "x"}
    pool.run(job, Limits())
    first = pool._idle[0]
    pool.run(job, Limits())
    assert pool._idle == [first]
    first.jobs = 999
    pool.run(job, Limits())
    assert pool._idle == []
    assert not first.is_alive()
    pool.close()


def test_a_child_that_starts_too_slowly_is_ended_and_said_to_be_slow(monkeypatch):
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *given, **how):
            super().__init__(*given, **how)
            started.append(self)

    monkeypatch.setattr(workers.subprocess, "Popen", Noted)
    monkeypatch.setattr(workers, "_START_S", 0.0)
    pool = Pool("template", size=1)
    with pytest.raises(SandboxError, match=r"run it: it took too long\.$"):
        pool.run({"do": "fields", "template": "x"}, Limits())
    assert [child.poll() for child in started] == [-signal.SIGKILL]
    monkeypatch.setattr(workers, "_START_S", PATIENCE_S)
    assert pool.run({"do": "fields", "template": "x"}, Limits()) == {}
    pool.close()


def test_child_ends_when_its_parent_is_killed():
    program = (
        "from recflow.sandbox.workers import Limits, Pool\n"
        "pool = Pool('template')\n"
        "pool.run({'do': 'fields', 'template': 'x'}, Limits())\n"
        "print(pool._idle[0]._process.pid, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)  # it lives
        parent.kill()
    wait_until(lambda: not _lives(child), f"Process {child} outlives its parent")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
