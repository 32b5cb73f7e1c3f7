"""What goes out and what comes back: one request, one answer, as values.

Neither shows a credential when printed: headers and bodies stay out of ``repr``, URLs lose their query.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import orjson

_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)
#: Codecs of Python's own that no service speaks: two refuse what they are given, and punycode takes a quarter
#: of an hour for two megabytes.
_NO_CHARSETS = frozenset(("idna", "punycode", "undefined"))


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Args:
        headers: pairs in the order they are sent; a name may repeat.
        secrets: texts that may stand in no message, beside the values of credential headers
            (a key in the URL, for instance).
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def json(
        cls,
        url: str,
        payload: object,
        headers: Mapping[str, str] | None = None,
        *,
        secrets: tuple[str, ...] = (),
    ) -> Request:
        """A POST with a JSON body."""
        try:
            body = orjson.dumps(payload)
        except orjson.JSONEncodeError:  # half a character pair, or a number beyond 64 bits
            body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        pairs = (("Content-Type", "application/json"), *(headers or {}).items())
        return cls(url, "POST", pairs, body, secrets)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer, whatever its status.

    Args:
        headers: pairs in the order they came, names in lower case.
        body: decoded (gzip, deflate), never longer than the cap of the call.
        service_ms: from the end of the request to that of the answer, without the time it lay here unread; of
            the last hop, None when unknown.
        url: where the answer came from after redirects.
        hops: redirects that were followed.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    service_ms: float | None = None
    url: str = ""
    hops: int = 0

    def header(self, name: str) -> str | None:
        """All values of one header, joined by comma and space; None when it did not come."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        """The body as text in its declared charset; undecodable bytes become the replacement sign."""
        match = _CHARSET.search(self.header("content-type") or "")
        charset = match[1] if match else "utf-8"
        try:
            if codecs.lookup(charset).name not in _NO_CHARSETS:
                return self.body.decode(charset, "replace")
        except LookupError:
            pass  # a charset nobody knows, or one that is no charset
        return self.body.decode("utf-8", "replace")


def shown_url(url: str) -> str:
    """The URL as a message may show it: no user info, no query, since keys travel in both."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))
    except ValueError:
        return "an unreadable URL"
