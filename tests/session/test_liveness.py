"""A session whose server has died without a word hears of it."""

from __future__ import annotations

import pytest

from realtime_actors.events import ConnectionEvent
from realtime_actors.testing import Probe
from tests.session.raw_server import session_and_peer
from tests.transport.wire import RawServer


@pytest.mark.parametrize("transport", ["fast", "plain"])
def test_a_session_is_told_that_its_server_shows_no_sign_of_life(transport: str) -> None:
    where = {"transport": transport, "ping_interval": 0.5, "ping_timeout": 0.1}
    with RawServer() as server, session_and_peer(server, **where) as (session, _):
        probe = Probe(session)

        lost = probe.wait_for(ConnectionEvent, lambda event: event.code is not None)

        assert (lost.code, lost.reason[:21]) == (1006, "no sign of life for 0")
