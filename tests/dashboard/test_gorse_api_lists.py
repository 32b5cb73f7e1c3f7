"""Lists of single recommenders, sessions and neighbors, as Gorse's clients ask for them."""

from __future__ import annotations

import json

import pytest

from dashboard import activation, drafts, runs
from dashboard.catalogue import writing
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord

pytestmark = [pytest.mark.django_db(databases="__all__", transaction=True), pytest.mark.usefixtures("models")]

DAY = 86_400_000_000


def document(*recommenders):
    """A flow that recommends the latest, with other recommenders beside it."""
    nodes = [
        {"id": "s", "type": "data-source", "settings": {"positive": ["like"], "read": ["read"]}},
        {"id": "l", "type": "latest"},
        {"id": "r", "type": "recommend"},
        *recommenders,
    ]
    pairs = [("s", "l"), ("l", "r"), *(("s", node["id"]) for node in recommenders)]
    edges = [{"id": f"{a}-{b}", "source": a, "target": b} for a, b in pairs]
    return {"nodes": nodes, "edges": edges}


EVERYTHING = document(
    {"id": "p", "type": "non-personalized", "name": "popular", "settings": {"score": "len(feedback)"}},
    {"id": "c", "type": "collaborative", "settings": {"n_factors": 2, "n_epochs": 5}},
    {
        "id": "i",
        "type": "item-to-item",
        "name": "tags",
        "settings": {"similarity": "tags", "column": "item.Labels.tags"},
    },
    {"id": "u", "type": "user-to-user", "name": "taste", "settings": {"similarity": "items"}},
)


def activate(drawing):
    flow = drafts.create("Flow", drawing, "ada")
    activation.activate(flow.pk, None, "", "ada")


def likes(*pairs):
    return [FeedbackRecord("like", user, item, time_us=DAY) for user, item in pairs]


@pytest.fixture
def shop():
    """a and b share the tag x, b and c the tag y; d shares nothing; h is hidden and like a."""
    tags = {"a": ["x"], "b": ["x", "y"], "c": ["y"], "d": ["z"], "h": ["x"]}
    writing.put_items(
        [
            ItemRecord(
                name,
                is_hidden=name == "h",
                categories=("vowel",) if name == "a" else ("consonant",),
                time_us=place * DAY,
                labels={"tags": tags[name]},
            )
            for place, name in enumerate(tags, start=1)
        ]
    )
    writing.put_users([UserRecord(name) for name in ("ann", "bob", "cleo", "new")])
    writing.put_feedback(
        likes(("ann", "a"), ("ann", "b"), ("bob", "a"), ("bob", "b"), ("bob", "c"), ("cleo", "a")),
        overwrite=True,
    )
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()


@pytest.fixture
def get(client, shop):
    def request(path, status=200):
        answer = client.get(f"/api{path}")
        assert answer.status_code == status, answer.content
        return answer.json() if status == 200 else answer.content.decode()

    return request


@pytest.fixture
def ids(get):
    return lambda path: [row["Id"] for row in get(path)]


class TestNonPersonalized:
    def test_items_come_by_their_score(self, get):
        activate(EVERYTHING)
        # a is liked by three, b by two, c by one, d by nobody.
        assert get("/non-personalized/popular?n=3") == [
            {"Id": "a", "Score": 3.0},
            {"Id": "b", "Score": 2.0},
            {"Id": "c", "Score": 1.0},
        ]

    def test_popular_is_the_recommender_of_that_name(self, ids):
        activate(EVERYTHING)
        assert ids("/popular?n=2") == ["a", "b"]
        assert ids("/popular/consonant?n=2") == ["b", "c"]

    def test_categories_are_joined_by_and(self, ids):
        activate(EVERYTHING)
        assert ids("/non-personalized/popular?category=vowel") == ["a"]
        assert ids("/non-personalized/popular?category=vowel&category=consonant") == []

    def test_what_the_user_has_feedback_on_is_dropped_before_the_offset(self, ids):
        activate(EVERYTHING)
        assert ids("/non-personalized/popular?user-id=cleo&n=1") == ["b"]
        assert ids("/non-personalized/popular?user-id=cleo&n=1&offset=1") == ["c"]

    def test_feedback_of_a_moment_ago_counts(self, ids):
        activate(EVERYTHING)
        writing.put_feedback([FeedbackRecord("read", "new", "a", time_us=DAY)], overwrite=True)
        assert ids("/non-personalized/popular?user-id=new&n=1") == ["b"]

    def test_an_unknown_name_is_an_empty_list(self, get):
        activate(EVERYTHING)
        assert get("/non-personalized/nothing") == []
        activate(document())
        assert get("/popular") == []

    def test_a_disabled_recommender_is_none(self, get):
        drawing = json.loads(json.dumps(EVERYTHING))
        drawing["nodes"][3]["disabled"] = True
        activate(drawing)
        assert get("/non-personalized/popular") == []

    def test_the_time_of_the_list_is_told(self, client, shop):
        activate(EVERYTHING)
        answer = client.get("/api/non-personalized/popular")
        assert answer["Last-Modified"].endswith(" GMT")
        assert answer["Access-Control-Allow-Origin"] == "*"


def test_what_was_hidden_or_deleted_since_the_snapshot_is_in_no_list(ids, monkeypatch):
    activate(EVERYTHING)
    old = runs.store.snapshot(fresh=True)
    monkeypatch.setattr(runs.store, "snapshot", lambda **how: old)
    assert (ids("/popular?n=2"), ids("/item/b/neighbors")) == (["a", "b"], ["c", "a"])
    writing.patch_item("a", is_hidden=True)
    assert (ids("/popular?n=2"), ids("/item/b/neighbors")) == (["b", "c"], ["c"])
    writing.delete_item("c")
    assert (ids("/popular?n=2"), ids("/item/b/neighbors")) == (["b", "d"], [])


class TestNeighbors:
    def test_items_alike_by_tags_without_hidden_ones(self, ids):
        activate(EVERYTHING)
        assert ids("/item-to-item/tags/a") == ["b"]
        # y is on two items of five and x on three: the rarer tag makes c the nearer one.
        assert ids("/item-to-item/tags/b") == ["c", "a"]
        assert ids("/item-to-item/tags/b?category=vowel") == ["a"]
        assert ids("/item-to-item/tags/b?n=1&offset=1") == ["a"]
        assert ids("/item-to-item/tags/b?user-id=cleo") == ["c"]

    def test_the_first_recommender_answers_the_shorter_address(self, ids, get):
        activate(EVERYTHING)
        assert ids("/item/b/neighbors") == ["c", "a"]
        assert ids("/item/b/neighbors/vowel") == ["a"]
        assert get("/item/nothing/neighbors") == []

    def test_without_anything_to_compare_by_nobody_is_a_neighbor(self, client):
        runs.store.snapshot(fresh=True)
        drawing = document(
            {
                "id": "i",
                "type": "item-to-item",
                "settings": {"similarity": "embedding", "column": "item.Labels.nowhere"},
            }
        )
        writing.put_items([ItemRecord("only")])
        activate(drawing)
        runs.store.snapshot(fresh=True)
        assert client.get("/api/item/only/neighbors").json() == []

    def test_users_alike_by_items(self, get, ids):
        activate(EVERYTHING)
        # ann likes {a, b}: bob shares both, cleo one.
        assert ids("/user-to-user/taste/ann") == ["bob", "cleo"]
        assert ids("/user/ann/neighbors?n=1&offset=1") == ["cleo"]
        assert get("/user/stranger/neighbors") == []

    def test_an_unknown_name_is_an_empty_list(self, get):
        activate(EVERYTHING)
        assert get("/item-to-item/nothing/a") == []
        assert get("/user-to-user/nothing/ann") == []

    def test_without_such_a_recommender_the_shorter_address_is_not_there(self, get):
        activate(document())
        sentence = "The active flow has no item-to-item recommender"
        assert get("/item/a/neighbors", status=404) == sentence
        assert get("/user/ann/neighbors", status=404) == "The active flow has no user-to-user recommender"


class TestCollaborative:
    def test_the_list_is_the_collaborative_one_and_not_the_final_one(self, ids):
        activate(EVERYTHING)
        # ann has feedback on a and b; c, liked by bob who is like her, comes before d, which nobody likes.
        # The final list is that of the latest: d, c.
        assert ids("/collaborative-filtering/ann") == ["c", "d"]
        assert ids("/collaborative-filtering/ann/vowel") == []

    def test_a_cold_user_gets_nothing(self, get):
        activate(EVERYTHING)
        assert get("/collaborative-filtering/new") == []

    def test_without_the_recommender_it_is_not_there(self, get):
        activate(document())
        assert "no collaborative recommender" in get("/collaborative-filtering/ann", status=404)


class TestSession:
    @pytest.fixture
    def post(self, client, shop):
        def request(path, rows, status=200):
            answer = client.post(f"/api{path}", json.dumps(rows), content_type="application/json")
            assert answer.status_code == status, answer.content
            return [row["Id"] for row in answer.json()] if status == 200 else answer.content.decode()

        return request

    def row(self, item, kind="like", **more):
        return {"FeedbackType": kind, "UserId": "", "ItemId": item, "Timestamp": "2024-01-01", **more}

    def test_neighbors_of_what_was_liked_without_anything_named(self, post):
        activate(EVERYTHING)
        assert post("/session/recommend", [self.row("b")]) == ["c", "a"]
        assert post("/session/recommend?n=1&offset=1", [self.row("b")]) == ["a"]
        assert post("/session/recommend", [self.row("b"), self.row("a", "read")]) == ["c"]
        assert post("/session/recommend/vowel/", [self.row("b")]) == ["a"]

    def test_a_like_that_is_dated_ahead_is_one_of_now(self, post):
        activate(EVERYTHING)
        ahead = self.row("b", Timestamp="2100-01-01")
        assert post("/session/recommend", [ahead]) == ["c", "a"]
        assert post("/session/recommend", [ahead, self.row("a", "read", Timestamp="2200-01-01")]) == ["c"]

    def test_what_was_only_read_proposes_nothing(self, post):
        activate(EVERYTHING)
        assert post("/session/recommend", [self.row("b", "read")]) == []

    def test_no_history_is_an_empty_list_and_not_null(self, post):
        activate(EVERYTHING)
        assert post("/session/recommend", []) == []

    def test_nothing_of_the_session_is_stored(self, post, get):
        activate(EVERYTHING)
        before = len(get("/feedback?n=100")["Feedback"])
        post("/session/recommend", [self.row("b", UserId="visitor")])
        assert len(get("/feedback?n=100")["Feedback"]) == before
        assert get("/user/visitor", status=404)

    def test_a_bad_row_is_named_by_its_place(self, post):
        activate(EVERYTHING)
        rows = [self.row("b"), self.row("a", Timestamp="24/02/2022")]
        assert post("/session/recommend", rows, status=400).startswith("row 1: Timestamp: '24/02/2022'")

    def test_without_item_to_item_it_is_not_there(self, post):
        activate(document())
        assert "no item-to-item recommender" in post("/session/recommend", [], status=404)


def test_items_are_found_by_words_of_their_title(get):
    writing.put_items([ItemRecord("m1", comment="The Matrix"), ItemRecord("m2", comment="Alien")])
    found = get("/items?q=matrix&n=5")
    assert ([item["ItemId"] for item in found["Items"]], found["Cursor"]) == (["m1"], "")
