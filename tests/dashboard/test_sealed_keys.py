"""Keys of services lie encrypted in the database, and open only under the SECRET_KEY that sealed them."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps
from django.db import connection

from dashboard.models import Secret, ServiceEndpoint
from dashboard.models.sealed import SEALED, seal, unseal
from dashboard.outside import changes

pytestmark = pytest.mark.django_db(databases="__all__")

KEY = "sk-very-secret-key-9876"


def stored(table, column):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def endpoint():
    return ServiceEndpoint.objects.create(name="gpt", base_url="https://x/v1", model="m", key=KEY)


def test_the_database_holds_no_readable_key_and_the_server_reads_it(endpoint):
    Secret.objects.create(name="SHOP", value="open-sesame-42")
    (key,), (secret,) = stored("dashboard_serviceendpoint", "key"), stored("dashboard_secret", "value")
    assert key.startswith(SEALED)
    assert KEY not in key
    assert "sesame" not in secret
    assert ServiceEndpoint.objects.get().key == KEY
    assert list(Secret.objects.values_list("value", flat=True)) == ["open-sesame-42"]


def test_the_same_key_sealed_twice_looks_different():
    assert seal(KEY) != seal(KEY)
    assert unseal(seal(KEY)) == unseal(seal(KEY)) == KEY


def test_no_key_stays_no_key(endpoint):
    endpoint.key = ""
    endpoint.save()
    assert stored("dashboard_serviceendpoint", "key") == [""]


def test_under_another_secret_key_it_has_to_be_typed_again(endpoint, settings, caplog):
    settings.SECRET_KEY = "another one"
    assert ServiceEndpoint.objects.get().key == ""
    assert "type it again in Settings" in caplog.text
    (shown,) = [each for each in changes.shown_settings()["endpoints"] if each["name"] == "gpt"]
    assert shown["has_key"] is False


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_a_key_from_before_is_read_as_it_is_and_the_migration_seals_it(endpoint):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE dashboard_serviceendpoint SET key = %s", [KEY])
    assert ServiceEndpoint.objects.get().key == KEY
    migration = importlib.import_module("dashboard.migrations.0013_sealed_keys")
    with connection.schema_editor(atomic=False) as editor:
        migration.seal(apps, editor)
    (key,) = stored("dashboard_serviceendpoint", "key")
    assert key.startswith(SEALED)
    assert ServiceEndpoint.objects.get().key == KEY
