"""A real HTTP server on 127.0.0.1 that misbehaves on demand.

It speaks over real sockets because deadlines, resets and half-sent bodies cannot be seen through a mock.
Each path has a handler; a handler is any function that takes an ``Exchange``. ``server.script(path, first,
second)`` plays the handlers in turn, one a hit, and repeats the last. Every hit is kept with headers and
body.

    with ScriptedServer() as server:
        server.script("/v1/chat", status(503), json_reply({"ok": True}))
        ...
        assert server.count("/v1/chat") == 2
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.patience import PATIENCE_S


@dataclass(frozen=True)
class Hit:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Exchange:
    """What a handler works with: the request, and ways to answer it, decent or not."""

    hit: Hit
    number: int  # 1 for the first hit of this path
    server: ScriptedServer
    _http: BaseHTTPRequestHandler = field(repr=False)

    def reply(
        self, status: int = 200, body: bytes | str = b"", headers: dict[str, str] | None = None
    ) -> None:
        """A complete, well-formed answer."""
        data = body.encode() if isinstance(body, str) else body
        lines = {"Content-Length": str(len(data)), **(headers or {})}
        self.head(status, lines)
        if self.hit.method != "HEAD":
            self.write(data)

    def head(self, status: int, headers: dict[str, str]) -> None:
        """Status line and headers only; the body is up to the handler."""
        self._http.send_response(status)
        for name, value in headers.items():
            self._http.send_header(name, value)
        self._http.end_headers()

    def write(self, data: bytes) -> bool:
        """Raw bytes at once; False when the client has gone, which is what many tests are about."""
        try:
            self._http.wfile.write(data)
            self._http.wfile.flush()
        except OSError:
            self._http.close_connection = True
            return False
        return True

    def hang(self) -> None:
        """Nothing more, until the client goes or the server stops."""
        self.wait_for_disconnect()
        self._http.close_connection = True

    def pause(self, seconds: float) -> bool:
        """Waits; False when there is nobody left to wait for."""
        return not self.wait_for_disconnect(seconds)

    def wait_for_disconnect(self, seconds: float | None = None) -> bool:
        """Whether the client closed the connection within the time."""
        connection = self._http.connection
        waited = 0.0
        connection.settimeout(0.02)
        try:
            while not self.server.stopping.is_set() and (seconds is None or waited < seconds):
                try:
                    if connection.recv(1) == b"":
                        self.server.disconnects[self.hit.path] += 1
                        return True
                except TimeoutError:
                    waited += 0.02
                except OSError:
                    self.server.disconnects[self.hit.path] += 1
                    return True
            return False
        finally:
            connection.settimeout(None)

    def reset(self) -> None:
        """Drops the connection with RST, as a crashed process or a load balancer does."""
        self._http.close_connection = True
        connection = self._http.connection
        if isinstance(connection, ssl.SSLSocket):
            connection = connection.unwrap()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # shutdown first would send FIN; the descriptor is closed for good by socketserver
        self._http.wfile = _Nowhere()
        connection.close()

    def close(self) -> None:
        """Ends the connection after whatever has been sent."""
        self._http.close_connection = True


Handler = Callable[[Exchange], None]


class _Nowhere:
    closed = False

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...


class ScriptedServer:
    """Start it with ``with``; ``url("/path")`` gives addresses on it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.hits: list[Hit] = []
        self.disconnects: Counter[str] = Counter()
        self.connections = 0
        self.stopping = threading.Event()
        self._handlers: dict[str, tuple[Handler, ...]] = {}
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._tls = tls
        self._http = _Server(("127.0.0.1", 0), self._handler_class())
        if tls is not None:
            self._http.socket = tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def port(self) -> int:
        return self._http.server_address[1]

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def script(self, path: str, *handlers: Handler) -> str:
        """Sets what a path does, hit by hit; the last handler repeats. Returns the path's URL."""
        with self._lock:
            self._handlers[path] = handlers
            self._counts[path] = self.disconnects[path] = 0
        return self.url(path)

    def count(self, path: str) -> int:
        """Hits of a path since it was scripted."""
        with self._lock:
            return self._counts[path]

    def hits_of(self, path: str) -> list[Hit]:
        with self._lock:
            return [hit for hit in self.hits if hit.path == path]

    def wait_for_hit(self, path: str, within_s: float = PATIENCE_S) -> bool:
        """Blocks until a path was hit; from a coroutine, through a thread."""
        return self._wait_until(lambda: self.count(path) > 0, within_s)

    def wait_for_disconnect(self, path: str, within_s: float = PATIENCE_S) -> bool:
        """Blocks until a client of this path left before it had its answer."""
        return self._wait_until(lambda: self.disconnects[path] > 0, within_s)

    def _wait_until(self, is_so: Callable[[], bool], within_s: float) -> bool:
        end = time.monotonic() + within_s
        while not is_so() and time.monotonic() < end:
            time.sleep(0.01)
        return is_so()

    def _play(self, http: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(http.path)
        length = int(http.headers.get("content-length") or 0)
        hit = Hit(
            http.command,
            parts.path,
            parts.query,
            {name.lower(): value for name, value in http.headers.items()},
            http.rfile.read(length),
        )
        with self._lock:
            self.hits.append(hit)
            self._counts[hit.path] += 1
            number = self._counts[hit.path]
            handlers = self._handlers.get(hit.path, (status(404),))
        handlers[min(number, len(handlers)) - 1](Exchange(hit, number, self, http))

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        play, scripted = self._play, self

        class Http(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with scripted._lock:
                    scripted.connections += 1

            def do_GET(self) -> None:
                play(self)

            do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

            def log_message(self, *_: object) -> None: ...

        return Http


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that leaves early is no error here."""


def status(code: int, body: bytes | str | dict = b"", **headers: str) -> Handler:
    """Any status; a dict becomes JSON, ``Retry_After="1"`` becomes the header Retry-After."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict):
        body = json.dumps(body)
        names.setdefault("Content-Type", "application/json")
    return lambda exchange: exchange.reply(code, body, names)


def json_reply(value: object, code: int = 200) -> Handler:
    body = json.dumps(value)
    return lambda exchange: exchange.reply(code, body, {"Content-Type": "application/json"})


def redirect(location: str, code: int = 302) -> Handler:
    return status(code, Location=location)


def hang() -> Handler:
    """Takes the request and never answers."""
    return lambda exchange: exchange.hang()


def hang_after_headers(code: int = 200) -> Handler:
    def handler(exchange: Exchange) -> None:
        exchange.head(code, {"Content-Length": "100"})
        exchange.hang()

    return handler


def drip(data: bytes, every_s: float) -> Handler:
    """The body byte by byte, as slowly as one likes: each read succeeds, the whole never ends in time."""

    def handler(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Type": "application/json", "Content-Length": str(len(data))})
        for byte in data:
            exchange.write(bytes([byte]))
            if not exchange.pause(every_s):
                exchange.close()
                return

    return handler


def keep_alive_spaces(every_s: float) -> Handler:
    """White space for ever, as gateways send it to keep a slow answer's connection open."""

    def handler(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
        while not exchange.server.stopping.is_set() and exchange.write(b"1\r\n \r\n"):
            if not exchange.pause(every_s):
                break
        exchange.close()

    return handler


def reset() -> Handler:
    """RST before any header."""
    return lambda exchange: exchange.reset()


def reset_in_body(sent: bytes = b'{"half": ') -> Handler:
    def handler(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": "1000"})
        exchange.write(sent)
        exchange.reset()

    return handler


def short_body(sent: bytes = b"0123456789") -> Handler:
    """Promises more than it sends, then closes in good order."""

    def handler(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(sent) + 90), "Connection": "close"})
        exchange.write(sent)
        exchange.close()

    return handler


def gzip_bomb(megabytes: int) -> Handler:
    """A few KB on the wire that inflate to many megabytes."""
    body = gzip.compress(bytes(megabytes * 1024 * 1024))
    return status(200, body, Content_Encoding="gzip", Content_Type="application/json")


def endless_body() -> Handler:
    def handler(exchange: Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while not exchange.server.stopping.is_set() and exchange.write(chunk):
            pass
        exchange.close()

    return handler


def sse(events: Iterable[object], done: bool = True) -> Handler:
    """Server-sent events, as a gateway sends them although nobody asked for a stream."""
    lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + (
        "data: [DONE]\n\n" if done else ""
    )
    return status(200, lines, Content_Type="text/event-stream")
