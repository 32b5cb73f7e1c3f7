"""Moving in from Gorse and back, from the command line and through its configuration endpoints."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomlkit
from django.core.management import CommandError, call_command
from pydantic import SecretStr

from dashboard import activation, active, drafts, gorse_files
from dashboard.models import Activation, Flow
from recflow.configuration import Configuration, keys_of_gorse
from recflow.engine.flow import load_flow
from recflow.errors import BadRecord
from recflow.interop.gorse_config.schema import read_recommend, values_of
from recflow.interop.gorse_config.services import carry_over
from recflow.nodes.starters import STARTERS

pytestmark = pytest.mark.django_db(databases="__all__")

WHOLE = Path(__file__).parent.parent / "interop" / "gorse.toml"
KEY = {"X-API-Key": "adm1n"}


@pytest.fixture
def configured(settings):
    """Let a file be the configuration of this server."""

    def use(text="", file=None):
        section = settings.CONFIGURATION.master.model_copy(update={"admin_api_key": SecretStr("adm1n")})
        recommend = tomllib.loads(text).get("recommend", {})
        settings.CONFIGURATION = settings.CONFIGURATION.model_copy(
            update={"master": section, "recommend": recommend, "file": file}
        )

    use()
    return use


def run(capsys, *arguments):
    call_command("gorse", *arguments)
    said = capsys.readouterr()
    return said.out, said.err


class TestCommand:
    def test_a_round_trip_changes_not_one_character(self, capsys, tmp_path):
        run(capsys, "import-config", str(WHOLE), "--keep-settings", "--activate")
        run(capsys, "export-config", str(tmp_path / "back.toml"), "--with-keys")
        assert (tmp_path / "back.toml").read_text() == WHOLE.read_text()

    def test_keys_are_not_written_unless_asked_for_and_nothing_else_changes(self, capsys, tmp_path):
        run(capsys, "import-config", str(WHOLE), "--keep-settings", "--activate")
        _, told = run(capsys, "export-config", str(tmp_path / "back.toml"))
        there, back = (
            text.splitlines() for text in (WHOLE.read_text(), (tmp_path / "back.toml").read_text())
        )
        assert [pair for pair in zip(there, back, strict=True) if pair[0] != pair[1]] == [
            ('api_key = "secret"', 'api_key = ""'),
            ('auth_token = "sk-secret"', 'auth_token = ""'),
        ]
        assert "note: server.api_key is a key and was left empty; --with-keys writes it" in told
        assert "note: openai.auth_token is a key and was left empty; --with-keys writes it" in told

    def test_what_a_drawing_cannot_say_is_printed_and_kept(self, capsys):
        said, _ = run(capsys, "import-config", str(WHOLE), "--keep-settings", "--name", "Shop")
        flow = Flow.objects.get(name="Shop")
        assert "note: shoe_size of item-to-item/similar_embedding has no place in a drawing" in said
        kept = drafts.draft_of(flow).document[gorse_files.NOTES]
        assert [f"note: {note}" for note in kept] == [
            line for line in said.splitlines() if line.startswith("note: ")
        ]
        _, told = run(capsys, "export-config", "--flow", str(flow.pk))
        assert all(note in told for note in kept)

    def test_an_import_becomes_active_only_when_asked_to(self, capsys):
        run(capsys, "import-config", str(WHOLE), "--keep-settings")
        assert activation.active_version() is None
        run(capsys, "import-config", str(WHOLE), "--keep-settings", "--activate")
        assert activation.active_version().flow.name == "From config.toml"

    def test_every_problem_that_keeps_a_flow_from_being_activated_is_printed(self, tmp_path):
        file = tmp_path / "config.toml"
        file.write_text("[recommend]\ncache_size = -1\ncontext_size = -2\nactive_user_ttl = -3\n")
        with pytest.raises(CommandError, match="nothing was kept") as refused:
            call_command("gorse", "import-config", str(file), "--keep-settings", "--activate")
        _, *problems = str(refused.value).splitlines()
        for name in ("cache_size", "context_size", "active_user_ttl_days"):
            assert any(name in problem for problem in problems)
        assert not Flow.objects.exists()

    def test_keys_of_services_are_not_in_the_flow_and_the_kept_file_is_private(self, capsys):
        run(capsys, "import-config", str(WHOLE), "--keep-settings")
        flow = Flow.objects.get()
        assert "secret" not in drafts.draft_of(flow).text
        assert gorse_files.base_of(flow.pk).stat().st_mode & 0o777 == 0o600

    def test_settings_are_copied_where_there_are_none_and_never_told(self, capsys, tmp_path, configured):
        own = tmp_path / "own.toml"
        own.write_text('# mine\n[server]\napi_key = "other"\n')
        configured(file=own)
        said, _ = run(capsys, "import-config", str(WHOLE))
        assert tomllib.loads(own.read_text()) == {
            "server": {"api_key": "other"},
            "openai": {"auth_token": "sk-secret"},
        }
        assert own.read_text().startswith("# mine\n")
        assert "settings: server.api_key has another value in the configuration, which stays" in said
        assert "settings: openai.auth_token was copied to the configuration" in said
        assert "settings: [database] has no meaning here and stays in the file" in said
        assert "sk-secret" not in said

    def test_a_file_that_is_missing_or_no_toml_is_refused_in_a_sentence(self, tmp_path):
        with pytest.raises(CommandError, match=r"none\.toml cannot be used: No such file"):
            call_command("gorse", "import-config", str(tmp_path / "none.toml"))
        (tmp_path / "bad.toml").write_text("[recommend")
        with pytest.raises(CommandError, match="The configuration is not TOML"):
            call_command("gorse", "import-config", str(tmp_path / "bad.toml"))
        assert not Flow.objects.exists()


def test_the_result_of_copying_settings_is_read_by_our_configuration(monkeypatch, tmp_path):
    own = tmp_path / "config.toml"
    own.write_text(carry_over(WHOLE.read_text(), "[recflow]\nhttps = true\n", keys_of_gorse())[0])
    monkeypatch.setenv("RECFLOW_CONFIG", str(own))
    read = Configuration()
    assert read.server.api_key.get_secret_value() == "secret"
    assert read.openai.auth_token.get_secret_value() == "sk-secret"
    assert read.recflow.https


class TestActiveFlow:
    def test_with_nothing_saved_the_configuration_file_rules(self, configured):
        configured('[recommend]\n[[recommend.non-personalized]]\nname = "top"\nscore = "len(feedback)"\n'
                   '[recommend.ranker]\nrecommenders = ["non-personalized/top"]\n')  # fmt: skip
        flow, name = active.active_flow()
        assert (name, "top" in {node.name for node in flow.nodes}) == ("default", True)
        assert ("non-personalized-top", "recommend") in {(edge.source, edge.target) for edge in flow.edges}

    def test_a_file_without_recommend_gives_the_first_starter(self, configured):
        flow, name = active.active_flow()
        assert (name, flow.name) == ("default", "Home feed")

    def test_a_file_that_cannot_be_served_does_not_stop_the_server(self, configured, caplog):
        configured("[recommend]\ncache_size = 0\n")
        assert active.active_flow()[0].name == "Home feed"
        assert "[recommend] cannot be served" in caplog.text

    def test_after_a_reset_the_file_rules_again_and_the_log_says_who_did_it(self, configured):
        flow = drafts.create("Mine", STARTERS["popular"].document, "ada")
        activation.activate(flow.pk, None, "", "ada")
        assert active.active_flow()[1] == f"{flow.pk}@1"
        active.reset("bob")
        assert active.active_flow()[1] == "default"
        entry = Activation.objects.order_by("-pk").first()
        assert (entry.author, entry.previous.flow, entry.note) == (
            "bob",
            flow,
            "Reset to the configuration file",
        )
        assert entry.version.flow.name == active.CONFIGURED

    def test_what_was_drawn_in_the_flow_of_configurations_is_kept(self, configured):
        first = active.keep_as_version(active.configured_document()[0], "ada", "one")
        drawn = {"nodes": active_nodes(), "name": "drawn"}
        drafts.save(first.flow_id, 1, drawn, "bob")
        active.keep_as_version(active.configured_document()[0], "ada", "two")
        kept = [version.document["name"] for version in first.flow.versions.order_by("number")]
        assert kept == ["Home feed", "drawn"]


def active_nodes():
    return [{"id": "s", "type": "data-source"}, {"id": "r", "type": "recommend"}]


@dataclass
class Api:
    client: object

    def __call__(self, method, body=None, status=200, path="", headers=KEY):
        options = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        answer = self.client.generic(method, f"/api/dashboard/config{path}", headers=headers, **options)
        assert answer.status_code == status, answer.content
        return answer.json() if status == 200 else answer.content.decode()


@pytest.fixture
def api(client, configured):
    return Api(client)


class TestEndpoints:
    def test_strangers_and_the_key_of_the_data_are_refused(self, api, settings):
        server = settings.CONFIGURATION.server.model_copy(update={"api_key": SecretStr("data")})
        settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"server": server})
        for headers in ({}, {"X-API-Key": "data"}, {"X-API-Key": ""}):
            for method in ("GET", "POST", "DELETE"):
                assert api(method, status=401, headers=headers) == "unauthorized"

    def test_without_a_key_configured_no_key_opens_anything(self, api, settings):
        settings.CONFIGURATION = settings.CONFIGURATION.model_copy(
            update={
                "master": settings.CONFIGURATION.master.model_copy(update={"admin_api_key": SecretStr("")})
            }
        )
        assert api("GET", status=401, headers={"X-API-Key": ""}) == "unauthorized"

    def test_somebody_logged_in_needs_a_token_of_a_page_to_write(self, api, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("ada"))
        client.handler.enforce_csrf_checks = True
        assert api("GET", headers={})["recommend"]["cache_size"] == 100
        assert "too old" in api("DELETE", status=403, headers={})

    def test_a_whole_configuration_with_defaults_and_without_keys(self, api, configured):
        configured(WHOLE.read_text())
        whole = api("GET")
        assert whole["recommend"]["cache_size"] == 50
        assert whole["recommend"]["cache_expire"] == "24h0m0s"
        assert whole["recommend"]["ranker"]["optimize_trials"] == 10
        assert whole["recommend"]["non-personalized"][1] == {
            "name": "popular",
            "score": "len(feedback)",
            "filter": "",
        }
        assert whole["server"]["clock_error"] == "5s"
        assert not {"api_key", "auth_token", "admin_api_key"} & {
            key for section in ("server", "openai", "master") for key in whole[section]
        }

    def test_what_was_got_can_be_sent_back(self, api, configured):
        configured(WHOLE.read_text())
        whole = api("GET")
        assert api("POST", whole)["recommend"] == whole["recommend"]

    def test_a_configuration_that_is_sent_rules_until_it_is_reset(self, api):
        assert api("POST", {"Recommend": {"cache_size": 7, "fallback": {"recommenders": ["latest"]}}})
        assert api("GET")["recommend"]["cache_size"] == 7
        assert activation.active_version().flow.name == active.CONFIGURED
        assert api("DELETE") == {}
        assert activation.active_version() is None
        assert api("GET")["recommend"]["cache_size"] == 100

    def test_all_mistakes_are_named_and_nothing_changes(self, api):
        wrong = {
            "cache_size": 0,
            "cache_expire": "0s",
            "data_source": {"read_feedback_types": ["re-ad"]},
            "non-personalized": [{"name": "x", "score": "log(10)"}],
        }
        told = api("POST", {"recommend": wrong}, status=400)
        assert "cache_size: Input should be greater than 0" in told
        assert "cache_expire: a duration above 0 is needed, got '0s'" in told
        assert "data_source.read_feedback_types.0: 're-ad' is not a feedback type" in told
        assert "non-personalized.0.score: " in told
        assert activation.active_version() is None

    def test_the_schema_knows_the_keys_as_the_file_spells_them(self, api):
        properties = api("GET", path="/schema")["$defs"]["Recommend"]["properties"]
        assert properties["cache_size"]["exclusiveMinimum"] == 0
        assert "item-to-item" in properties


class TestChecks:
    @pytest.mark.parametrize(
        ("section", "sentence"),
        [
            ({"ranker": {"recommenders": []}}, "ranker.recommenders names none"),
            (
                {"ranker": {"recommenders": ["latest", "item-to-item/a"]}},
                "without a ranker one recommender is possible, got 2",
            ),
            (
                {"ranker": {"recommenders": ["item-to-item/a"]}},
                "ranker.recommenders names item-to-item/a, which is not configured",
            ),
            (
                {"fallback": {"recommenders": "collaborative"}},
                "fallback.recommenders names collaborative, but collaborative.type is none",
            ),
            (
                {"external": [{"name": "a"}, {"name": "a"}]},
                "two recommenders are called external/a",
            ),
            ({"item-to-item": [{"name": "a", "type": "chat"}]}, "item-to-item.0.type: Input should be"),
            ({"collaborative": {"fit_period": 0}}, "collaborative.fit_period: a duration above 0"),
        ],
    )
    def test_a_mistake_is_told(self, section, sentence):
        with pytest.raises(BadRecord) as caught:
            read_recommend(section)
        assert sentence in caught.value.message

    def test_gorses_sample_values_pass(self):
        section = tomlkit.parse(WHOLE.read_text()).unwrap()["recommend"]
        assert read_recommend(section).ranker.early_stopping.patience == 0

    def test_nanoseconds_and_single_texts_are_read_as_gorse_does(self):
        read = read_recommend({"cache_expire": 90_000_000_000, "fallback": {"recommenders": "latest"}})
        assert (read.cache_expire, read.fallback.recommenders) == ("90s", ["latest"])

    def test_the_values_of_an_empty_flow_are_gorses_defaults(self):
        assert values_of(load_flow({"nodes": active_nodes()}).document())["cache_expire"] == "72h"
