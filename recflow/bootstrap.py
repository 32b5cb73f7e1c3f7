"""From a bare clone to a running command: the virtual environment, its packages, the browser for the tests.

Only the standard library may come in here: this runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
REQUIREMENTS = PROJECT / "requirements.txt"
TEST_REQUIREMENTS = PROJECT / "tests" / "requirements.txt"

#: Commands that install what they need; the others expect it to be there.
INSTALLING = {"playground", "test"}
#: Commands that people with data of their own begin with: they make the project's environment where there is
#: none, and leave alone one that is active.
BEGINNING = {"serve", "import", "gorse"}
#: Commands that fit one model after another. OpenBLAS' threads wait for each other without sleeping, so on a
#: machine with other work a fit of 0.2 s takes 3 s; what gains by more processors has threads of its own.
#: Background jobs run the same way, as Dask starts them.
FITTING = {"bench_llm"}
#: Where distributions put their Chromium.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class CannotStart(Exception):
    """Something this machine lacks; the message is one sentence."""


def main(arguments: list[str]) -> None:
    """Run a command of manage.py, making its environment first where that is needed."""
    command = arguments[1] if len(arguments) > 1 else "help"
    try:
        wanted = [REQUIREMENTS, TEST_REQUIREMENTS] if command == "test" else [REQUIREMENTS]
        ensure_packages(
            wanted,
            arguments,
            may_install=command in INSTALLING,
            may_make=command in INSTALLING | BEGINNING,
        )
        if command == "test":
            sys.exit(run_tests(arguments[2:]))
        if command in FITTING:
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when numpy is imported
        run_django(arguments)
    except CannotStart as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def run_django(arguments: list[str]) -> None:
    """Hand over to Django's commands."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recflow.settings")
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError, OperationalError
    from django.db.migrations.exceptions import MigrationSchemaMissing

    try:
        execute_from_command_line(arguments)
    except MigrationSchemaMissing as error:  # what it was raised for says the same in fewer words
        raise CannotStart(f"The database cannot be used: {first_line(str(error.__context__))}") from error
    except DatabaseError as error:
        said = " ".join(str(error).split())
        if re.search(r"no such table|relation .* does not exist", said):
            raise CannotStart(f"Run python3 manage.py migrate first: {first_line(str(error))}") from error
        if type(error) not in (DatabaseError, OperationalError):  # a statement of ours is wrong
            raise
        raise CannotStart(f"The database cannot be used: {said}") from error


def ensure_packages(files: list[Path], arguments: list[str], *, may_install: bool, may_make: bool) -> None:
    """Return with the pinned packages at hand, or go on as the Python of the project's own environment.

    An environment that is active is used as it is. Else the project's ``.venv`` is, made if need be.
    """
    in_environment = sys.prefix != sys.base_prefix
    if not in_environment and not missing_packages(files):
        return
    if not in_environment:
        python = environment_python()
        if not python.exists():
            if not may_make:
                raise CannotStart(
                    "The packages are not installed yet: python3 manage.py serve installs them, or playground"
                )
            make_environment()
        replace_process([str(python), *arguments])
    missing = missing_packages(files)
    if missing and not may_install and Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        return  # somebody else's environment, perhaps with newer packages: leave it alone
    if missing:
        install(files, missing)


def missing_packages(files: list[Path]) -> list[str]:
    """Names of the pinned packages that are not installed in the pinned version."""
    missing = []
    for file in files:
        for name, wanted in pins(file):
            try:
                if version(name) != wanted:
                    missing.append(name)
            except PackageNotFoundError:
                missing.append(name)
    return missing


def pins(file: Path) -> list[tuple[str, str]]:
    """(package, version) of each line that counts on this machine.

    Markers are only those that the files use: a bound on the Python version, and the operating system.
    """
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        requirement, _, marker = line.partition("#")[0].partition(";")
        match = re.match(r"\s*([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", requirement)
        if match and marker_holds(marker.strip()):
            found.append((match[1], match[2]))
    return found


def marker_holds(marker: str) -> bool:
    """Whether a requirement with this marker counts here; an empty one always does."""
    if not marker:
        return True
    if match := re.fullmatch(r"python_full_version < '3\.(\d+)(?:\.(\d+))?'", marker):
        return sys.version_info[:3] < (3, int(match[1]), int(match[2] or 0))
    if match := re.fullmatch(r"sys_platform (==|!=) '(\w+)'", marker):
        return (sys.platform == match[2]) == (match[1] == "==")
    raise CannotStart(f"requirements.txt has a marker this script does not know: {marker}")


def environment_python() -> Path:
    """The Python of the project's own environment."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment() -> None:
    """Make ``.venv`` beside manage.py."""
    say(f"Making a virtual environment in {ENVIRONMENT}")
    uv = shutil.which("uv")
    command = (
        [uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)]
        if uv
        else [sys.executable, "-m", "venv", str(ENVIRONMENT)]
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotStart(f"{command[0]} could not be started: {error}") from error
    if done.returncode == 0:
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    said = done.stdout + done.stderr
    if not os.access(PROJECT, os.W_OK):
        raise CannotStart(f"The folder {PROJECT} cannot be written: clone RecFlow to a place of your own")
    if "ensurepip" in said:
        major, minor = sys.version_info[:2]
        raise CannotStart(
            f"This Python cannot make virtual environments: install python{major}.{minor}-venv, or uv"
        )
    raise CannotStart(f"The virtual environment {ENVIRONMENT} could not be made: {last_line(said)}")


def install(files: list[Path], missing: list[str]) -> None:
    """Install the pinned packages into the running environment."""
    say(f"Installing {len(missing)} packages, such as {missing[0]}")
    uv = shutil.which("uv")
    installer = (
        [uv, "pip", "install", "--quiet", "--python", sys.executable]
        if uv
        else [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--disable-pip-version-check",
        ]
    )
    lists = [part for file in files for part in ("-r", str(file))]
    done = subprocess.run([*installer, *lists], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotStart(
            "The packages could not be installed; is the package index reachable? "
            f"{'uv' if uv else 'pip'} said: {first_error(done.stdout + done.stderr)}"
        )


def run_tests(arguments: list[str]) -> int:
    """All tests: Python, style, JavaScript where Node is, and the browser where one can be had."""
    if not has_browser():
        install_browser()
    if not has_browser():
        say("No Chromium was found and none could be installed: the browser tests are skipped")
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=PROJECT, check=False).returncode


def has_browser() -> bool:
    """Whether this machine has a Chromium, its own or Playwright's."""
    return any(shutil.which(name) for name in BROWSERS) or playwright_browser() is not None


def install_browser() -> None:
    """Try what this machine allows: Playwright's download, then, as root, the distribution's package."""
    say("Installing Chromium for the browser tests")
    if succeeds([sys.executable, "-m", "playwright", "install", "chromium"]) and playwright_browser():
        return
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        succeeds(["apt-get", "update", "-qq"])
        succeeds(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"])


def playwright_browser() -> str | None:
    """The Chromium that Playwright has downloaded, None when it has not."""
    script = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


def replace_process(command: list[str]) -> NoReturn:
    """Go on as another command, with the same standard streams and signals."""
    if os.name == "nt":  # there execv returns to the shell while the command still runs
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)


def say(sentence: str) -> None:
    """Tell the person in front of the terminal what takes time."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def first_error(text: str) -> str:
    """The line of an installer's output that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(error|ERROR|×|╰─▶|Caused by)", line)]
    return (telling or lines or ["nothing"])[-1][:300]


def succeeds(command: list[str]) -> bool:
    """Whether a command could be run and said so."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
