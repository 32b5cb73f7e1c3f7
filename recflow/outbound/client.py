"""One guarded HTTP exchange: ``send(request, guard)`` returns a complete Answer or raises a ServiceError.

httpx's timeouts are per read, so a server that drips a byte a second passes them for ever; its client follows
proxies from the environment, keeps cookies and reads bodies of any size. The guard puts one deadline over
everything, a cap over the decoded body, an address check under each connection, and leaves the rest out.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import perf_counter

import certifi
import httpcore
import httpx

from recflow.errors import AddressRefused, ServiceError, ServiceTimeout

from .addresses import PUBLIC_ONLY, AddressPolicy, PinnedBackend
from .body import ACCEPT_ENCODING, read_body
from .messages import Answer, Request, shown_url
from .redirects import follow, target_of

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
_DEFAULT_HEADERS = (("User-Agent", "RecFlow"), ("Accept", "*/*"), ("Accept-Encoding", ACCEPT_ENCODING))
_SET_BY_US = frozenset(("host", "content-length", "transfer-encoding", "connection", "accept-encoding"))

# httpx logs every URL at level INFO, httpcore every header of an answer at DEBUG. Keys travel in URLs, and
# some services repeat them in headers. A filter outlives whatever a settings file does to the level.
for _name in ("httpx", "httpcore.connection", "httpcore.http11"):
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


async def send(request: Request, guard: Guard) -> Answer:
    """Sends one request, following redirects as far as the guard allows.

    Cancelling the task closes the connection, so the other side sees it at once.

    Raises:
        ServiceTimeout: the deadline passed, or no byte came for ``idle_s``.
        AddressRefused: the host, or one it redirects to, may not be called.
        ServiceError: no complete answer came. Its kind: ``bad_url``, ``dns``, ``connect``, ``tls``,
            ``reset``, ``cut_reply``, ``too_large`` or ``unreadable``.
    """
    started = perf_counter()
    try:
        async with asyncio.timeout(guard.total_s):
            hops = 0
            while True:
                answer = await _exchange(request, guard, started, hops)
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
    with _clients_lock:
        mine = [key for key in _clients if key[0] is loop]
        clients = [_clients.pop(key) for key in mine]
    for client in clients:
        await client.aclose()


async def _exchange(request: Request, guard: Guard, started: float, hops: int) -> Answer:
    _check(request)
    given = {name.lower() for name, _ in request.headers}
    headers = [pair for pair in _DEFAULT_HEADERS if pair[0].lower() not in given - _SET_BY_US]
    headers += [pair for pair in request.headers if pair[0].lower() not in _SET_BY_US]
    timeout = httpx.Timeout(guard.idle_s, connect=guard.connect_s)
    try:
        async with _client(guard).stream(
            request.method, request.url, headers=headers, content=request.body, timeout=timeout
        ) as response:
            body = await read_body(response, guard.max_body)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise _ours(error, request, guard) from error
    return Answer(
        status=response.status_code,
        headers=tuple((name.lower(), value) for name, value in response.headers.multi_items()),
        body=body,
        elapsed_ms=(perf_counter() - started) * 1000,
        url=request.url,
        hops=hops,
    )


def _check(request: Request) -> None:
    """Refuses what cannot or must not be sent, with a sentence that repeats no header value."""
    try:
        url = httpx.URL(request.url)
    except (httpx.InvalidURL, TypeError):
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


def _ours(error: Exception, request: Request, guard: Guard) -> ServiceError:
    """What httpx raised, as one of our errors with a sentence for the person at the editor."""
    where = shown_url(request.url)
    match error:
        case httpx.ConnectTimeout():
            text = f"{where} did not accept a connection within {guard.connect_s:g} s."
            return ServiceError(text, kind="connect", retryable=True)
        case httpx.TimeoutException():
            text = f"{where} sent nothing for {guard.idle_s:g} s."
            return ServiceTimeout(text, kind="timeout", retryable=True)
        case httpx.ConnectError():
            reason = _tls_reason(error)
            if reason:
                return ServiceError(f"The TLS of {where} is not accepted: {reason}.", kind="tls")
            return ServiceError(f"{where} cannot be reached.", kind="connect", retryable=True)
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
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


# One client per event loop (connections belong to the loop that opened them) and per address policy (a
# connection opened under a wide policy must not serve a narrow one).
_ClientKey = tuple[asyncio.AbstractEventLoop, AddressPolicy, bool]
_clients: dict[_ClientKey, httpx.AsyncClient] = {}
_clients_lock = threading.Lock()


def _client(guard: Guard) -> httpx.AsyncClient:
    key = (asyncio.get_running_loop(), guard.addresses, guard.verify_tls)
    with _clients_lock:
        client = _clients.get(key)
        if client is None:
            for old in [known for known in _clients if known[0].is_closed()]:
                del _clients[old]
            client = _clients[key] = httpx.AsyncClient(
                transport=_GuardedTransport(guard.addresses, tls_context(guard.verify_tls)),
                trust_env=False,
                follow_redirects=False,
                # The client is shared by all nodes: a cookie set for one must not travel with another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
            client.headers.clear()
    return client


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


class _GuardedTransport(httpx.AsyncBaseTransport):
    """httpx's own transport offers no place to check addresses, the pool below it does."""

    def __init__(self, addresses: AddressPolicy, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=256,
            max_keepalive_connections=64,
            keepalive_expiry=15.0,
            network_backend=PinnedBackend(addresses),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        async with _named_as_httpx():
            response = await self._pool.handle_async_request(raw)
        return httpx.Response(response.status, headers=response.headers, stream=_Stream(response.stream))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with _named_as_httpx():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def _named_as_httpx() -> AsyncIterator[None]:
    """Both libraries name their errors alike; callers should only meet httpx's."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
