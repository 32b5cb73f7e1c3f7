"""Accounts and their roles: the first one, new ones, and who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from dashboard.access import ROLES, Role, role_of
from dashboard.errors import BadRequest, Conflict, NotFound


@dataclass(frozen=True)
class Account:
    """Somebody who can log in, as the Settings page lists them."""

    name: str
    role: Role
    is_active: bool


def accounts() -> list[Account]:
    """Everybody, by name."""
    users = get_user_model().objects.order_by("username")
    return [Account(user.get_username(), role_of(user), user.is_active) for user in users]


def grant(name: str, role: str) -> None:
    """Give an account a role in place of the one it had.

    Raises:
        BadRequest: there is no such role.
        NotFound: there is no such account.
        Conflict: nobody would be left to publish.
    """
    if role not in ROLES:
        raise BadRequest(f"There is no role {role!r}; there are {', '.join(ROLES)}")
    with transaction.atomic():
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise NotFound(f"There is no account {name!r}")
        publishers = {
            account.name for account in accounts() if account.is_active and account.role == "publisher"
        }
        if publishers == {name} and role != "publisher":
            raise Conflict(f"{name} is the only publisher: make somebody else one first")
        _give(user, role)


def add(name: str, password: str, role: str) -> None:
    """Make an account.

    Raises:
        BadRequest: there is no such role, or the name or the password will not do.
        Conflict: the name is taken.
    """
    if role not in ROLES:
        raise BadRequest(f"There is no role {role!r}; there are {', '.join(ROLES)}")
    users = get_user_model().objects
    if users.filter(username=name).exists():
        raise Conflict(f"There is an account {name!r} already")
    user = get_user_model()(username=name)
    try:
        user.clean_fields(exclude={"password"})
        validate_password(password, user)
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages)) from error
    with transaction.atomic():
        user.set_password(password)
        user.save()
        _give(user, role)


def ensure_configured_account() -> str | None:
    """Make ``[master] dashboard_user_name``, with its password, if it is configured; it is a publisher.

    Returns:
        What somebody has to do before anybody can log in, None when there is an account.
    """
    users = get_user_model().objects
    master = settings.CONFIGURATION.master
    name, password = master.dashboard_user_name, master.dashboard_password.get_secret_value()
    if name and not password:
        return f"[master] names the user {name} but no dashboard_password: nobody can log in as {name}"
    if name:
        with transaction.atomic():
            user, _ = users.get_or_create(username=name)
            if not user.check_password(password):  # a new one, or the configuration has changed
                user.set_password(password)
                user.save()
            if role_of(user) != "publisher":
                _give(user, "publisher")
    if users.filter(is_active=True).exists():
        return None
    return "There is no account yet: make one with python3 manage.py createsuperuser"


def _give(user: Any, role: str) -> None:
    group, _ = Group.objects.get_or_create(name=role)
    user.groups.remove(*Group.objects.filter(name__in=ROLES))
    user.groups.add(group)
