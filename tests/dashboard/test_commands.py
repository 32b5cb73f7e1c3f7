"""What manage.py's commands refuse, each in one sentence and before anything is done."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from dashboard.management.serving import open_port

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("preview", "--users", "0"), "argument --users: must be at least 1, got 0"),
        (("refresh", "--items", "-5"), "argument --items: must be at least 1, got -5"),
        (("llm", "--in-flight", "many"), "argument --in-flight: must be a whole number, got 'many'"),
        (("models", "--data", "nowhere"), "nowhere is not a folder"),
    ],
)
def test_a_benchmark_of_nothing_is_not_begun(words, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("bench", *words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-s", "1", "-1"), "argument -s/--shots: must be at least 0, got -1"),
        (("--users", "0"), "argument --users: must be at least 1, got 0"),
        (("--seed", "-1"), "argument --seed: must be at least 0, got -1"),
        (("--price", "0.5", "nan"), "argument --price: must be a number from 0, got 'nan'"),
        (("--json", "nowhere/report.json"), "The report cannot be written to nowhere/report.json"),
        (("--json", "."), r"The report cannot be written to \.: name a file"),
        (("--data", "nowhere"), "There is no data set 'nowhere'"),
    ],
)
def test_a_measurement_that_could_not_be_told_is_not_begun(words, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("bench_llm", *words)


@pytest.mark.parametrize("address", ["nonsense", "10.0.0.5:8786", "tcp://scheduler"])
def test_an_address_that_dask_would_look_for_in_vain_is_refused(address):
    with pytest.raises(CommandError, match=f"an address such as tcp://10.0.0.5:8786, got {address!r}"):
        call_command("jobs", "--scheduler", address)


def test_a_configuration_of_gorse_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "config.toml").write_bytes(b"\xff")
    with pytest.raises(CommandError, match=r"config\.toml is not a text in UTF-8: invalid start byte"):
        call_command("gorse", "import-config", str(tmp_path / "config.toml"))


def test_a_host_that_is_not_of_this_machine_is_refused():
    with pytest.raises(CommandError, match=r"^The server cannot listen on 192\.0\.2\.1: [^\[]+$"):
        open_port("192.0.2.1", 0)  # an address of documentation
