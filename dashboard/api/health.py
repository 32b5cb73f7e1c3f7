"""For whoever watches the server: is it alive, can it answer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error, connections
from django.http import HttpRequest
from ninja import Router, Status

router = Router(tags=["health"], auth=None)


@router.get("/health/live")
def live(request: HttpRequest) -> dict[str, Any]:
    return _health()


@router.get("/health/ready", response={200: dict, 503: dict})
def ready(request: HttpRequest) -> Status:
    health = _health()
    return Status(200 if health["Ready"] else 503, health)


def _health() -> dict[str, Any]:
    """Gorse's fields; what it keeps in a cache store is in our data store."""
    errors = [_error(name) for name in dict.fromkeys([settings.CATALOGUE_DATABASE, "default"])]
    error = next((error for error in errors if error), None)
    return {
        "Ready": error is None,
        "DataStoreError": error,
        "CacheStoreError": error,
        "DataStoreConnected": error is None,
        "CacheStoreConnected": error is None,
    }


def _error(database: str) -> dict[str, str] | None:
    try:
        with connections[database].cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    except Error as error:
        return {"message": f"The database {database} does not answer: {type(error).__name__}"}
    return None
