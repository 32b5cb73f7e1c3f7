"""The Overview: what the installation holds, what is live, how people take it, what is wrong."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard import growth, kept_rates, overview, rate_chart
from dashboard.access import page
from dashboard.jobs.fitting import rules_of_flow


@page
def home(request: HttpRequest) -> HttpResponse:
    live = overview.live()
    rules = rules_of_flow(live.flow)
    states = overview.model_states(live.flow)
    rates = kept_rates.rates()
    context = {
        "counts": overview.counts(),
        "live": live,
        "models": states,
        "troubles": overview.troubles(live, states),
        "lists": overview.list_state(live),
        "growth": growth.recent(),
        "days": growth.DAYS,
        "rates": rates,
        "seen": sum(day["seen"] for day in rates["days"]) if rates else 0,
        "chart": rate_chart.draw(rates["days"], rates["versions"]) if rates else None,
        "popular": overview.popular_items(rules),
        "latest": overview.latest_items(rules),
    }
    return render(request, "overview.html", context)
