"""The login, with a limit on guesses.

Each try counts before the password is looked at, so tries sent at the same time count too. The counters are
in the cache: in Redis where there is one, else in this process.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpResponse

#: Tries within the window: for one name from one address, and for all names from one address.
MAX_TRIES = 10
MAX_TRIES_OF_ADDRESS = 50
WINDOW_S = 15 * 60


class LimitedForm(AuthenticationForm):
    """Name and password, refused without a look after too many tries."""

    is_limited = False

    def clean(self) -> dict[str, Any]:
        address = self.request.META.get("REMOTE_ADDR", "")
        name = self.cleaned_data.get("username", "")
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()  # a name may hold any characters
        of_name, of_address = f"login:{address}:{digest}", f"login:{address}"
        counts = (_counted(of_name), _counted(of_address))
        if counts[0] > MAX_TRIES or counts[1] > MAX_TRIES_OF_ADDRESS:
            self.is_limited = True
            raise ValidationError(f"Too many tries to log in: wait {WINDOW_S // 60} minutes and try again")
        cleaned = super().clean()
        cache.delete(of_name)
        return cleaned


class Login(LoginView):
    """The page; 429 for whoever has tried too often."""

    template_name = "login.html"
    redirect_authenticated_user = True
    authentication_form = LimitedForm

    def form_invalid(self, form: LimitedForm) -> HttpResponse:
        return self.render_to_response(
            self.get_context_data(form=form), status=429 if form.is_limited else 200
        )


def _counted(key: str) -> int:
    """How often this happened within the window, this time included."""
    cache.add(key, 0, WINDOW_S)
    try:
        return cache.incr(key)
    except ValueError:  # the window ended in between
        return 1
