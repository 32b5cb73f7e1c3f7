"""What addresses of pages ask for, read leniently: a link that somebody mistyped still shows a page."""

from __future__ import annotations

from django.http import HttpRequest

from dashboard.catalogue.browsing import MAX_PAGE


def page_number(request: HttpRequest) -> int:
    """Which page of a list, from 1; the first for what is no number."""
    text = request.GET.get("page", "")
    is_number = text.isascii() and text.isdecimal() and len(text) <= 6
    return min(max(int(text), 1), MAX_PAGE) if is_number else 1
