"""Connections for the tests: over TCP and TLS, by each of the two transports."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme
from attrs import frozen

from realtime_actors.transport import ConnectOptions, Transport, transport_named
from tests.transport.wire import PATIENCE, Inbox, Peer, RawServer, TextDialect


@frozen
class Authority:
    """A certificate authority of the test's own: for servers, and as a file for clients."""

    server: ssl.SSLContext
    ca_bundle: str


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    return Authority(server, str(bundle))


@frozen
class Connection:
    transport: Transport
    peer: Peer
    inbox: Inbox


@pytest.fixture(params=["fast", "plain", "fast over TLS", "plain over TLS"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test that asks for a connection holds for each of these."""
    return str(request.param)


@pytest.fixture
def connect(kind: str, authority: Authority) -> Iterator[Callable[..., Connection]]:
    """Connect to a server of the test's own; options as those of ConnectOptions."""
    name, _, tls = kind.partition(" over ")
    with ExitStack() as stack:
        servers: dict[bytes, RawServer] = {}

        def connect(
            inbox: Inbox | None = None,
            *,
            greeting: bytes = b"",
            dialect: Any = None,
            **options: Any,
        ) -> Connection:
            if greeting not in servers:
                servers[greeting] = stack.enter_context(
                    RawServer(tls=authority.server if tls else None, greeting=greeting)
                )
            server = servers[greeting]
            inbox = inbox or Inbox()
            settings = ConnectOptions(
                url=server.url, ca_bundle=authority.ca_bundle, timeout=PATIENCE, **options
            )
            transport = transport_named(name)(settings, dialect or TextDialect())
            stack.callback(transport.close, timeout=0)
            transport.connect(inbox)
            return Connection(transport, server.peer(), inbox)

        yield connect
