"""One guarded HTTP exchange: ``send(request, guard)`` returns a complete Answer or raises a ServiceError.

Timeouts of HTTP libraries are per read, so a server that drips a byte a second passes them for ever; clients
follow proxies of the environment, keep cookies and read bodies of any size. The guard puts one deadline over
everything, a cap over the decoded body and an address check under each connection. httpcore writes and reads
the messages; what a client would add is left out, and httpx only reads URLs.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import certifi
import httpcore
import httpx

from recflow.errors import AddressRefused, ServiceError, ServiceTimeout

from .addresses import PUBLIC_ONLY, AddressPolicy
from .body import ACCEPT_ENCODING, read_body
from .connections import Connections
from .messages import Answer, Request, shown_url
from .redirects import follow, target_of, with_readable_host
from .service_time import service_ms

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
_DEFAULT_HEADERS = {
    "user-agent": (b"User-Agent", b"RecFlow"),
    "accept": (b"Accept", b"*/*"),
    "accept-encoding": (b"Accept-Encoding", ACCEPT_ENCODING.encode()),
}
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
_BROKEN = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)
_SET_BY_US = frozenset(("host", "content-length", "transfer-encoding", "connection", "accept-encoding"))

# httpcore logs every header of an answer at level DEBUG, and some services repeat keys in headers. A filter
# outlives whatever a settings file does to the level.
for _name in ("httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(lambda record: record.levelno >= logging.WARNING)


@dataclass(frozen=True, slots=True)
class Guard:
    """The bounds of one exchange.

    Args:
        total_s: deadline over everything: resolving, connecting, every hop, the last byte of the body.
        idle_s: longest wait for the next byte.
        max_body: bytes of body after decompression.
        max_hops: redirects to follow, each checked anew; 0 hands the redirect back as the answer.
    """

    addresses: AddressPolicy = PUBLIC_ONLY
    total_s: float = 60.0
    connect_s: float = 5.0
    idle_s: float = 30.0
    max_body: int = 2 * 1024 * 1024
    max_hops: int = 0
    verify_tls: bool = True


async def send(request: Request, guard: Guard, on_piece: Callable[[bytes], object] | None = None) -> Answer:
    """Sends one request, following redirects as far as the guard allows.

    Cancelling the task closes the connection, so the other side sees it at once.

    Args:
        on_piece: told the body of an answer 200 as it comes; the whole of it is returned all the same.

    Raises:
        ServiceTimeout: the deadline passed, or no byte came for ``idle_s``.
        AddressRefused: the host, or one it redirects to, may not be called.
        ServiceError: no complete answer came. Its kind: ``bad_url``, ``dns``, ``connect``, ``tls``,
            ``reset``, ``cut_reply``, ``too_large`` or ``unreadable``.
    """
    try:
        async with asyncio.timeout(guard.total_s):
            hops = 0
            while True:
                answer = await _exchange(request, guard, hops, on_piece)
                target = target_of(request, answer)
                if target is None or hops >= guard.max_hops:
                    return answer
                request = follow(request, answer, target)
                hops += 1
    except TimeoutError as error:
        raise ServiceTimeout(
            f"{shown_url(request.url)} gave no complete answer within {guard.total_s:g} s.",
            kind="timeout",
            retryable=True,
        ) from error


async def close_clients() -> None:
    """Closes the connections that this event loop keeps open. Call it when the loop ends."""
    loop = asyncio.get_running_loop()
    with _open_lock:
        mine = [_open.pop(key) for key in list(_open) if key[0] is loop]
    for connections in mine:
        await connections.aclose()


async def _exchange(
    request: Request, guard: Guard, hops: int, on_piece: Callable[[bytes], object] | None
) -> Answer:
    raw = _raw(request, _checked(request), guard)
    try:
        async with _connections(guard).exchange(raw) as response:
            headers = tuple((_text(name).lower(), _text(value)) for name, value in response.headers)
            body = await read_body(
                response,
                dict(headers),
                guard.max_body,
                is_head=request.method == "HEAD",
                on_piece=on_piece if response.status == 200 else None,
            )
            took_ms = service_ms(response)
    except _BROKEN as error:
        raise _ours(error, request, guard) from error
    return Answer(
        status=response.status,
        headers=headers,
        body=body,
        service_ms=took_ms,
        url=request.url,
        hops=hops,
    )


def _raw(request: Request, url: httpx.URL, guard: Guard) -> httpcore.Request:
    """The request as it goes out, with the headers that only we may set."""
    given = {name.lower() for name, _ in request.headers}
    headers = [(b"Host", url.netloc)]
    headers += [pair for name, pair in _DEFAULT_HEADERS.items() if name not in given - _SET_BY_US]
    headers += [
        (name.encode(), value.encode("utf-8", "replace"))
        for name, value in request.headers
        if name.lower() not in _SET_BY_US
    ]
    headers.append((b"Connection", b"keep-alive"))
    if request.body or request.method in _WITH_BODY:
        headers.append((b"Content-Length", str(len(request.body)).encode()))
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=headers,
        content=request.body,
        extensions={
            "timeout": {"connect": guard.connect_s, "read": guard.idle_s, "write": guard.idle_s},
        },
    )


def _text(header: bytes) -> str:
    """A part of a header; most are ASCII, some servers write UTF-8, the standard once said Latin-1."""
    try:
        return header.decode("utf-8")
    except UnicodeDecodeError:
        return header.decode("latin-1")


def _checked(request: Request) -> httpx.URL:
    """The address of a request that can and may be sent. A refusal repeats no header value."""
    try:
        url = _url(request.url)
    except (httpx.InvalidURL, TypeError, UnicodeError):
        raise ServiceError("The URL cannot be read.", kind="bad_url") from None
    if url.scheme not in ("http", "https"):
        raise AddressRefused(
            f"Only http and https can be called, not {url.scheme or 'a URL without scheme'!r}.",
            kind="address",
        )
    if not url.host or url.port == 0:
        raise ServiceError(f"The URL {shown_url(request.url)} names no host and port.", kind="bad_url")
    if url.userinfo:
        raise ServiceError(
            f"The URL of {url.host} carries a user name or password; put them into a header.", kind="bad_url"
        )
    if not _METHOD.fullmatch(request.method):
        raise ServiceError(f"{request.method[:20]!r} is not an HTTP method.", kind="bad_url")
    for name, value in request.headers:
        if not _HEADER_NAME.fullmatch(name):
            raise ServiceError(f"{name[:60]!r} is not the name of a header.", kind="bad_url")
        if not _HEADER_VALUE.fullmatch(value):
            raise ServiceError(f"The header {name} holds a line break or control sign.", kind="bad_url")
    return url


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    """Reads a URL; most calls go where the last ones went."""
    return with_readable_host(httpx.URL(text))


def _ours(error: Exception, request: Request, guard: Guard) -> ServiceError:
    """What httpcore raised, as one of our errors with a sentence for the person at the editor."""
    where = shown_url(request.url)
    match error:
        case httpcore.ConnectTimeout():
            text = f"{where} did not accept a connection within {guard.connect_s:g} s."
            return ServiceError(text, kind="connect", retryable=True)
        case httpcore.TimeoutException():
            text = f"{where} sent nothing for {guard.idle_s:g} s."
            return ServiceTimeout(text, kind="timeout", retryable=True)
        case httpcore.ConnectError():
            reason = _tls_reason(error)
            if reason:
                return ServiceError(f"The TLS of {where} is not accepted: {reason}.", kind="tls")
            return ServiceError(f"{where} cannot be reached.", kind="connect", retryable=True)
        case httpcore.UnsupportedProtocol() | httpcore.LocalProtocolError():
            return ServiceError(f"The request to {where} cannot be sent as it is.", kind="bad_url")
        case _:
            text = f"{where} broke the connection before the answer was complete."
            return ServiceError(text, kind="reset", retryable=True)


def _tls_reason(error: BaseException | None) -> str | None:
    """What TLS had to say, if it was TLS that failed."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if isinstance(error, ssl.SSLError):
            return (error.reason or "TLS failed").replace("_", " ").lower()
        error = error.__cause__ or error.__context__
    return None


# One set per event loop (connections belong to the loop that opened them) and per address policy (a
# connection opened under a wide policy must not serve a narrow one).
_ConnectionsKey = tuple[asyncio.AbstractEventLoop, AddressPolicy, bool]
_open: dict[_ConnectionsKey, Connections] = {}
_open_lock = threading.Lock()


def _connections(guard: Guard) -> Connections:
    key = (asyncio.get_running_loop(), guard.addresses, guard.verify_tls)
    with _open_lock:
        found = _open.get(key)
        if found is None:
            for old in [known for known in _open if known[0].is_closed()]:
                del _open[old]
            found = _open[key] = Connections(guard.addresses, tls_context(guard.verify_tls))
    return found


@cache
def tls_context(verify: bool) -> ssl.SSLContext:
    """Certificates of the system (so a company's own authority counts) and of certifi (macOS brings none)."""
    context = ssl.create_default_context()
    if verify:
        context.load_verify_locations(certifi.where())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
