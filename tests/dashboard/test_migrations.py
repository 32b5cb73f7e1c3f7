"""The tables are what the models say, and what only SQL can say."""

from __future__ import annotations

from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, connections, transaction

from dashboard.models import ActiveVersion, CatalogueVersion, Flow, FlowVersion

pytestmark = pytest.mark.django_db(databases="__all__")
of_sqlite = pytest.mark.skipif(
    bool(settings.DATABASE_URL), reason="PostgreSQL has one database and no pragmas"
)


def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


@of_sqlite
def test_each_table_is_in_one_database_only():
    tables = {name: set(connections[name].introspection.table_names()) for name in ("default", "catalogue")}
    assert tables["default"] & tables["catalogue"] == {"django_migrations"}
    assert "catalogue_feedback" in tables["catalogue"]
    assert {"auth_user", "dashboard_flow"} <= tables["default"]


@of_sqlite
def test_feedback_is_kept_in_the_tree_of_its_key():
    with connections[settings.CATALOGUE_DATABASE].cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'catalogue_feedback'")
        assert cursor.fetchone()[0].endswith("WITHOUT ROWID")


def test_a_second_active_version_is_refused_by_the_database():
    flow = Flow.objects.create(name="Home")
    versions = [FlowVersion.objects.create(flow=flow, number=n, text="{}", hash="x") for n in (1, 2)]
    ActiveVersion.objects.create(version=versions[0])
    with pytest.raises(IntegrityError), transaction.atomic():
        ActiveVersion.objects.create(id=2, version=versions[1])


def test_a_second_version_of_the_catalogue_is_refused_by_the_database():
    with pytest.raises(IntegrityError), transaction.atomic(using=settings.CATALOGUE_DATABASE):
        CatalogueVersion.objects.create(id=2, origin="x")


@of_sqlite
def test_sqlite_is_set_up_for_readers_beside_a_writer():
    for name in ("default", "catalogue"):
        with connections[name].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone() == (1,)  # NORMAL
