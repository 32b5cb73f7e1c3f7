"""The one Django app of RecFlow; loads the node types once at start, ours and those of the configuration."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class DashboardConfig(AppConfig):
    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Fill the table of node types, for checks, the schema and runs alike."""
        import recflow.nodes  # noqa: F401  importing it fills the table of node types

        for module in settings.CONFIGURATION.recflow.nodes:
            import_own_nodes(module)


def import_own_nodes(module: str) -> None:
    """Import a module with node types of the team's own.

    Raises:
        SystemExit: it cannot be imported; a server without them would call their flows broken.
    """
    try:
        import_module(module)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise SystemExit(
            f"The node types of {module!r} (RECFLOW_NODES) cannot be imported: {reason}"
        ) from error
