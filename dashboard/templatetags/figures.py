"""Numbers as pages show them."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone

from dashboard.views.columns import column

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """12345 is 12,345."""
    return f"{number:,}"


@register.filter
def percent(share: float) -> str:
    """0.123 is 12.3 %."""
    return f"{share * 100:.1f} %"


@register.filter
def score(value: float | None) -> str:
    """A number that stands by itself; a dash for what is none."""
    return column([value])[0]


@register.filter
def ago(moment: datetime) -> str:
    """The time since then in its largest unit that tells something; static/js/lib/times.js says the same."""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 5:
        return "just now"
    for unit, size, until in (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3600, 36 * 3600)):
        if seconds < until:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds / 86_400:.0f} days ago"
