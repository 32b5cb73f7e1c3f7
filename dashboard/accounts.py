"""Accounts and their roles: the first one, new ones, who may do what, and who may not log in any more.

There is always somebody left who may publish.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

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
    _check_role(role)
    with transaction.atomic():
        user = _found(name)
        if role != "publisher":
            _check_not_last_publisher(name)
        _give(user, role)


def let_in(name: str, *, is_active: bool) -> None:
    """Whether an account may log in; one that may not is logged out at its next request.

    Raises:
        NotFound: there is no such account.
        Conflict: nobody would be left to publish.
    """
    with transaction.atomic():
        user = _found(name)
        if not is_active:
            _check_not_last_publisher(name)
        user.is_active = is_active
        user.save(update_fields=["is_active"])


def set_password(name: str, password: str = "") -> str:
    """Give an account another password; whoever is logged in with the old one is logged out.

    Args:
        password: "" makes one up.

    Returns:
        The password.

    Raises:
        NotFound: there is no such account.
        BadRequest: the password will not do.
    """
    with transaction.atomic():
        user = _found(name)
        password = password or made_up_password()
        _check_password(password, user)
        user.set_password(password)
        user.save(update_fields=["password"])
    return password


def made_up_password() -> str:
    """96 bits in letters that a person can type."""
    return secrets.token_urlsafe(12)


def add(name: str, password: str, role: str) -> None:
    """Make an account.

    Raises:
        BadRequest: there is no such role, or the name or the password will not do.
        Conflict: the name is taken.
    """
    _check_role(role)
    users = get_user_model().objects
    if users.filter(username=name).exists():
        raise Conflict(f"There is an account {name!r} already")
    user = get_user_model()(username=name)
    try:
        user.clean_fields(exclude={"password"})
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages)) from error
    _check_password(password, user)
    user.set_password(password)  # takes a while on purpose: nobody else is to wait for it
    try:
        with transaction.atomic():
            user.save()
            _give(user, role)
    except IntegrityError:  # somebody else has taken it meanwhile
        raise Conflict(f"There is an account {name!r} already") from None


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


def _found(name: str) -> Any:
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise NotFound(f"There is no account {name!r}")
    return user


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise BadRequest(f"There is no role {role!r}; there are {', '.join(ROLES)}")


def _check_password(password: str, user: Any) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages)) from error


def _check_not_last_publisher(name: str) -> None:
    """Inside a transaction: two publishers who demote each other at once must not both succeed."""
    list(get_user_model().objects.select_for_update().values_list("pk"))
    publishers = {each.name for each in accounts() if each.is_active and each.role == "publisher"}
    if publishers == {name}:
        raise Conflict(f"{name} is the only publisher: make somebody else one first")


def _give(user: Any, role: str) -> None:
    group, _ = Group.objects.get_or_create(name=role)
    user.groups.remove(*Group.objects.filter(name__in=ROLES))
    user.groups.add(group)
