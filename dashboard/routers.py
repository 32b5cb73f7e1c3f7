"""Which rows live in which database: the catalogue in its own file, so that imports never make a save wait.

With PostgreSQL both are the same database and this router says so.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Model


class CatalogueRouter:
    """The models of models/catalogue.py go to the catalogue, all others to "default"."""

    def _home(self, app_label: str, model_name: str | None) -> str:
        # By name, because the models that migrations work with have lost everything else.
        from dashboard.models.catalogue import CATALOGUE_MODELS

        in_catalogue = app_label == "dashboard" and model_name in CATALOGUE_MODELS
        return settings.CATALOGUE_DATABASE if in_catalogue else "default"

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return self._home(model._meta.app_label, model._meta.model_name)

    db_for_write = db_for_read

    def allow_relation(self, first: Model, second: Model, **hints: Any) -> bool:
        return self.db_for_read(type(first)) == self.db_for_read(type(second))

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        return db == self._home(app_label, model_name)
