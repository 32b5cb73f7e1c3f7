"""TLS with a pinned address: the name on the certificate is still checked."""

import shutil
import ssl
import subprocess

import pytest

from recflow.errors import ServiceError
from recflow.outbound import addresses, client
from recflow.outbound.client import send
from recflow.outbound.messages import Request
from tests.scripted_server import ScriptedServer, json_reply

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for models.example."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-subj", "/CN=models.example", "-addext", "subjectAltName=DNS:models.example", "-days", "2"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def secure_server(certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    names = []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    with ScriptedServer(tls) as running:
        running.script("/", json_reply([]))
        running.sni_names = names
        yield running


@pytest.fixture(autouse=True)
def every_name_is_loopback(monkeypatch):
    async def lookup(host, port):
        return ["127.0.0.1"]

    monkeypatch.setattr(addresses, "lookup", lookup)


@pytest.fixture
def trusted(certificate, monkeypatch):
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    monkeypatch.setattr(client, "tls_context", lambda verify: context)


@pytest.mark.usefixtures("trusted")
async def test_host_and_server_name_are_those_of_the_url_although_the_address_is_pinned(secure_server, guard):
    answer = await send(Request(secure_server.url("/", "models.example")), guard)
    assert answer.status == 200
    assert secure_server.sni_names == ["models.example"]
    assert secure_server.hits[0].headers["host"] == f"models.example:{secure_server.port}"


@pytest.mark.usefixtures("trusted")
async def test_certificate_of_another_name_is_refused(secure_server, guard):
    with pytest.raises(ServiceError, match="ostname mismatch") as caught:
        await send(Request(secure_server.url("/", "other.example")), guard)
    assert (caught.value.kind, caught.value.retryable) == ("tls", False)


async def test_certificate_nobody_signed_is_refused(secure_server, guard):
    with pytest.raises(ServiceError, match="self-signed certificate") as caught:
        await send(Request(secure_server.url("/", "models.example")), guard)
    assert caught.value.kind == "tls"
    assert secure_server.count("/") == 0
