"""An activation is taken back in one request, is recorded as that, and can be taken back in turn."""

from __future__ import annotations

import pytest

from dashboard import active, drafts
from dashboard.activation import activate, active_version
from dashboard.errors import Blocked, Conflict, NotFound
from dashboard.models import Activation, FlowVersion
from dashboard.rollback import roll_back
from recflow.nodes.starters import STARTERS

pytestmark = pytest.mark.django_db(databases="__all__")

POPULAR = STARTERS["popular"].document


@pytest.fixture
def flow():
    made = drafts.create("Home", POPULAR, "ada")
    activate(made.pk, None, "one", "ada")
    drafts.save(made.pk, 1, POPULAR | {"name": "Two"}, "ada")
    activate(made.pk, None, "two", "ada")
    return made


def newest():
    return Activation.objects.latest("pk")


def test_what_was_active_before_is_active_again_and_the_log_says_from_and_to(flow):
    taken_back = newest()
    done = roll_back(taken_back.pk, "grace")
    assert active_version().number == 1
    assert (done.version.number, done.previous.number, done.author) == (1, 2, "grace")
    assert done.takes_back == taken_back
    assert FlowVersion.objects.count() == 2  # nothing is copied


def test_a_rollback_is_taken_back_like_any_activation(flow):
    done = roll_back(newest().pk, "ada")
    undone = roll_back(done.pk, "ada")
    assert active_version().number == 2
    assert undone.takes_back == done


def test_the_other_flow_that_was_active_comes_back(flow):
    other = drafts.create("Other", POPULAR, "ada")
    activate(other.pk, None, "", "ada")
    roll_back(newest().pk, "ada")
    assert (active_version().flow, active_version().number) == (flow, 2)


def test_a_flow_that_was_deleted_since_comes_back_with_its_version(flow):
    other = drafts.create("Other", POPULAR, "ada")
    activate(other.pk, None, "", "ada")
    drafts.delete(flow.pk, "ada")
    done = roll_back(newest().pk, "ada")
    assert (active_version().flow, active_version().number) == (drafts.find(flow.pk), 2)
    assert done.note == "Home had been deleted and is back"


def test_a_flow_that_was_archived_since_is_back_in_the_list_with_its_version(flow):
    other = drafts.create("Other", POPULAR, "ada")
    activate(other.pk, None, "", "ada")
    drafts.change(flow.pk, "ada", archived=True)
    done = roll_back(newest().pk, "ada")
    assert (active_version().flow, done.note) == (flow, "Home had been archived and is back")
    assert not drafts.find(flow.pk).archived
    drafts.change(other.pk, "ada", archived=True)
    assert activate(other.pk, None, "again", "ada").note == "again; Other had been archived and is back"
    assert not drafts.find(other.pk).archived


def test_a_deleted_flow_stays_deleted_when_its_version_may_not_come_back(flow):
    other = drafts.create("Other", POPULAR, "ada")
    activate(other.pk, None, "", "ada")
    FlowVersion.objects.filter(flow=flow).update(text='{"nodes": [], "edges": []}')
    drafts.delete(flow.pk, "ada")
    with pytest.raises(Blocked):
        roll_back(newest().pk, "ada")
    with pytest.raises(NotFound):
        drafts.find(flow.pk)


def test_with_nothing_active_before_the_configuration_file_rules_and_that_too_is_taken_back():
    flow = drafts.create("Home", POPULAR, "ada")
    first = activate(flow.pk, None, "", "ada")
    done = roll_back(first.pk, "ada")
    assert active_version() is None
    assert active.active_flow()[1] == active.UNSAVED
    assert done.takes_back == first
    roll_back(done.pk, "ada")
    assert active_version() == first.version


def test_only_the_newest_activation_is_taken_back(flow):
    first = Activation.objects.earliest("pk")
    for stale in (first, newest()):
        roll_back(newest().pk, "grace")
        with pytest.raises(Conflict, match=r"grace has activated version \d of Home since then"):
            roll_back(stale.pk, "ada")


def test_what_was_never_activated_is_not_taken_back():
    with pytest.raises(NotFound, match="There was no activation 77"):
        roll_back(77, "ada")


def test_a_version_that_would_be_refused_today_does_not_come_back(flow):
    broken = drafts.keep(flow.pk, "", 2, "ada")
    FlowVersion.objects.filter(pk=broken.pk).update(text='{"nodes": [], "edges": []}')
    activate(flow.pk, 1, "", "ada")
    Activation.objects.filter(pk=newest().pk).update(previous=broken)
    with pytest.raises(Blocked):
        roll_back(newest().pk, "ada")
    assert active_version().number == 1


def test_who_activates_at_the_same_moment_wins_over_a_rollback_to_the_configuration(monkeypatch):
    """On PostgreSQL both transactions run at once, until one of them holds the pointer."""
    flow = drafts.create("Home", POPULAR, "ada")
    first, held = activate(flow.pk, None, "", "ada"), active.held_version

    def held_later():
        activate(flow.pk, 1, "again", "grace")
        return held()

    monkeypatch.setattr(active, "held_version", held_later)
    with pytest.raises(Conflict, match=r"grace has activated version 1 of Home since then"):
        roll_back(first.pk, "ada")


def test_to_hold_a_flow_is_one_look(flow, django_assert_num_queries):
    """Deleted between a look and another, it would not be missing but the server's fault."""
    with django_assert_num_queries(1):
        drafts.locked(flow.pk)
    with pytest.raises(NotFound, match="There is no flow 9999"):
        drafts.locked(9999)
