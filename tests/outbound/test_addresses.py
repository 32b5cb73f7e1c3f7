from ipaddress import ip_address

import pytest

from recflow.errors import AddressRefused, ServiceError
from recflow.outbound import addresses
from recflow.outbound.addresses import AddressPolicy, is_public
from recflow.outbound.client import Guard, send
from recflow.outbound.messages import Request
from tests.scripted_server import json_reply, redirect


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1"])
def test_public_addresses_are_public(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.255.255.254",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",  # Alibaba's metadata service
        "168.63.129.16",  # Azure's
        "192.0.0.192",  # Oracle's
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",  # Amazon's metadata service
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo
        "64:ff9b::127.0.0.1",  # NAT64 of loopback
        "64:ff9b::a9fe:a9fe",  # NAT64 of metadata
        "64:ff9b:1::1",
        "2001:db8::1",
        "3fff::1",
    ],
)
def test_every_other_address_is_not_public(text):
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ],
)
async def test_every_spelling_of_loopback_is_refused_without_a_hit(server, host):
    server.script("/", json_reply([]))
    with pytest.raises(AddressRefused, match="not a public address"):
        await send(Request(server.url("/", host)), Guard(total_s=2.0))
    assert server.count("/") == 0


async def test_dotted_octal_is_no_host_at_all():
    with pytest.raises(ServiceError, match="cannot be read"):
        await send(Request("http://0177.0.0.1/"), Guard(total_s=2.0))


async def test_metadata_service_is_refused():
    with pytest.raises(AddressRefused, match=r"169\.254\.169\.254 port 80 are not allowed"):
        await send(Request("http://169.254.169.254/latest/meta-data/"), Guard(total_s=2.0))


async def test_name_with_one_private_address_among_public_ones_is_refused(monkeypatch):
    async def lookup(host, port):
        return ["93.184.216.34", "10.0.0.7"]

    monkeypatch.setattr(addresses, "lookup", lookup)
    with pytest.raises(AddressRefused, match=r"mixed\.example \(10\.0\.0\.7\)"):
        await send(Request("http://mixed.example/"), Guard(total_s=2.0))


async def test_connection_goes_to_the_checked_address_and_names_are_not_resolved_twice(
    server, guard, monkeypatch
):
    answers = iter([["127.0.0.1"], ["10.0.0.7"]])  # a name that changes its mind after the check
    asked = []

    async def lookup(host, port):
        asked.append(host)
        return next(answers)

    monkeypatch.setattr(addresses, "lookup", lookup)
    server.script("/", json_reply([]))
    answer = await send(Request(server.url("/", "rebind.example")), guard)
    assert answer.status == 200
    assert asked == ["rebind.example"]
    assert server.hits[0].headers["host"] == f"rebind.example:{server.port}"


async def test_second_address_is_tried_when_the_first_is_dead(server, guard, monkeypatch):
    async def lookup(host, port):
        return ["127.0.0.2", "127.0.0.1"]  # nobody listens on the first

    monkeypatch.setattr(addresses, "lookup", lookup)
    server.script("/", json_reply([]))
    assert (await send(Request(server.url("/", "two.example")), guard)).status == 200


async def test_redirect_to_a_private_address_is_refused(server):
    policy = AddressPolicy.parse([f"127.0.0.1:{server.port}"])
    server.script("/away", redirect("http://169.254.169.254/latest/"))
    with pytest.raises(AddressRefused, match=r"169\.254\.169\.254"):
        await send(Request(server.url("/away")), Guard(policy, total_s=2.0, max_hops=3))


async def test_redirect_to_another_scheme_is_refused(server, guard):
    server.script("/away", redirect("file:///etc/passwd"))
    with pytest.raises(AddressRefused, match="'file'"):
        await send(Request(server.url("/away")), Guard(guard.addresses, total_s=2.0, max_hops=3))


async def test_unknown_name_is_a_dns_error(monkeypatch):
    async def lookup(host, port):
        raise OSError("no such host")

    monkeypatch.setattr(addresses, "lookup", lookup)
    with pytest.raises(ServiceError, match=r"nowhere\.example has no address") as caught:
        await send(Request("http://nowhere.example/"), Guard(total_s=2.0))
    assert caught.value.kind == "dns"


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "allowed"),
    [
        ("10.0.0.0/8", "x", 80, "10.9.9.9", True),
        ("10.0.0.0/8", "x", 80, "192.168.0.1", False),
        ("10.0.0.0/8", "x", 80, "::ffff:10.9.9.9", True),
        ("127.0.0.1", "localhost", 80, "127.0.0.1", True),
        ("127.0.0.1:8000", "localhost", 8000, "127.0.0.1", True),
        ("127.0.0.1:8000", "localhost", 8001, "127.0.0.1", False),
        ("[::1]:8000", "localhost", 8000, "::1", True),
        ("models.internal", "models.internal", 443, "10.1.1.1", True),
        ("models.internal", "MODELS.internal.", 443, "10.1.1.1", True),
        ("models.internal:443", "models.internal", 80, "10.1.1.1", False),
        ("models.internal", "other.internal", 443, "10.1.1.1", False),
    ],
)
def test_allow_list_opens_exactly_what_it_names(entry, host, port, address, allowed):
    assert AddressPolicy.parse([entry]).allows(host, port, ip_address(address)) is allowed


@pytest.mark.parametrize("entry", ["http://x/", "a b", "", "host:eighty", "*.example"])
def test_unreadable_allow_list_entry_is_named(entry):
    with pytest.raises(ValueError, match="neither a network"):
        AddressPolicy.parse([entry])
