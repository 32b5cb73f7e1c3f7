"""The one Django app of RecFlow; loads the node types once at start."""

from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Fill the table of node types, for checks, the schema and runs alike."""
        import recflow.nodes  # noqa: F401  importing it fills the table of node types
