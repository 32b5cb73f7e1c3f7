"""Which machines may be called: public addresses, and what the administrator allows beside them.

A name is resolved once per connection. Every address it has must pass, and the connection goes to one of
those addresses, so a name that changes its mind between check and use (DNS rebinding) gains nothing. Odd
spellings (2130706433, 0x7f.1, 0177.0.0.1) need no rule of their own: the resolver turns them into the
address that is then checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import httpcore

from recflow.errors import AddressRefused, ServiceError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Spelled out instead of is_global, whose answer changed between patch releases of Python 3.11, 3.12 and 3.13.
_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; holds Alibaba's metadata service
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's metadata service has a public-looking address
            "169.254.0.0/16",  # link-local; holds the metadata service of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarking
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # multicast, reserved, broadcast
        ),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")  # the only block IANA gives out; loopback, ULA, link-local lie outside
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64 = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE = IPv6Network("::/96")


def is_public(address: Address) -> bool:
    """Whether the address belongs to a machine of the open internet.

    NAT64 addresses are how IPv6-only networks reach IPv4 machines, so they count as the address inside.
    6to4 and Teredo lie in refused blocks: both are dead in practice and only serve to smuggle addresses.
    """
    address = _plain(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 spelling of it means, else the address itself."""
    if isinstance(address, IPv6Address) and (
        address.ipv4_mapped is not None
        or address in _NAT64
        or (address in _V4_COMPATIBLE and int(address) > 1)  # :: and ::1 are themselves
    ):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The exceptions an administrator made: networks, and hosts with or without a port.

    Without any, only public addresses may be called.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[tuple[str, int | None]] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AddressPolicy:
        """Reads a list such as ``["10.0.0.0/8", "127.0.0.1:11434", "models.internal"]``.

        Raises:
            ValueError: an entry is none of network, address, host, each but the first with optional port.
        """
        networks: list[Network] = []
        hosts: set[tuple[str, int | None]] = set()
        for entry in entries:
            text = entry.strip().lower()
            try:
                networks.append(ip_network(text, strict=False))
                continue
            except ValueError:
                pass
            hosts.add(_host_and_port(text))
        return cls(tuple(networks), frozenset(hosts))

    def allows(self, host: str, port: int, address: Address) -> bool:
        """Whether a connection to ``address``, found under the name ``host``, may be made."""
        address = _plain(address)
        if is_public(address):
            return True
        if any(address.version == network.version and address in network for network in self.networks):
            return True
        names = {_normal_name(host), str(address)}
        return any((name, wanted) in self.hosts for name in names for wanted in (port, None))


PUBLIC_ONLY = AddressPolicy()


def _host_and_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host or any(sign in host for sign in "/@ ?#*") or (port and not port.isdigit()):
        raise ValueError(f"{text!r} is neither a network such as 10.0.0.0/8 nor a host such as models:8000")
    return _normal_name(host), int(port) if port else None


def _normal_name(host: str) -> str:
    return host.lower().rstrip(".").strip("[]")


# The system's resolver blocks, and a dead name server for many seconds. In threads of its own that holds up
# nothing else, and as each name takes one of them at most, not many other names either.
_resolving = ThreadPoolExecutor(max_workers=16, thread_name_prefix="resolve")
_asked: dict[tuple[str, int], Future[list[tuple]]] = {}
_asking = threading.Lock()


async def lookup(host: str, port: int) -> list[str]:
    """The addresses of a name, best first, as the system's resolver gives them."""
    with contextlib.suppress(ValueError):
        return [str(ip_address(host))]
    # Whoever stops waiting leaves the question to the others who ask it.
    found = await asyncio.shield(asyncio.wrap_future(_resolved(host, port)))
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _resolved(host: str, port: int) -> Future[list[tuple]]:
    """The resolver's answer, the same one for all who ask at the same time."""
    name = (host, port)
    with _asking:
        if (under_way := _asked.get(name)) is not None:
            return under_way
        future = _asked[name] = _resolving.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    future.add_done_callback(lambda _: _asked.pop(name))
    return future


async def resolve(host: str, port: int, policy: AddressPolicy) -> list[Address]:
    """The addresses of a host, all of them checked.

    Raises:
        AddressRefused: one of them is not allowed. The others do not save the name: a name that mixes
            public and private addresses is an attack or a mistake.
        ServiceError: the name has no address (kind ``dns``).
    """
    try:
        found = await lookup(_normal_name(host), port)
    except (OSError, UnicodeError) as error:
        raise ServiceError(f"The host {host} has no address.", retryable=True, kind="dns") from error
    addresses = [ip_address(text.partition("%")[0]) for text in found]
    for address in addresses:
        if not policy.allows(host, port, address):
            where = host if _normal_name(host) == str(address) else f"{host} ({address})"
            raise AddressRefused(
                f"Calls to {where} port {port} are not allowed: it is not a public address, "
                "and the administrator's list of allowed addresses does not name it.",
                kind="address",
            )
    return addresses


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections only to addresses that were checked a moment before.

    It sits below HTTP, where a connection is opened: Host header, SNI and the certificate's name stay
    those of the URL, while the socket goes to the checked address.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        addresses = await resolve(host, port, self._policy)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address, seconds in _shares(addresses, timeout):
            try:
                return await self._sockets.connect_tcp(
                    str(address), port, seconds, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, path, timeout=None, socket_options=None):
        raise AddressRefused("Calls to Unix sockets are not allowed.", kind="address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _shares(addresses: list[Address], timeout: float | None) -> Iterator[tuple[Address, float | None]]:
    """Each address with its part of the time left, so that a dead first one leaves some for the next."""
    end = None if timeout is None else asyncio.get_running_loop().time() + timeout
    for tried, address in enumerate(addresses):
        if end is None:
            yield address, None
        else:
            left = max(0.0, end - asyncio.get_running_loop().time())
            yield address, left / (len(addresses) - tried)
