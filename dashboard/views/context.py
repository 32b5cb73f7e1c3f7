"""What every template knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def page(request: HttpRequest) -> dict[str, Any]:
    """``csp_nonce`` for the import map, ``person`` for the header, ``static_version`` for modules."""
    return {
        "csp_nonce": getattr(request, "csp_nonce", ""),
        "person": getattr(request, "person", None),
        "static_version": settings.STATIC_VERSION,
    }
