"""The first account: the one that the configuration names, as Gorse has it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import get_user_model


def ensure_configured_account() -> str | None:
    """Make ``[master] dashboard_user_name``, with its password, if it is configured.

    Returns:
        What somebody has to do before anybody can log in, None when there is an account.
    """
    users = get_user_model().objects
    master = settings.CONFIGURATION.master
    name, password = master.dashboard_user_name, master.dashboard_password.get_secret_value()
    if name and not password:
        return f"[master] names the user {name} but no dashboard_password: nobody can log in as {name}"
    if name:
        user, _ = users.get_or_create(username=name)
        if not user.check_password(password):  # a new one, or the configuration has changed
            user.set_password(password)
            user.save()
    if users.filter(is_active=True).exists():
        return None
    return "There is no account yet: make one with python3 manage.py createsuperuser"
