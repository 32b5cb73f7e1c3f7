"""A column whose text is encrypted in the database, under a key that is derived from SECRET_KEY.

A copy of the database, or a backup of it, gives away no key of a service. Whoever has SECRET_KEY too can read
them: they have to be sent. Under another SECRET_KEY a text cannot be opened and reads as "": keys and secrets
have to be typed again, as the Settings page says.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models

logger = logging.getLogger(__name__)

#: What sealed texts begin with; line breaks are in no key that can be sent, so none looks so by chance.
SEALED = "sealed\n1\n"


class SealedTextField(models.TextField):
    """Text that only this SECRET_KEY opens; "" stays "", and what was stored in the clear reads as it is."""

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return seal(text) if text else text

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        return unseal(value) if value else value


def seal(text: str) -> str:
    return SEALED + _box(settings.SECRET_KEY).encrypt(text.encode()).decode("ascii")


def unseal(stored: str) -> str:
    """The text; "" when it was sealed under another SECRET_KEY."""
    if not stored.startswith(SEALED):
        return stored
    try:
        return _box(settings.SECRET_KEY).decrypt(stored.removeprefix(SEALED)).decode()
    except InvalidToken:
        logger.warning("A stored key was sealed under another SECRET_KEY: type it again in Settings")
        return ""


@lru_cache(maxsize=4)
def _box(secret_key: str) -> Fernet:
    """SECRET_KEY is random and long, so one hash makes a key of it; the words part it from its other uses."""
    digest = hashlib.sha256(b"recflow: keys and secrets\0" + secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
