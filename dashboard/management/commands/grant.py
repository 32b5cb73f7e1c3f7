"""Give an account a role, or make one: viewers look and preview, editors save, publishers activate."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from dashboard.access import ROLES
from dashboard.accounts import accounts, add, grant
from dashboard.errors import WebError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", nargs="?", help="name of the account; without one, all are listed")
        parser.add_argument("role", nargs="?", choices=ROLES)
        parser.add_argument("--new", action="store_true", help="make the account; asks for its password")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        name, role = options["user"], options["role"]
        if name is None:
            for account in accounts():
                state = "" if account.is_active else " (may not log in)"
                self.stdout.write(f"{account.name}: {account.role}{state}")
            return
        if role is None:
            raise CommandError(f"Which role shall {name} have: {', '.join(ROLES)}?")
        try:
            if options["new"]:
                add(name, _password(name), role)
            else:
                grant(name, role)
        except WebError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{name} is {role} now")


def _password(name: str) -> str:
    """Asked for twice at a terminal, else the first line that is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("The same again: ") != password:
        raise CommandError("The two passwords are not the same")
    return password
