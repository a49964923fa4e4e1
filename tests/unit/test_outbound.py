"""The way out: what may be asked, what is refused, and how little of it a stranger decides."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signoff.domain.errors import ConfigurationError, UnavailableError
from signoff.outbound import AddressRefusedError, Outbound
from signoff.outbound.addresses import AllowList, is_metadata, is_public

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
LOOPBACK = AllowList.of(["127.0.0.0/8"])


@contextmanager
def answering(
    speak: Callable[[socket.socket, threading.Event], None], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """A server on loopback that takes one connection at a time and says what `speak` says; its port and what it got."""
    got: list[bytes] = []
    is_over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not is_over.is_set():
            try:
                connection, _ = listener.accept()
                with connection if tls is None else tls.wrap_socket(connection, server_side=True) as caller:
                    got.append(caller.recv(65536))
                    speak(caller, is_over)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], got
    finally:
        is_over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def saying(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    return lambda caller, _: caller.sendall(answer)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    ],
)
def test_what_only_some_can_reach_is_not_public(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(AddressRefusedError, match=r"leads to a network.*SIGNOFF_OUTBOUND_ALLOW"):
        Outbound(resolve=lambda *_: [address]).get("https://models.example/x")


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_everybody_can_reach_is_public(address: str) -> None:
    assert is_public(address)
    assert not is_metadata(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(AddressRefusedError):
        Outbound(resolve=lambda *_: ["8.8.8.8", "10.0.0.1"]).get("https://models.example/x")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "https://2130706433:{port}/",
        "https://0x7f.1:{port}/",
        "https://127.1:{port}/",
        "https://localhost:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://[::1]:{port}/",
    ],
)
def test_no_way_to_write_loopback_reaches_it(url: str) -> None:
    with answering(saying(OK)) as (port, got), pytest.raises((AddressRefusedError, UnavailableError)):
        Outbound().get(url.format(port=port))
    assert got == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://models.example/x", "no address"),
        ("file:///etc/passwd", "no address"),
        ("gopher://models.example/", "no address"),
        ("models.example", "no address"),
        ("https://", "no address"),
        ("https://models.example:port/", "no address"),
        ("https://models.example/\r\nX: y", "no address"),
        ("https://models.example/a b", "no address"),
        ("https://modèles.example/", "no address"),
        ("https://models.example/" + "x" * 2000, "no address"),
        ("https://user:word@models.example/", "user name"),
        ("https://models.example@127.0.0.1/", "user name"),
        ("http://models.example/", "without TLS"),
    ],
)
def test_an_address_that_is_none_is_refused_before_its_name_is_looked_up(url: str, why: str) -> None:
    asked: list[str] = []

    def never(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"]

    with pytest.raises(AddressRefusedError, match=why):
        Outbound(resolve=never).get(url)
    assert asked == []


def test_a_name_is_looked_up_once_and_the_judged_address_is_the_one_that_is_asked() -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"]]
    with answering(saying(OK)) as (port, got):
        out = Outbound(AllowList.of(["127.0.0.1", "models.example"]), resolve=lambda *_: answers.pop(0))
        assert out.get(f"http://models.example:{port}/x").body == b"hi"
    assert len(answers) == 2
    assert got[0].startswith(b"GET /x HTTP/1.1\r\n")
    assert f"host: models.example:{port}\r\n".encode() in got[0].lower()


def test_a_name_that_changes_to_a_private_address_is_refused_the_next_time() -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    with answering(saying(OK)) as (port, _):
        out = Outbound(AllowList.of(["127.0.0.1"]), resolve=lambda *_: answers.pop(0))
        out.get(f"http://127.0.0.1:{port}/")
        with pytest.raises(AddressRefusedError):
            out.get(f"http://127.0.0.1:{port}/")


def test_what_an_administrator_allowed_may_be_private_and_nothing_beside_it() -> None:
    with answering(saying(OK)) as (port, _):
        assert Outbound(LOOPBACK).get(f"http://127.0.0.1:{port}/").status == 200
        assert Outbound(AllowList.of(["localhost"])).get(f"http://localhost:{port}/").status == 200
        assert Outbound().get(f"http://127.0.0.1:{port}/", is_configured=True).status == 200
        with pytest.raises(AddressRefusedError):
            Outbound(AllowList.of(["10.0.0.0/8", "*.example.com"])).get(f"https://127.0.0.1:{port}/")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254"])
def test_no_name_leads_to_a_metadata_service_not_even_a_trusted_one(address: str) -> None:
    out = Outbound(AllowList.of(["gitlab.example"]), resolve=lambda *_: [address])
    for is_configured in (False, True):
        with pytest.raises(AddressRefusedError):
            out.get("https://gitlab.example/", is_configured=is_configured)


@pytest.mark.parametrize("entry", ["*", "10.0.0.0/33", "10.0.0.1/8", "a b", "999.1.1.1", ""])
def test_an_entry_of_the_allow_list_that_is_none_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="no network and no name"):
        AllowList.of([entry])


def test_a_redirect_is_not_followed() -> None:
    to = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    with answering(saying(to)) as (port, got), pytest.raises(AddressRefusedError, match="does not follow"):
        Outbound(LOOPBACK).get(f"http://127.0.0.1:{port}/")
    assert len(got) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhi",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_only_a_whole_plain_success_is_an_answer(answer: bytes) -> None:
    with answering(saying(answer)) as (port, _), pytest.raises(UnavailableError):
        Outbound(LOOPBACK).get(f"http://127.0.0.1:{port}/")


def test_more_than_the_limit_is_not_read() -> None:
    def endless(caller: socket.socket, is_over: threading.Event) -> None:
        caller.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not is_over.is_set():
            caller.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")

    with answering(endless) as (port, _), pytest.raises(UnavailableError, match="more than 64 KiB"):
        Outbound(LOOPBACK, largest=64 * 1024).get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_a_server_that_drips_is_left_at_the_deadline(begin: bytes) -> None:
    def drip(caller: socket.socket, is_over: threading.Event) -> None:
        caller.sendall(begin)
        while not is_over.wait(0.02):
            caller.sendall(b"y")

    with answering(drip) as (port, _), pytest.raises(UnavailableError):
        Outbound(LOOPBACK, deadline=0.3).get(f"http://127.0.0.1:{port}/")


def test_nobody_there_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UnavailableError, match="No answer from 127"):
        Outbound(LOOPBACK).get(f"http://127.0.0.1:{port}/")

    def unknown(*_: object) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(UnavailableError, match="No answer from models"):
        Outbound(resolve=unknown).get("https://models.example/")


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a server that is `name`, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())


def test_the_certificate_must_be_the_names_though_the_address_is_pinned(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "models.example")
    with answering(saying(OK), server) as (port, _):
        out = Outbound(LOOPBACK, tls=client, resolve=lambda *_: ["127.0.0.1"])
        assert out.get(f"https://models.example:{port}/").body == b"hi"
        with pytest.raises(UnavailableError):
            out.get(f"https://other.example:{port}/")
        with pytest.raises(UnavailableError):
            Outbound(LOOPBACK, resolve=lambda *_: ["127.0.0.1"]).get(f"https://models.example:{port}/")
