"""Clients that mean no good, or have gone: what they cost, while a good one goes on talking."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from realtime_actors.errors import ConfigError
from realtime_actors.server import RealtimeServer, ServerLimits
from realtime_actors.server.server_limits import Pace

PATIENCE = 20.0


def next_of(websocket: Connection, kind: str) -> dict[str, Any]:
    """The next event of a type."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        event: dict[str, Any] = json.loads(websocket.recv(timeout=PATIENCE))
        if event["type"] == kind:
            return event
    raise AssertionError(f"no {kind}")


def say(websocket: Connection, text: str) -> dict[str, Any]:
    """Have a turn with the server. Gives the response."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    websocket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    websocket.send(json.dumps({"type": "response.create"}))
    response: dict[str, Any] = next_of(websocket, "response.done")["response"]
    return response


def raw(server: RealtimeServer, *, receive_bytes: int | None = None) -> socket.socket:
    """A client's bare socket."""
    sock = socket.socket()
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", server.port))
    return sock


def upgrade(server: RealtimeServer, *lines: str) -> bytes:
    head = (
        "GET /v1/realtime HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *lines,
    )
    return "\r\n".join([*head, "", ""]).encode()


def all_of(sock: socket.socket) -> bytes:
    """What the server says until it hangs up."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            said += piece
    return said


def say_nothing(server: RealtimeServer) -> socket.socket:
    return raw(server)


def say_half(server: RealtimeServer) -> socket.socket:
    sock = raw(server)
    sock.sendall(upgrade(server)[:-2])
    return sock


def say_half_a_post(server: RealtimeServer) -> socket.socket:
    sock = raw(server)
    sock.sendall(b"POST /v1/realtime/client_secrets HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    return sock


def say_rubbish(server: RealtimeServer) -> socket.socket:
    sock = raw(server)
    sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20)
    return sock


def go_without_a_word(server: RealtimeServer) -> socket.socket:
    """As when the network has gone: nothing is answered any more, pings neither."""
    sock = raw(server)
    sock.sendall(upgrade(server))
    sock.recv(1)
    return sock


def read_nothing(server: RealtimeServer) -> socket.socket:
    """Ask for answers, and leave all of them unread."""
    sock = raw(server, receive_bytes=4096)
    sock.sendall(upgrade(server))
    update = {"type": "session.update", "session": {"type": "realtime", "instructions": "x" * 9000}}
    payload = json.dumps(update).encode()
    frame = b"\x81\xfe" + struct.pack("!H", len(payload)) + bytes(4) + payload
    with contextlib.suppress(OSError):
        sock.settimeout(0.3)  # until the server does not read any more either
        for _ in range(3000):
            sock.sendall(frame)
    sock.settimeout(PATIENCE)
    return sock


LIMITS = ServerLimits(open_timeout=0.5, ping_interval=0.2, ping_timeout=0.3, write_timeout=0.5)


@pytest.mark.parametrize(
    "misbehave",
    [say_nothing, say_half, say_half_a_post, say_rubbish, go_without_a_word, read_nothing],
)
def test_a_client_that_does_nothing_more_is_hung_up_on_while_others_talk(
    misbehave: Callable[[RealtimeServer], socket.socket],
) -> None:
    with (
        RealtimeServer.scripted(limits=LIMITS) as server,
        connect(server.url, ping_interval=None) as good,
        contextlib.closing(misbehave(server)) as bad,
    ):
        assert say(good, "one")["status"] == "completed"
        all_of(bad)  # comes to an end
        assert say(good, "two")["status"] == "completed"


def test_more_clients_than_there_is_room_for_are_told_so_and_make_room_when_they_leave() -> None:
    limits = ServerLimits(connections=2)
    with RealtimeServer.scripted(limits=limits) as server, connect(server.url) as good:
        with connect(server.url):
            assert status_of(server) == 503
        assert say(good, "one")["status"] == "completed"

        deadline = time.monotonic() + PATIENCE
        while (status := status_of(server)) == 503 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert status == 101


def test_a_message_over_the_limit_ends_its_connection_only() -> None:
    limits = ServerLimits(message_bytes=10_000)
    with (
        RealtimeServer.scripted(limits=limits) as server,
        connect(server.url) as good,
        connect(server.url) as bad,
    ):
        next_of(bad, "session.created")
        bad.send("x" * 10_001)
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert say(good, "one")["status"] == "completed"


def test_a_client_that_sends_without_end_is_read_no_faster_than_it_may() -> None:
    now = [0.0]
    pace = Pace(100, clock=lambda: now[0])

    delays = [pace.delay() for _ in range(100)]
    assert delays == pytest.approx([0.0] * 100)  # a second's events at once
    assert pace.delay() == pytest.approx(0.01)
    assert pace.delay() == pytest.approx(0.02)
    now[0] = 10.0
    assert pace.delay() == 0.0


def test_an_endless_text_is_answered_within_the_models_limit() -> None:
    with RealtimeServer.scripted(character_ms=1) as server, connect(server.url) as websocket:
        response = say(websocket, "word " * 200_000)

    assert response["status"] == "incomplete"
    assert response["status_details"]["reason"] == "max_output_tokens"
    assert response["usage"]["output_tokens"] < 5_000


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"connections": 0}, "connections"),
        ({"events_per_second": True}, "events_per_second"),
        ({"message_bytes": 1.5}, "message_bytes"),
        ({"write_timeout": 0}, "write_timeout"),
        ({"ping_interval": -1}, "ping_interval"),
    ],
)
def test_a_limit_that_is_none_is_refused_by_name(limits: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=rf"ServerLimits\.{name}"):
        ServerLimits(**limits)


# --- who may come in -------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_a_server_that_others_reach_wants_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match="api_key"):
        RealtimeServer.scripted(host=host)

    RealtimeServer.scripted(host=host, api_key="secret")


def status_of(server: RealtimeServer, **headers: str) -> int:
    """How an upgrade with these headers is answered."""
    lines = [f"{name.title()}: {value}" for name, value in headers.items()]
    request = upgrade(server, *lines)
    if "host" in headers:
        request = request.replace(f"Host: 127.0.0.1:{server.port}\r\n".encode(), b"", 1)
    with contextlib.closing(raw(server)) as sock:
        sock.sendall(request)
        return int(sock.recv(65536).split()[1])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"host": "localhost"}, 101),
        ({"host": "localhost:9999"}, 101),
        ({"host": "[::1]:80"}, 101),
        ({"host": "app.localhost"}, 101),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "192.168.0.7:8765"}, 403),
        ({"origin": "http://localhost:3000"}, 101),
        ({"origin": "http://127.0.0.1"}, 101),
        ({"origin": "https://app.example"}, 101),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "file://"}, 403),
    ],
)
def test_without_a_key_it_serves_this_machine_and_the_pages_it_was_told_of(
    headers: dict[str, str], status: int
) -> None:
    with RealtimeServer.scripted(origins=["https://app.example"]) as server:
        assert status_of(server, **headers) == status


def test_with_a_key_the_key_decides() -> None:
    with RealtimeServer.scripted(api_key="secret") as server:
        headers = {"host": "voice.example", "origin": "https://any.example"}
        assert status_of(server, **headers) == 401
        assert status_of(server, **headers, authorization="Bearer secret") == 101


# --- plain HTTP ------------------------------------------------------------------------------


def http(
    server: RealtimeServer, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{server.http_url}{path}", data=data, method=method, headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with RealtimeServer.scripted(models=["gpt-realtime-2.1", "other"]) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/models", None, 200),
        ("GET", "/realtime", None, 426),
        ("GET", "/nowhere", None, 404),
        ("POST", "/nowhere", {}, 404),
        ("PUT", "/realtime/client_secrets", {}, 404),
        ("DELETE", "/models", None, 404),
        ("POST", "/realtime/client_secrets", b"no JSON", 400),
        ("POST", "/realtime/client_secrets", [], 400),
        ("POST", "/realtime/client_secrets", {"session": 7}, 400),
        ("POST", "/realtime/client_secrets", {"expires_after": {"seconds": 9}}, 400),
        ("POST", "/realtime/client_secrets", {"expires_after": {"seconds": "60"}}, 400),
        ("POST", "/realtime/client_secrets", b"x" * (2**20 + 1), 413),
    ],
)
def test_http_is_answered_in_http(
    server: RealtimeServer, method: str, path: str, body: object, status: int
) -> None:
    found, answer = http(server, method, path, body)

    assert found == status
    assert ("error" in answer) is (status != 200)


def test_the_models_are_listed(server: RealtimeServer) -> None:
    _, answer = http(server, "GET", "/models")

    assert [each["id"] for each in answer["data"]] == ["gpt-realtime-2.1", "other"]


def test_http_wants_the_key_too() -> None:
    with RealtimeServer.scripted(api_key="secret") as server:
        path = "/realtime/client_secrets"
        assert http(server, "POST", path, {})[0] == 401
        status, answer = http(server, "POST", path, {}, Authorization="Bearer secret")
        assert status == 200
        # A secret opens a session, and no door to more secrets.
        headers = {"Authorization": f"Bearer {answer['value']}"}
        assert http(server, "POST", path, {}, **headers)[0] == 401
        with connect(server.url, additional_headers=headers) as websocket:
            next_of(websocket, "session.created")


def test_a_session_is_what_its_client_secret_says() -> None:
    client_secret = {
        "session": {"type": "realtime", "model": "other", "instructions": "Be brief."},
        "expires_after": {"anchor": "created_at", "seconds": 60},
    }
    with RealtimeServer.scripted(api_key="secret", models=["gpt-realtime-2.1", "other"]) as server:
        _, answer = http(
            server, "POST", "/realtime/client_secrets", client_secret, Authorization="Bearer secret"
        )
        headers = {"Authorization": f"Bearer {answer['value']}"}
        with connect(server.url, additional_headers=headers) as websocket:
            session = next_of(websocket, "session.created")["session"]

    assert (session["model"], session["instructions"]) == ("other", "Be brief.")
    assert 0 < answer["expires_at"] - time.time() <= 60


def test_openais_client_gets_a_secret_and_uses_it() -> None:
    with RealtimeServer.scripted(api_key="secret") as server:
        with openai.OpenAI(api_key="secret", base_url=server.http_url) as client:
            made = client.realtime.client_secrets.create(
                session={"type": "realtime", "model": "gpt-realtime-2.1"}
            )
        with (
            openai.OpenAI(api_key=made.value, websocket_base_url=server.base_url) as client,
            client.realtime.connect(model="gpt-realtime-2.1") as connection,
        ):
            assert connection.recv().type == "session.created"


# --- the model that nobody has named ---------------------------------------------------------


def update(websocket: Connection, **session: object) -> dict[str, Any]:
    event = {"type": "session.update", "session": {"type": "realtime", **session}}
    websocket.send(json.dumps(event))
    while (answer := json.loads(websocket.recv(timeout=PATIENCE)))["type"] == "session.created":
        pass
    found: dict[str, Any] = answer
    return found


def test_the_first_update_names_the_model_when_the_url_does_not(server: RealtimeServer) -> None:
    with connect(server.url) as websocket:
        assert update(websocket, model="other")["session"]["model"] == "other"
        assert update(websocket, model="gpt-realtime-2.1")["error"]["param"] == "session.model"


def test_the_first_update_names_a_model_that_there_is(server: RealtimeServer) -> None:
    with connect(server.url) as websocket:
        assert update(websocket, model="none")["error"]["code"] == "model_not_found"
        assert update(websocket, model="other")["session"]["model"] == "other"


@pytest.mark.parametrize("first", [{"instructions": "Be brief."}, {"model": "gpt-realtime-2.1"}])
def test_later_updates_do_not_name_another_model(
    server: RealtimeServer, first: dict[str, Any]
) -> None:
    with connect(server.url) as websocket:
        assert update(websocket, **first)["type"] == "session.updated"
        assert update(websocket, model="other")["error"]["param"] == "session.model"


def test_a_model_in_the_url_stays_as_it_is(server: RealtimeServer) -> None:
    with connect(f"{server.url}?model=other") as websocket:
        assert update(websocket, model="gpt-realtime-2.1")["error"]["param"] == "session.model"


def test_the_first_item_follows_none_in_so_many_words() -> None:
    with RealtimeServer.scripted() as server, connect(server.url) as websocket:
        content = [{"type": "input_text", "text": "Hi."}]
        item = {"type": "message", "role": "user", "content": content}
        websocket.send(json.dumps({"type": "conversation.item.create", "item": item}))

        assert next_of(websocket, "conversation.item.added")["previous_item_id"] is None
