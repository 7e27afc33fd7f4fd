"""Connecting: every way to fail has its cause and its mend, and leaves nothing behind."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trustme

from realtime_actors.errors import StartCause, StartError
from realtime_actors.transport import (
    ConnectOptions,
    Disconnected,
    WebSocketTransport,
    detached_connects,
)
from realtime_actors.transport.dialing import ssl_context
from tests.transport.wire import (
    PATIENCE,
    Heard,
    Inbox,
    RawServer,
    TextDialect,
    read_request,
    text,
)

KEY = "sk-proj-0123456789abcdef"


def attempt(url: str, **options: object) -> StartError:
    """The error with which connecting fails."""
    settings = ConnectOptions(
        url=url,
        headers={"Authorization": f"Bearer {KEY}"},
        **{"timeout": PATIENCE, **options},  # type: ignore[arg-type]
    )
    with pytest.raises(StartError) as caught:
        WebSocketTransport(settings, TextDialect()).connect(Inbox())
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def respond(response: bytes) -> Callable[[socket.socket], None]:
    """A server that reads the request and answers with this, whatever was asked."""

    def answer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(response)

    return answer


def http(status: str, body: str = "", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


@contextmanager
def connected(options: ConnectOptions, dialect: TextDialect | None = None) -> Iterator[Inbox]:
    inbox = Inbox()
    transport = WebSocketTransport(options, dialect or TextDialect())
    transport.connect(inbox)
    try:
        yield inbox
    finally:
        transport.close(timeout=0)


def test_the_headers_of_the_dialect_and_of_the_options_are_sent():
    with RawServer() as server:
        options = ConnectOptions(url=server.url, headers={"Authorization": "Bearer key"})
        with connected(options, TextDialect(**{"OpenAI-Beta": "realtime=v1"})):
            headers = server.peer().headers

    assert headers["authorization"] == "Bearer key"
    assert headers["openai-beta"] == "realtime=v1"
    assert headers["host"] == f"localhost:{server.port}"
    assert "origin" not in headers
    assert "sec-websocket-extensions" not in headers


def test_neither_keys_nor_the_proxy_are_in_the_repr_of_the_options():
    options = ConnectOptions(
        url="wss://host/", headers={"Authorization": KEY}, proxy="http://user:secret@proxy:1"
    )

    assert KEY not in repr(options)
    assert "secret" not in repr(options)


@pytest.mark.parametrize(
    "url", ["http://localhost/", "localhost:80", "ws://", "ws://host:port/", "ws://[::1/", ""]
)
def test_a_url_that_is_none_of_a_websocket_is_named(url: str):
    error = attempt(url)

    assert error.cause is StartCause.CONFIG
    assert repr(url) in str(error)


def test_a_key_with_a_line_break_is_not_sent():
    headers = {"Authorization": f"Bearer {KEY}\n"}
    transport = WebSocketTransport(
        ConnectOptions(url="ws://localhost:1/", headers=headers), TextDialect()
    )

    with pytest.raises(StartError, match=r"Authorization.*strip") as caught:
        transport.connect(Inbox())

    assert caught.value.cause is StartCause.CONFIG
    assert KEY not in str(caught.value)


def test_a_host_that_does_not_exist_is_a_matter_of_dns():
    error = attempt("ws://no-such-host.invalid/")

    assert error.cause is StartCause.DNS
    assert "no-such-host.invalid" in str(error)


def test_a_port_where_nobody_listens_refuses():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    error = attempt(f"ws://127.0.0.1:{port}/")

    assert error.cause is StartCause.REFUSED
    assert f"port {port}" in str(error)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_wrong_key_is_a_matter_of_authentication(status: str):
    body = json.dumps({"error": {"message": "Incorrect API key provided: sk-proj-01**"}})
    with RawServer(answer=respond(http(status, body))) as server:
        error = attempt(server.url)

    assert (error.cause, error.status) == (StartCause.AUTHENTICATION, int(status[:3]))
    assert "check the api key" in str(error)
    assert "sk-proj" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        ("400 Bad Request", "check the model"),
        ("404 Not Found", "check the path and the model"),
        ("429 Too Many Requests", "quota"),
        ("500 Internal Server Error", "try again later"),
        ("503 Service Unavailable", "try again later"),
        ("200 OK", "check the url"),
    ],
)
def test_any_other_status_is_the_servers_no(status: str, mend: str):
    with RawServer(answer=respond(http(status))) as server:
        error = attempt(server.url)

    assert (error.cause, error.status) == (StartCause.SERVER, int(status[:3]))
    assert mend in str(error)


def test_the_servers_own_words_are_in_the_error_without_our_key():
    body = json.dumps({"error": {"message": f"no model m for {KEY}"}})
    with RawServer(answer=respond(http("400 Bad Request", body))) as server:
        error = attempt(server.url)

    assert "'no model m for ***'" in str(error)


def test_a_long_answer_is_cut():
    with RawServer(answer=respond(http("500 Oops", "<html>" + "x" * 5000))) as server:
        assert len(str(attempt(server.url))) < 1000


def test_a_redirect_is_not_followed_with_the_key():
    with RawServer() as elsewhere:
        answer = respond(http("302 Found", Location=elsewhere.url))
        with RawServer(answer=answer) as server:
            error = attempt(server.url)

    assert (error.cause, error.status) == (StartCause.SERVER, 302)
    assert elsewhere.url in str(error)


def hang_up(sock: socket.socket) -> None:
    read_request(sock)


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        respond(b"HTTP/1.1 101 Switching"),
        respond(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        respond(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        respond(b"\xff\xfe\r\n\r\n"),
        respond(http("500 Oops", Content_Length="many")),
    ],
    ids=["hangs up", "half an answer", "no upgrade", "another protocol", "no text", "no number"],
)
def test_a_server_that_is_none_of_websocket_is_the_servers_fault(answer):
    with RawServer(answer=answer) as server:
        assert attempt(server.url).cause is StartCause.SERVER


def test_an_extension_that_nobody_asked_for_is_refused():
    def answer(sock: socket.socket) -> None:
        request = read_request(sock).decode()
        (key,) = (
            line.split(": ")[1]
            for line in request.split("\r\n")
            if line.lower().startswith("sec-websocket-key")
        )
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()
        sock.sendall(
            http(
                "101 Switching Protocols",
                Upgrade="websocket",
                Connection="Upgrade",
                Sec_WebSocket_Accept=accept,
                Sec_WebSocket_Extensions="permessage-deflate",
            )
        )

    with RawServer(answer=answer) as server:
        error = attempt(server.url)

    assert error.cause is StartCause.SERVER
    assert "extension" in str(error)


def be_silent(sock: socket.socket) -> None:
    read_request(sock)
    sock.recv(1)


def drip(sock: socket.socket) -> None:
    read_request(sock)
    for byte in b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 1000:
        sock.send(bytes([byte]))
        time.sleep(0.01)


@pytest.mark.parametrize("answer", [be_silent, drip])
def test_a_server_that_does_not_come_to_the_point_costs_no_more_than_the_timeout(answer):
    with RawServer(answer=answer) as server:
        started = time.monotonic()
        error = attempt(server.url, timeout=0.3)
        took = time.monotonic() - started

    assert error.cause is StartCause.TIMEOUT
    assert 0.3 <= took < PATIENCE
    assert detached_connects() == 0


def test_a_server_that_accepts_and_never_speaks_tls_costs_no_more_than_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = attempt(f"wss://localhost:{listener.getsockname()[1]}/", timeout=0.3)

    assert error.cause is StartCause.TIMEOUT


def test_a_look_up_that_hangs_is_left_behind_and_counted(monkeypatch):
    answer, look_up = threading.Event(), socket.getaddrinfo

    def hang(*args: object) -> object:
        answer.wait(PATIENCE)
        return look_up(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with RawServer() as server:
        error = attempt(server.url, timeout=0.1)
        assert error.cause is StartCause.TIMEOUT
        assert detached_connects() == 1

        # Even then it leaves nothing behind: neither the thread, nor what it connected.
        answer.set()
        peer = server.peer()
        assert peer.frame() is None
        deadline = time.monotonic() + PATIENCE
        while detached_connects() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert detached_connects() == 0


def test_tls_is_checked_against_the_given_ca(authority):
    with RawServer(tls=authority.server, greeting=text("hello")) as server:
        options = ConnectOptions(url=server.url, ca_bundle=authority.ca_bundle)
        with connected(options) as inbox:
            assert inbox.next() == Heard("hello")


def test_an_empty_directory_of_certificates_trusts_nobody(authority, tmp_path):
    with RawServer(tls=authority.server) as server:
        assert attempt(server.url, ca_bundle=str(tmp_path)).cause is StartCause.TLS


def test_a_certificate_of_an_unknown_authority_is_refused(authority, tmp_path):
    stranger = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    with RawServer(tls=authority.server) as server:
        for ca_bundle in (None, str(stranger)):
            error = attempt(server.url, ca_bundle=ca_bundle)
            assert error.cause is StartCause.TLS
            assert "ca_bundle" in str(error)


def test_a_certificate_of_another_host_is_refused(tmp_path):
    ca = trustme.CA()
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("elsewhere.example").configure_cert(context)
    with RawServer(tls=context) as server:
        error = attempt(server.url, ca_bundle=str(bundle))

    assert error.cause is StartCause.TLS
    assert "mismatch" in str(error)


def test_tls_with_a_server_that_speaks_none_says_so():
    with RawServer(answer=lambda sock: sock.sendall(http("400 Bad Request"))) as server:
        error = attempt(server.url.replace("ws://", "wss://"))

    assert error.cause is StartCause.TLS


def test_no_tls_with_a_server_that_wants_it_says_so(authority):
    with RawServer(tls=authority.server) as server:
        error = attempt(server.url.replace("wss://", "ws://"))

    assert error.cause is StartCause.SERVER


@pytest.mark.parametrize("where", ["file", "directory"])
def test_certificates_that_change_on_the_disk_are_read_again(tmp_path, where: str):
    old, new = trustme.CA(), trustme.CA()

    def server_of(ca: trustme.CA) -> RawServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(context)
        return RawServer(tls=context, greeting=text("hello"))

    def trust(ca: trustme.CA) -> None:
        # A directory of certificates names each by a hash of its subject.
        path = tmp_path / ("bundle.pem" if where == "file" else "placeholder")
        if where == "file":
            ca.cert_pem.write_to_path(str(path))
            return
        for each in tmp_path.iterdir():
            each.unlink()
        ca.cert_pem.write_to_path(str(path))
        subject = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", str(path)],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        path.rename(tmp_path / f"{subject}.0")

    bundle = str(tmp_path / "bundle.pem") if where == "file" else str(tmp_path)
    if where == "directory" and shutil.which("openssl") is None:
        pytest.skip("openssl, which names the files of such a directory, is not installed")

    with server_of(old) as before, server_of(new) as after:
        trust(old)
        with connected(ConnectOptions(url=before.url, ca_bundle=bundle)) as inbox:
            assert inbox.next() == Heard("hello")
        trust(new)
        with connected(ConnectOptions(url=after.url, ca_bundle=bundle)) as inbox:
            assert inbox.next() == Heard("hello")
        assert attempt(before.url, ca_bundle=bundle).cause is StartCause.TLS


def test_a_context_is_made_once_as_long_as_the_certificates_stay(authority):
    assert ssl_context(authority.ca_bundle) is ssl_context(authority.ca_bundle)
    assert ssl_context(None) is ssl_context(None)


def test_a_user_in_the_url_is_refused_without_its_password():
    error = attempt("wss://user:secret@localhost:1/")

    assert error.cause is StartCause.CONFIG
    assert "Authorization" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_bundle_that_is_none_is_named(tmp_path, content):
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)

    error = attempt("wss://localhost:1/", ca_bundle=str(bundle))

    assert error.cause is StartCause.CONFIG
    assert str(bundle) in str(error)


def test_a_connection_that_the_server_closes_at_once_was_one():
    with (
        RawServer(greeting=b"\x88\x02\x0f\xa0") as server,
        connected(ConnectOptions(url=server.url)) as inbox,
    ):
        (disconnected,) = inbox.until_disconnected()

    assert isinstance(disconnected, Disconnected)
    assert disconnected.code == 4000
