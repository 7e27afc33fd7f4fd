"""What we write is what the specification says, down to the names of members."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.config import SessionModelSettings
from realtime_actors.protocol import ClientEvent, ResponseCreate, SessionUpdate, dialect
from tests.conformance.specification import Specification
from tests.conformance.strategies import client_events
from tests.protocol.samples import CLIENT_SAMPLES, PAIRS, SERVER_SAMPLES

SPECIFICATION = Specification()


def kind(wire: Any) -> str:
    return str(wire["type"] if "type" in wire else wire["beta"]["type"])


@given(client_events("ga"))
@settings(max_examples=400)
def test_whatever_a_client_sends_is_in_the_specification(event: ClientEvent) -> None:
    wire = json.loads(dialect("ga").encode_client(event))

    assert SPECIFICATION.errors(wire, "RealtimeClientEvent") == []


@given(client_events("beta"))
@settings(max_examples=400)
def test_whatever_a_beta_client_sends_is_in_the_specification(event: ClientEvent) -> None:
    wire = json.loads(dialect("beta").encode_client(event))

    assert SPECIFICATION.errors(wire, "BetaWireClientEvent") == []


@given(client_events("ga"), st.sampled_from(["ga", "beta"]))
@settings(max_examples=300)
def test_whatever_a_client_sends_is_understood_as_it_was_meant(
    event: ClientEvent, name: str
) -> None:
    speech = dialect(name)
    data = speech.encode_client(event)

    understood = speech.decode_client(data)

    assert type(understood) is type(event)
    assert json.loads(speech.encode_client(understood)) == json.loads(data)
    if not isinstance(event, SessionUpdate | ResponseCreate):
        assert understood == event  # of settings, a dialect keeps those that it has


@pytest.mark.parametrize("sample", CLIENT_SAMPLES, ids=kind)
def test_our_samples_of_a_client_are_in_the_specification(sample: dict[str, Any]) -> None:
    assert SPECIFICATION.errors(sample, "RealtimeClientEvent") == []


@pytest.mark.parametrize("sample", SERVER_SAMPLES, ids=kind)
def test_our_samples_of_a_server_are_in_the_specification(sample: dict[str, Any]) -> None:
    assert SPECIFICATION.errors(sample, "RealtimeServerEvent") == []


# Of these, the specification describes the answer of a REST call: it calls for a client secret.
DESCRIBED_AS_SOMETHING_ELSE = {"transcription_session.created", "transcription_session.updated"}


@pytest.mark.parametrize(
    "pair",
    [pair for pair in PAIRS if pair["beta"]["type"] not in DESCRIBED_AS_SOMETHING_ELSE],
    ids=kind,
)
def test_our_samples_of_beta_are_in_the_specification(pair: dict[str, Any]) -> None:
    who = pair["from"].capitalize()

    assert SPECIFICATION.errors(pair["beta"], f"BetaWire{who}Event") == []


def test_a_wrong_name_would_be_noticed() -> None:
    update = SessionUpdate(session=SessionModelSettings(extra={"vioce": "ash"}))
    wire = json.loads(dialect("ga").encode_client(update))

    assert SPECIFICATION.errors(wire, "RealtimeClientEvent") != []
