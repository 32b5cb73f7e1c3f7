"""Gorse's endpoints: names, statuses and conflict rules of its clients' expectations."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from pydantic import SecretStr

from dashboard.store import now_us
from recflow.interop.times import format_time

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def call(client):
    """One request; the JSON of a success, the text of a refusal."""

    def request(method, path, body=None, status=200, **headers):
        options = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        answer = client.generic(method.upper(), f"/api{path}", headers=headers, **options)
        assert answer.status_code == status, answer.content
        if status != 200:
            assert answer["Content-Type"].startswith("text/plain")
            return answer.content.decode()
        assert answer["Content-Type"] == "application/json; charset=utf-8"
        return answer.json()

    return request


@pytest.fixture
def server(settings):
    """Change keys of the [server] section."""

    def change(**keys):
        section = settings.CONFIGURATION.server.model_copy(update=keys)
        settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"server": section})

    return change


def nested(levels):
    """Labels of so many maps inside each other."""
    labels = 1
    for _ in range(levels):
        labels = {"a": labels}
    return labels


def like(user="u1", item="m1", kind="like", **more):
    return {"FeedbackType": kind, "UserId": user, "ItemId": item, **more}


class TestUsers:
    def test_a_user_comes_back_as_it_was_sent(self, call):
        user = {"UserId": "owner:rep o ü", "Labels": {"age": 24, "tags": ["a"]}, "Comment": "bob"}
        assert call("post", "/user", user) == {"RowAffected": 1}
        assert call("get", "/user/owner:rep%20o%20ü") == user

    def test_field_names_match_in_any_case_and_null_is_not_given(self, call):
        call("post", "/user", {"userid": "u1", "LABELS": None, "comment": "x", "unknown": 1})
        assert call("get", "/user/u1") == {"UserId": "u1", "Labels": None, "Comment": "x"}

    def test_an_insert_replaces_and_a_patch_changes_what_is_given(self, call):
        call("post", "/user", {"UserId": "u1", "Labels": ["a"], "Comment": "one"})
        call("patch", "/user/u1", {"Comment": "two", "Labels": None})
        assert call("get", "/user/u1") == {"UserId": "u1", "Labels": ["a"], "Comment": "two"}
        call("post", "/user", {"UserId": "u1"})
        assert call("get", "/user/u1") == {"UserId": "u1", "Labels": None, "Comment": ""}

    def test_of_two_users_with_one_id_the_first_counts_and_both_are_counted(self, call):
        twins = [{"UserId": "u1", "Comment": "first"}, {"UserId": "u1", "Comment": "second"}]
        assert call("post", "/users", twins) == {"RowAffected": 2}
        assert call("get", "/user/u1")["Comment"] == "first"

    def test_changing_an_unknown_user_is_no_error(self, call):
        assert call("patch", "/user/nobody", {"Comment": "x"}) == {"RowAffected": 1}
        assert call("delete", "/user/nobody") == {"RowAffected": 1}

    def test_an_unknown_user_is_a_404_in_gorses_words(self, call):
        assert call("get", "/user/nobody", status=404) == "nobody: user not found"

    def test_pages_follow_the_cursor_to_the_end(self, call):
        call("post", "/users", [{"UserId": name} for name in ("c", "a", "b")])
        first = call("get", "/users?n=2")
        assert [user["UserId"] for user in first["Users"]] == ["a", "b"]
        assert first["Cursor"] == base64.b64encode(b"c").decode()
        for name in ("cursor", "Cursor"):
            last = call("get", f"/users?n=2&{name}={first['Cursor']}")
            assert [user["UserId"] for user in last["Users"]] == ["c"]
            assert last["Cursor"] == ""

    def test_deleting_a_user_deletes_its_feedback(self, call):
        call("post", "/feedback", [like("u1"), like("u2")])
        call("delete", "/user/u1")
        assert [row["UserId"] for row in call("get", "/feedback")["Feedback"]] == ["u2"]

    @pytest.mark.parametrize(
        "labels", [True, {"a": False}, ["x", 1], [["x"]], [{"a": 1}], {"deep": {"list": [1, "x"]}}]
    )
    def test_labels_of_a_wrong_form_are_refused(self, call, labels):
        assert "abels" in call("post", "/user", {"UserId": "u1", "Labels": labels}, status=400)
        assert call("get", "/user/u1", status=404)

    def test_labels_that_could_not_be_written_out_again_are_not_taken_in(self, call):
        call("post", "/user", {"UserId": "u1", "Labels": nested(100)})
        for method, path in (("post", "/user"), ("patch", "/user/u1")):
            for levels in (101, 900):
                said = call(method, path, {"UserId": "u1", "Labels": nested(levels)}, status=400)
                assert said == "Labels may have 100 lists and maps inside each other"
        assert call("get", "/users")["Users"][0]["Labels"] == nested(100)

    @pytest.mark.parametrize("labels", [None, "x", 1.5, [], ["x"], [1, 2.5], {"a": {"b": ["x"]}, "c": 1}])
    def test_labels_of_a_right_form_come_back(self, call, labels):
        call("post", "/user", {"UserId": "u1", "Labels": labels})
        assert call("get", "/user/u1")["Labels"] == labels


class TestItems:
    ITEM = {  # noqa: RUF012  read only
        "ItemId": "m1",
        "IsHidden": False,
        "Categories": ["movie", "sci-fi"],
        "Timestamp": "2024-03-01T12:00:00Z",
        "Labels": {"embedding": [0.1, 0.2]},
        "Comment": "The Matrix",
    }

    def test_an_item_comes_back_as_it_was_sent(self, call):
        call("post", "/item", self.ITEM)
        assert call("get", "/item/m1") == self.ITEM

    def test_a_bare_item_has_null_for_what_was_not_given(self, call):
        call("post", "/items", [{"ItemId": "m1"}])
        assert call("get", "/item/m1") == {
            "ItemId": "m1",
            "IsHidden": False,
            "Categories": None,
            "Timestamp": "0001-01-01T00:00:00Z",
            "Labels": None,
            "Comment": "",
        }

    def test_a_patch_with_nulls_changes_what_is_not_null(self, call):
        call("post", "/item", self.ITEM)
        change = {"IsHidden": True, "Categories": None, "Timestamp": None, "Labels": None, "Comment": None}
        assert call("patch", "/item/m1", change) == {"RowAffected": 1}
        assert call("get", "/item/m1") == self.ITEM | {"IsHidden": True}

    def test_a_patch_takes_rfc_3339_times_only(self, call):
        call("post", "/item", self.ITEM)
        assert "2022-02-22" in call("patch", "/item/m1", {"Timestamp": "2022-02-22"}, status=400)
        call("patch", "/item/m1", {"Timestamp": "2022-02-22T00:00:00+01:00"})
        assert call("get", "/item/m1")["Timestamp"] == "2022-02-21T23:00:00Z"

    def test_an_insert_takes_dates_as_people_write_them(self, call):
        call("post", "/item", {"ItemId": "m1", "Timestamp": "Feb 24, 2022"})
        assert call("get", "/item/m1")["Timestamp"] == "2022-02-24T00:00:00Z"

    def test_categories_are_added_and_taken_away_once(self, call):
        call("post", "/item", self.ITEM)
        for _ in range(2):
            assert call("put", "/item/m1/category/new") == {"RowAffected": 1}
        assert call("get", "/item/m1")["Categories"] == ["movie", "sci-fi", "new"]
        for _ in range(2):
            call("delete", "/item/m1/category/movie")
        assert call("get", "/item/m1")["Categories"] == ["sci-fi", "new"]

    @pytest.mark.parametrize("method", ["put", "delete"])
    def test_a_category_of_an_unknown_item_is_a_404(self, call, method):
        assert call(method, "/item/none/category/x", status=404) == "none: item not found"

    def test_a_category_can_be_added_as_gorsejs_does_it(self, client, call):
        call("post", "/item", self.ITEM)
        answer = client.put("/api/item/m1/category/x", content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 200

    def test_the_latest_items_are_newest_first_without_hidden_ones(self, call):
        call(
            "post",
            "/items",
            [
                {"ItemId": "old", "Timestamp": "2020-01-01", "Categories": ["a", "b"]},
                {"ItemId": "new", "Timestamp": "2021-01-01", "Categories": ["a"]},
                {"ItemId": "hidden", "Timestamp": "2022-01-01", "IsHidden": True},
            ],
        )
        newest = {"Id": "new", "Score": 1609459200}  # seconds to 2021-01-01T00:00:00Z
        assert call("get", "/latest?n=1") == [newest]
        assert [row["Id"] for row in call("get", "/latest")] == ["new", "old"]
        assert [row["Id"] for row in call("get", "/latest?offset=1")] == ["old"]
        assert [row["Id"] for row in call("get", "/latest/b")] == ["old"]
        assert [row["Id"] for row in call("get", "/latest?category=a&category=b")] == ["old"]
        assert call("get", "/latest/A") == []
        call("post", "/feedback", [like("u1", "new")])
        assert [row["Id"] for row in call("get", "/latest?user-id=u1")] == ["old"]


class TestFeedback:
    TIME = "2024-03-02T12:00:00Z"

    def one(self, call):
        return call("get", "/feedback/like/u1/m1")

    def test_feedback_comes_back_with_the_time_of_its_update(self, call):
        row = like(Value=1, Timestamp=self.TIME, Comment="c")
        assert call("post", "/feedback", [row]) == {"RowAffected": 1}
        assert self.one(call) == row | {"Updated": self.TIME}

    def test_post_sums_values_and_keeps_the_earlier_time_and_the_later_update(self, call):
        call("post", "/feedback", [like(Value=2, Timestamp="2024-03-02", Comment="old")])
        call("post", "/feedback", [like(Value=3, Timestamp="2024-03-01", Comment="new")])
        assert self.one(call) == like(
            Value=5, Timestamp="2024-03-01T00:00:00Z", Updated="2024-03-02T00:00:00Z", Comment="new"
        )

    def test_a_value_beyond_whole_numbers_comes_back(self, call):
        call("post", "/feedback", [like(Value=1e300)])
        assert self.one(call)["Value"] == 1e300

    def test_put_overwrites(self, call):
        call("post", "/feedback", [like(Value=2, Timestamp="2024-03-02")])
        call("put", "/feedback", [like(Value=3, Timestamp="2024-03-01")])
        assert self.one(call)["Value"] == 3
        assert self.one(call)["Updated"] == "2024-03-01T00:00:00Z"

    def test_of_two_rows_with_one_key_in_a_request_the_first_counts(self, call):
        assert call("post", "/feedback", [like(Value=2), like(Value=3)]) == {"RowAffected": 2}
        assert self.one(call)["Value"] == 2

    def test_no_rows_are_no_error(self, call):
        assert call("post", "/feedback", []) == {"RowAffected": 0}

    def test_unknown_users_and_items_are_made(self, call):
        call("post", "/feedback", [like()])
        assert call("get", "/user/u1")["Labels"] is None
        assert call("get", "/item/m1")["Categories"] is None

    def test_with_auto_insert_off_unknown_ids_are_dropped_without_a_word(self, call, server):
        server(auto_insert_user=False, auto_insert_item=False)
        call("post", "/user", {"UserId": "u1"})
        call("post", "/item", {"ItemId": "m1"})
        rows = [like(), like(user="nobody"), like(item="nothing")]
        assert call("post", "/feedback", rows) == {"RowAffected": 3}
        assert [row["UserId"] for row in call("get", "/feedback")["Feedback"]] == ["u1"]
        assert call("get", "/user/nobody", status=404)

    def test_pages_go_by_type_then_user_then_item(self, call):
        rows = [
            like("u2", "a", "read"),
            like("u1", "b", "like"),
            like("u1", "a", "read"),
            like("u1", "a", "like"),
        ]
        call("post", "/feedback", rows)
        seen, cursor = [], ""
        for _ in range(4):
            answer = call("get", f"/feedback?n=1&cursor={cursor}")
            seen += [(row["FeedbackType"], row["UserId"], row["ItemId"]) for row in answer["Feedback"]]
            cursor = answer["Cursor"]
        assert seen == [("like", "u1", "a"), ("like", "u1", "b"), ("read", "u1", "a"), ("read", "u2", "a")]
        assert cursor == ""
        of_type = call("get", "/feedback/read?n=5")["Feedback"]
        assert [row["UserId"] for row in of_type] == ["u1", "u2"]

    def test_the_future_is_hidden_in_lists_and_found_by_its_key(self, call):
        soon, later = (format_time(now_us() + s * 1_000_000) for s in (2, 60))
        call("post", "/feedback", [like(item="soon", Timestamp=soon), like(item="later", Timestamp=later)])
        for path, key in (("/feedback", "Feedback"), ("/user/u1/feedback", None)):
            answer = call("get", path)
            rows = answer[key] if key else answer
            assert [row["ItemId"] for row in rows] == ["soon"], path  # within clock_error of 5 s
        assert call("get", "/item/later/feedback") == []
        assert call("get", "/feedback/u1/later")[0]["Timestamp"] == later

    def test_the_feedback_of_a_user_may_be_asked_for_by_expression(self, call):
        call("post", "/feedback", [like(item=str(v), kind="read", Value=v) for v in (2, 3, 4)])
        call("post", "/feedback", [like(kind="read-later", Value=9)])
        assert [row["Value"] for row in call("get", "/user/u1/feedback/read%3E%3D3")] == [3, 4]
        assert [row["Value"] for row in call("get", "/user/u1/feedback/read%3C3")] == [2]
        assert [row["Value"] for row in call("get", "/user/u1/feedback/read-later")] == [9]

    def test_the_feedback_on_an_item_is_of_the_exact_type(self, call):
        call("post", "/feedback", [like("u2"), like("u1"), like("u1", kind="read")])
        assert [row["UserId"] for row in call("get", "/item/m1/feedback/like")] == ["u1", "u2"]
        assert call("get", "/item/m1/feedback/lik") == []
        assert len(call("get", "/item/m1/feedback")) == 3

    def test_deleting_answers_how_many_there_were(self, call):
        call("post", "/feedback", [like(), like(kind="read"), like(item="m2")])
        assert call("delete", "/feedback/like/u1/m1") == {"RowAffected": 1}
        assert call("delete", "/feedback/u1/m1") == {"RowAffected": 1}
        assert call("delete", "/feedback/u1/m1") == {"RowAffected": 0}
        assert len(call("get", "/feedback")["Feedback"]) == 1

    def test_feedback_that_is_not_there_is_an_empty_object(self, call):
        assert call("get", "/feedback/like/u1/m1") == {}
        assert call("get", "/feedback/u1/m1") == []

    def test_a_bad_row_is_named_by_its_place_and_nothing_is_stored(self, call):
        rows = [like(), like(item="m2", Timestamp="24/02/2022")]
        text = call("post", "/feedback", rows, status=400)
        assert text.startswith("row 1: Timestamp: '24/02/2022'")
        assert call("get", "/feedback")["Feedback"] == []


class TestConventions:
    def test_a_trailing_slash_never_matters(self, call):
        assert call("post", "/users/", [{"UserId": "u1"}]) == {"RowAffected": 1}
        assert call("get", "/user/u1/")["UserId"] == "u1"

    @pytest.mark.parametrize("accept", ["text/html", "image/png", "application/json;q=0", "nonsense"])
    def test_whatever_a_client_accepts_it_gets_json(self, call, client, accept):
        answer = client.get("/api/users", headers={"Accept": accept})
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json; charset=utf-8")

    def test_with_a_key_configured_every_data_endpoint_asks_for_it(self, call, server):
        server(api_key=SecretStr("s3cret"))
        for method, path in (
            ("get", "/users"),
            ("post", "/feedback"),
            ("delete", "/item/x"),
            ("get", "/latest"),
        ):
            assert call(method, path, status=401) == "unauthorized"
            assert call(method, path, status=401, **{"X-API-Key": "wrong"}) == "unauthorized"
        assert call("get", "/users", **{"X-API-Key": "s3cret"}) == {"Cursor": "", "Users": []}
        assert call("get", "/health/live")["Ready"] is True

    def test_a_login_to_the_dashboard_is_no_key(self, call, server, client, django_user_model):
        server(api_key=SecretStr("s3cret"))
        client.force_login(django_user_model.objects.create_user("ada"))
        assert call("get", "/users", status=401) == "unauthorized"

    @pytest.mark.parametrize("query", ["n=x", "n=-1", "n=1.5", "n=99999999999"])
    def test_a_number_that_is_none_is_refused(self, call, query):
        assert "n must be a whole number" in call("get", f"/users?{query}", status=400)

    def test_an_empty_number_is_the_default(self, call, server):
        server(default_n=1)
        call("post", "/users", [{"UserId": "a"}, {"UserId": "b"}])
        assert len(call("get", "/users?n=")["Users"]) == 1

    @pytest.mark.parametrize("cursor", ["!!!", "gA==", "YQ", "😍"])
    def test_a_cursor_that_is_none_is_refused(self, call, cursor):
        assert "cursor" in call("get", f"/users?cursor={cursor}", status=400)

    def test_a_feedback_cursor_that_is_none_is_refused(self, call):
        assert "cursor" in call("get", "/feedback?cursor=YQ==", status=400)

    @pytest.mark.parametrize("body", ["{", "[", "NaN", '{"UserId": "\\ud800"}'])
    def test_a_body_that_is_no_json_is_refused(self, client, body):
        answer = client.post("/api/user", body, content_type="application/json")
        assert answer.status_code == 400
        assert answer.content.startswith(b"The body is not JSON")

    def test_a_body_that_is_not_declared_as_json_is_refused(self, client):
        answer = client.post("/api/user", '{"UserId": "u1"}', content_type="text/plain")
        assert answer.status_code == 400
        assert b"must be application/json" in answer.content

    @pytest.mark.parametrize(
        ("path", "body", "sentence"),
        [
            ("/user", [], "The body must be a JSON object"),
            ("/users", {"UserId": "u1"}, "The body must be a list of JSON objects"),
            ("/users", ["u1"], "The body must be a list of JSON objects"),
            ("/user", {"UserId": 5}, "UserId must be a text, got '5'"),
            ("/user", {}, "UserId is missing"),
            ("/user", {"UserId": "x" * 10_000}, "UserId may have 256 characters, got 10,000"),
            ("/user", {"UserId": "a\0b"}, "UserId may not hold a null character, got 'a\\x00b'"),
            ("/item", {"ItemId": "m", "IsHidden": "yes"}, "IsHidden must be true or false"),
            ("/item", {"ItemId": "m", "Categories": "x"}, "Categories must be a list of texts"),
            ("/feedback", [{"FeedbackType": "like", "UserId": "u"}], "ItemId is missing"),
            ("/feedback", [like(Value="1")], "Value must be a number"),
        ],
    )
    def test_a_wrong_body_is_refused_in_one_sentence(self, call, path, body, sentence):
        assert call("post", path, body, status=400).startswith(sentence)

    def test_packed_bodies_are_read(self, client, call):
        body = gzip.compress(b'{"UserId": "u1"}')
        answer = client.post(
            "/api/user", body, content_type="application/json", headers={"Content-Encoding": "gzip"}
        )
        assert answer.status_code == 200
        assert call("get", "/user/u1")["UserId"] == "u1"

    def test_a_small_packet_with_a_large_body_is_refused(self, client):
        body = gzip.compress(b" " * 11 * 2**20 + b"{}")
        answer = client.post(
            "/api/user", body, content_type="application/json", headers={"Content-Encoding": "gzip"}
        )
        assert answer.status_code == 413

    def test_an_unknown_route_is_a_404_and_a_wrong_method_a_405(self, client):
        assert client.get("/api/nonsense").status_code == 404
        assert client.get("/api/nonsense").content == b"no such route"
        assert client.delete("/api/users").status_code == 405

    def test_an_id_that_looks_like_code_is_an_id(self, call):
        name = "x'); DROP TABLE catalogue_user; --%s"
        call("post", "/user", {"UserId": name})
        assert [user["UserId"] for user in call("get", "/users")["Users"]] == [name]

    def test_every_answer_has_a_request_id(self, client):
        assert len(client.get("/api/health/live")["X-Request-ID"]) == 36

    def test_a_server_that_can_answer_is_ready(self, call):
        assert call("get", "/health/ready") == {
            "Ready": True,
            "DataStoreError": None,
            "CacheStoreError": None,
            "DataStoreConnected": True,
            "CacheStoreConnected": True,
        }
