"""Every event that there is, read and written again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_actors import protocol
from realtime_actors.protocol import CLIENT_EVENTS, SERVER_EVENTS, Dialect, dialect
from tests.protocol.samples import (
    BETA,
    BETA_STANDARD,
    CLIENT_SAMPLES,
    GA,
    GA_STANDARD,
    PAIRS,
    SERVER_SAMPLES,
    text,
)


def kind(wire: object) -> str:
    """A name for a case."""
    if not isinstance(wire, dict):
        return ""
    return str(wire["type"] if "type" in wire else wire["beta"]["type"])


def test_the_table_has_every_event_of_the_ga_interface() -> None:
    assert (len(CLIENT_EVENTS), len(SERVER_EVENTS)) == (11, 46)


def test_there_is_a_sample_of_every_event() -> None:
    assert {sample["type"] for sample in SERVER_SAMPLES} == set(SERVER_EVENTS)
    assert {sample["type"] for sample in CLIENT_SAMPLES} == set(CLIENT_EVENTS)


@pytest.mark.parametrize("type_", [*CLIENT_EVENTS, *SERVER_EVENTS])
def test_a_class_has_the_name_of_its_type(type_: str) -> None:
    words = type_.replace(".", "_").split("_")
    name = "".join(word.capitalize() for word in words)
    cls = {**CLIENT_EVENTS, **SERVER_EVENTS}[type_]

    assert cls.__name__ == ("ServerError" if type_ == "error" else name)
    assert getattr(protocol, cls.__name__) is cls


@pytest.mark.parametrize("ga", [GA, GA_STANDARD], ids=["fastest", "standard"])
@pytest.mark.parametrize("sample", SERVER_SAMPLES, ids=kind)
def test_what_a_server_sends_survives(sample: dict[str, Any], ga: Dialect) -> None:
    event = ga.decode_server(text(sample))

    assert type(event) is SERVER_EVENTS[sample["type"]]
    assert event.raw == sample
    assert json.loads(ga.encode_server(event)) == sample


@pytest.mark.parametrize("ga", [GA, GA_STANDARD], ids=["fastest", "standard"])
@pytest.mark.parametrize("sample", CLIENT_SAMPLES, ids=kind)
def test_what_a_client_sends_survives(sample: dict[str, Any], ga: Dialect) -> None:
    event = ga.decode_client(text(sample))

    assert type(event) is CLIENT_EVENTS[sample["type"]]
    assert event.raw == sample
    assert json.loads(ga.encode_client(event)) == sample


@pytest.mark.parametrize("sample", SERVER_SAMPLES, ids=kind)
def test_both_backends_read_the_same(sample: dict[str, Any]) -> None:
    assert GA.decode_server(text(sample)) == GA_STANDARD.decode_server(text(sample))


@pytest.mark.parametrize("pair", PAIRS, ids=kind)
def test_both_dialects_say_the_same_event(pair: dict[str, Any]) -> None:
    if pair["from"] == "server":
        events: list[Any] = [
            GA.decode_server(text(pair["ga"])),
            BETA.decode_server(text(pair["beta"])),
        ]
        written = [GA.encode_server(events[0]), BETA.encode_server(events[0])]
    else:
        calls = [GA.decode_client(text(pair["ga"])), BETA.decode_client(text(pair["beta"]))]
        written = [GA.encode_client(calls[0]), BETA.encode_client(calls[0])]
        events = [*calls]

    assert events[0] == events[1]
    assert [json.loads(each) for each in written] == [pair["ga"], pair["beta"]]


@pytest.mark.parametrize("pair", PAIRS, ids=kind)
def test_each_dialect_reads_the_other(pair: dict[str, Any]) -> None:
    decode, decode_other = (
        (GA.decode_server, BETA_STANDARD.decode_server)
        if pair["from"] == "server"
        else (GA.decode_client, BETA_STANDARD.decode_client)
    )

    assert decode(text(pair["beta"])) == decode_other(text(pair["ga"]))


@pytest.mark.parametrize("sample", SERVER_SAMPLES, ids=kind)
def test_a_beta_server_can_send_every_event(sample: dict[str, Any]) -> None:
    event = GA.decode_server(text(sample))

    assert type(BETA.decode_server(BETA.encode_server(event))) is type(event)


def test_a_dialect_is_made_once() -> None:
    assert dialect("ga") is dialect("ga")
    assert [dialect(name).name for name in ("ga", "beta")] == ["ga", "beta"]


def test_dialects_know_their_model_and_headers() -> None:
    ga, beta = dialect("ga"), dialect("beta")

    assert (ga.default_model, dict(ga.connect_headers)) == ("gpt-realtime-2.1", {})
    assert (beta.default_model, dict(beta.connect_headers)) == (
        "gpt-4o-realtime-preview",
        {"OpenAI-Beta": "realtime=v1"},
    )
