"""From a bare clone to a running command: what is installed when, and what is said when it cannot be."""

from __future__ import annotations

import subprocess
import sys

import pytest

from recflow import bootstrap
from recflow.bootstrap import CannotStart, ensure_packages, marker_holds, missing_packages, pins


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """A Python without virtual environment, in a project that has none; what would be started is recorded."""
    started = []

    def replace(command):
        started.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(bootstrap, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "replace_process", replace)
    return started


def a_list(tmp_path, text):
    path = tmp_path / "requirements.txt"
    path.write_text(text)
    return path


def test_pins_are_read_with_extras_comments_and_markers(tmp_path):
    path = a_list(
        tmp_path,
        "# heading\n\nDjango==5.2  # pages\nx[standard]==1.0\nold==1 ; python_full_version < '3.11'\n"
        "new==2 ; python_full_version < '3.99.1'\nelsewhere==3 ; sys_platform == 'amiga'\n",
    )
    assert pins(path) == [("Django", "5.2"), ("x", "1.0"), ("new", "2")]


def test_a_marker_nobody_knows_is_not_guessed():
    with pytest.raises(CannotStart, match="a marker this script does not know: os_name"):
        marker_holds("os_name == 'nt'")


def test_a_package_is_missing_when_it_is_absent_or_of_another_version(tmp_path):
    from importlib.metadata import version

    path = a_list(tmp_path, f"pytest=={version('pytest')}\ndjango==0.1\nno-such-thing==1\n")
    assert missing_packages([path]) == ["django", "no-such-thing"]


def test_with_everything_at_hand_nothing_is_made(outside, tmp_path):
    ensure_packages([a_list(tmp_path, "")], ["manage.py", "playground"], may_install=True, may_make=True)
    assert outside == []
    assert not bootstrap.ENVIRONMENT.exists()


def test_an_environment_is_made_once_and_goes_on_as_its_python(outside, tmp_path, monkeypatch):
    made = []

    def make():
        made.append(True)
        python = bootstrap.environment_python()
        python.parent.mkdir(parents=True)
        python.touch()

    monkeypatch.setattr(bootstrap, "make_environment", make)
    for _ in range(2):
        with pytest.raises(SystemExit):
            ensure_packages(
                [a_list(tmp_path, "no-such==1")], ["manage.py", "playground"], may_install=True, may_make=True
            )
    assert made == [True]
    assert outside == [[str(bootstrap.environment_python()), "manage.py", "playground"]] * 2


def test_other_commands_do_not_install_on_their_own(outside, tmp_path):
    with pytest.raises(CannotStart, match=r"not installed yet: python3 manage\.py serve installs them"):
        ensure_packages(
            [a_list(tmp_path, "no-such==1")], ["manage.py", "migrate"], may_install=False, may_make=False
        )


@pytest.mark.parametrize(
    ("command", "given", "threads"), [("bench_llm", "", "1"), ("bench_llm", "2", "2"), ("migrate", "", "")]
)
def test_a_command_that_fits_leaves_openblas_one_thread_unless_told(monkeypatch, command, given, threads):
    monkeypatch.setattr(bootstrap.os, "environ", {"OPENBLAS_NUM_THREADS": given} if given else {})
    monkeypatch.setattr(bootstrap, "ensure_packages", lambda *args, **more: None)
    monkeypatch.setattr(bootstrap, "run_django", lambda arguments: None)
    bootstrap.main(["manage.py", command])
    assert bootstrap.os.environ.get("OPENBLAS_NUM_THREADS", "") == threads


@pytest.mark.parametrize(
    ("command", "may"),
    [
        ("playground", {"may_install": True, "may_make": True}),
        ("serve", {"may_install": False, "may_make": True}),
        ("migrate", {"may_install": False, "may_make": False}),
    ],
)
def test_what_people_begin_with_makes_the_environment_and_leaves_theirs_alone(monkeypatch, command, may):
    asked = []
    monkeypatch.setattr(bootstrap, "ensure_packages", lambda *args, **more: asked.append(more))
    monkeypatch.setattr(bootstrap, "run_django", lambda arguments: None)
    bootstrap.main(["manage.py", command])
    assert asked == [may]


def test_somebody_elses_environment_is_left_alone_by_other_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(bootstrap, "install", lambda *args: pytest.fail("it was installed into"))
    ensure_packages(
        [a_list(tmp_path, "django==0.1")], ["manage.py", "serve"], may_install=False, may_make=False
    )


def test_a_missing_package_index_is_one_sentence(tmp_path, monkeypatch):
    output = "Collecting django\nWARNING: Retrying\nERROR: No matching distribution found for django==5.2\n"
    done = subprocess.CompletedProcess([], 1, stdout=output, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(CannotStart) as caught:
        bootstrap.install([tmp_path / "requirements.txt"], ["django"])
    assert str(caught.value) == (
        "The packages could not be installed; is the package index reachable? "
        "pip said: ERROR: No matching distribution found for django==5.2"
    )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("The virtual environment was not created because ensurepip is not available.", "-venv, or uv"),
        ("Error: something else", "could not be made: Error: something else"),
    ],
)
def test_an_environment_that_cannot_be_made_is_one_sentence(outside, monkeypatch, said, sentence):
    done = subprocess.CompletedProcess([], 1, stdout=said, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    with pytest.raises(CannotStart, match=sentence):
        bootstrap.make_environment()


@pytest.fixture
def said_by(tmp_path):
    """What a command of Django's ends with, in a process of its own, when it cannot start."""

    def run(command, **environment):
        code = (
            "import sys\nfrom recflow.bootstrap import run_django, CannotStart\n"
            "try: run_django(['manage.py', *sys.argv[1:]])\nexcept CannotStart as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *command],
            cwd=bootstrap.PROJECT,
            env={"RECFLOW_DATA_DIR": str(tmp_path)} | environment,
            capture_output=True,
            text=True,
        )
        assert len(done.stdout.splitlines()) == 1, done.stdout + done.stderr
        return done.stdout.strip()

    return run


def test_a_database_that_is_away_is_one_sentence(said_by):
    said = said_by(["migrate"], DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")
    assert said.startswith("The database cannot be used: ")


def test_a_file_that_is_no_database_is_one_sentence(said_by, tmp_path):
    (tmp_path / "recflow.sqlite3").write_text("a text where a database should be")
    assert said_by(["migrate"]) == "The database cannot be used: file is not a database"


def test_a_command_that_finds_no_tables_says_how_to_make_them(said_by):
    said = said_by(["clearsessions"])
    assert said == "Run python3 manage.py migrate first: no such table: django_session"


def test_ports_that_cannot_be_had_are_one_sentence_each():
    from django.core.management.base import CommandError

    from dashboard.management.serving import open_port

    with open_port("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} is taken: .* choose another with --port"):
            open_port("127.0.0.1", port)
    with pytest.raises(CommandError, match="A port is a number from 0 to 65535, got 99999"):
        open_port("127.0.0.1", 99999)
