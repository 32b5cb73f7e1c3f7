"""Numbers as pages show them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.timesince import timesince

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
    """The time since then in its largest unit."""
    now = timezone.now()
    return "just now" if now - moment < timedelta(minutes=1) else f"{timesince(moment, now, depth=1)} ago"
