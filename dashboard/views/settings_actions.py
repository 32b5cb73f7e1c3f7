"""What the forms of the Settings page do, where on the page they stand, and what is said when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest

from dashboard import accounts, api_keys
from dashboard.errors import BadRequest, Conflict
from dashboard.outside import changes, directory
from dashboard.outside.changes import EndpointForm, LimitsForm, PriceForm
from dashboard.outside.trial import try_endpoint
from dashboard.views.settings_forms import read


@dataclass(frozen=True)
class Action:
    """What a form of the page does.

    Args:
        part: id of the section that the form is in; there the page says what came of it.
        act: does it; what it returns is shown this once, None leads to ``said`` after a redirect.
        said: one sentence.
        is_own: everybody may, whatever their role.
    """

    part: str
    act: Callable[[HttpRequest], dict[str, Any] | None]
    said: str
    is_own: bool = False


def _save_endpoint(request: HttpRequest) -> None:
    posted = request.POST
    name = posted.get("name", "").strip()
    form = read(EndpointForm, posted, ("verify_tls", "clear_key"))
    if "is_new" in posted and name in directory.read().origins:
        raise Conflict(f"There is an endpoint {name!r} already: change it in the list, or use another name")
    changes.save_endpoint(name, form)


def _save_secret(request: HttpRequest) -> None:
    changes.save_secret(request.POST.get("name", "").strip(), request.POST.get("value", ""))


def _save_networks(request: HttpRequest) -> None:
    changes.save_networks(request.POST.get("networks", "").splitlines())


def _test_endpoint(request: HttpRequest) -> dict[str, Any]:
    """What came of one question to an endpoint."""
    name, way = request.POST.get("name", ""), request.POST.get("way", "chat")
    trial = async_to_sync(try_endpoint)(name, way)
    return {"tested": {"name": name, "way": way, **asdict(trial)}}


def _add_account(request: HttpRequest) -> dict[str, Any] | None:
    name, typed = request.POST.get("name", "").strip(), request.POST.get("value", "")
    password = typed or accounts.made_up_password()
    accounts.add(name, password, request.POST.get("role", ""))
    return None if typed else _password_told(name, password)


def _give_password(request: HttpRequest) -> dict[str, Any] | None:
    name, typed = request.POST.get("name", ""), request.POST.get("value", "")
    password = accounts.set_password(name, typed)
    return None if typed else _password_told(name, password)


def _password_told(name: str, password: str) -> dict[str, Any]:
    return {"new_password": {"name": name, "password": password}}


def _change_own_password(request: HttpRequest) -> None:
    """Everybody may; whoever only found the browser open has to know the old one."""
    if not request.user.is_authenticated:
        raise BadRequest("The playground has no accounts, so there is no password to change")
    if not request.user.check_password(request.POST.get("old_value", "")):
        raise BadRequest("That is not your password of now")
    new = request.POST.get("value", "")
    if not new:
        raise BadRequest("The new password is empty")
    accounts.set_password(request.user.get_username(), new)
    request.user.refresh_from_db()
    update_session_auth_hash(request, request.user)


def _make_key(request: HttpRequest) -> dict[str, Any]:
    name = request.POST.get("name", "").strip()
    return {"new_key": {"name": name, "key": api_keys.make(name, request.person.name)}}


def _named(act: Callable[[str], object], field: str = "name") -> Callable[[HttpRequest], None]:
    """An action that needs to know of what, and nothing else."""

    def done(request: HttpRequest) -> None:
        act(request.POST.get(field, ""))

    return done


#: By the name that a form sends.
ACTIONS = {
    "save-endpoint": Action("endpoints", _save_endpoint, "The endpoint is saved."),
    "delete-endpoint": Action("endpoints", _named(changes.delete_endpoint), "The endpoint is gone."),
    "reset-endpoint": Action(
        "endpoints", _named(changes.reset_endpoint), "What was learned of the endpoint is forgotten."
    ),
    "test-endpoint": Action("endpoints", _test_endpoint, ""),
    "save-secret": Action("secrets", _save_secret, "The secret is saved."),
    "delete-secret": Action("secrets", _named(changes.delete_secret), "The secret is gone."),
    "save-price": Action(
        "prices", lambda request: changes.save_price(read(PriceForm, request.POST)), "The price is saved."
    ),
    "delete-price": Action(
        "prices",
        _named(changes.delete_price, "model"),
        "The price is gone; what this model costs is now unknown.",
    ),
    "save-limits": Action(
        "limits",
        lambda request: changes.save_limits(read(LimitsForm, request.POST, ("log_prompts",))),
        "The limits are saved.",
    ),
    "save-networks": Action("networks", _save_networks, "The allowed networks are saved."),
    "add-account": Action("accounts", _add_account, "The account is made."),
    "grant": Action(
        "accounts",
        lambda request: accounts.grant(request.POST.get("name", ""), request.POST.get("role", "")),
        "The role is changed.",
    ),
    "lock-out": Action(
        "accounts",
        _named(lambda name: accounts.let_in(name, is_active=False)),
        "The account may not log in any more.",
    ),
    "let-in": Action(
        "accounts",
        _named(lambda name: accounts.let_in(name, is_active=True)),
        "The account may log in again.",
    ),
    "give-password": Action("accounts", _give_password, "The password is changed."),
    "make-key": Action("keys", _make_key, ""),
    "take-key": Action("keys", _named(api_keys.take_back), "The key is taken back."),
    "forget-key": Action("keys", _named(api_keys.forget), "The key is forgotten."),
    "own-password": Action(
        "password",
        _change_own_password,
        "Your password is changed; other browsers are logged out.",
        is_own=True,
    ),
}
