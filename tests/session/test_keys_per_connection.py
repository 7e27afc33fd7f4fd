"""A function for the key is asked for each connection, in the task that connects."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.errors import StartCause
from realtime_actors.events import ConnectionEvent, HandoffEvent, ToolEndEvent
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import (
    audio_delta,
    call_done,
    call_item,
    response_created,
    response_done,
)

HERE = {"url": "ws://127.0.0.1:1/v1/realtime"}
CEDAR = ra.agent(name="Cedar", voice="cedar")
MARIN = ra.agent(name="Marin", voice="marin", handoffs=[ra.Handoff(CEDAR, voice="reconnect")])


class Keys:
    """Keys that are good for one connection each."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.sent: list[str | None] = []
        self.connections: list[ScriptedTransport] = []

    def key(self) -> str:
        self.threads.append(threading.get_ident())
        return f"key-{len(self.threads)}"

    def transport(self, options: Any, dialect: Any) -> Any:
        self.sent.append(options.headers.get("Authorization"))
        self.connections.append(ScriptedTransport(strict=False))
        return self.connections[-1](options, dialect)


def hand_over(script: ScriptedTransport) -> None:
    """The model has spoken, and passes the conversation to an agent with another voice."""
    call = call_item("transfer_to_cedar")
    script.emit(response_created("r0"), audio_delta(ms=20, response_id="r0"), response_done("r0"))
    script.emit(
        response_created(), call_done("transfer_to_cedar"), response_done("r1", "completed", call)
    )


def test_each_connection_of_a_session_gets_a_key_of_its_own() -> None:
    keys = Keys()
    where = {**HERE, "api_key": keys.key}
    with ra.run(MARIN, transport=keys.transport, model_config=where) as session:
        probe = Probe(session)
        hand_over(keys.connections[0])
        probe.wait_for(HandoffEvent)

    assert keys.sent == ["Bearer key-1", "Bearer key-2"]
    assert threading.get_ident() not in keys.threads


def test_a_session_that_is_started_again_gets_a_key_of_its_own() -> None:
    keys = Keys()
    calls = otp.start(otp.DynamicSupervisor)
    try:
        where = {**HERE, "api_key": keys.key}
        session = ra.run(MARIN, transport=keys.transport, model_config=where, supervisor=calls)
        probe = Probe(session)
        otp.exit_signal(session, otp.KILL)
        while probe.wait_for(ConnectionEvent).state != "connected":
            pass
    finally:
        calls.stop()

    assert keys.sent == ["Bearer key-1", "Bearer key-2"]


def test_a_key_that_cannot_be_had_fails_the_start_and_quotes_nothing() -> None:
    def vault() -> str:
        raise LookupError("sk-secret is locked")

    with pytest.raises(ra.StartError, match=r"no API key.*LookupError") as refused:
        ra.run(
            MARIN,
            transport=ScriptedTransport(strict=False),
            model_config={**HERE, "api_key": vault},
        )

    assert refused.value.cause is StartCause.AUTHENTICATION
    assert "sk-secret" not in str(refused.value)


def test_a_key_that_cannot_be_had_later_fails_that_connection_only() -> None:
    keys = Keys()

    def vault() -> str:
        if keys.threads:
            raise LookupError("locked")
        return keys.key()

    where = {**HERE, "api_key": vault}
    with ra.run(MARIN, transport=keys.transport, model_config=where) as session:
        probe = Probe(session)
        hand_over(keys.connections[0])

        assert "no API key" in (probe.wait_for(ToolEndEvent).error or "")
        assert session.connected
        assert session.current_agent() == MARIN
