"""Speech comes in whole samples, wherever the server cuts it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import protocol as wire
from realtime_actors.config import BargeIn, GuardrailsSettings
from realtime_actors.core.effects import Effects
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import GuardrailsFinished
from realtime_actors.events import AudioEvent, AudioInterruptedEvent
from realtime_actors.guardrails import OutputGuardrail
from tests.core.machine import (
    BYTES_PER_MS,
    after,
    agent_with,
    created,
    done,
    interrupt,
    live,
    only,
    play,
    speech_done,
    transcript_done,
    updated,
)

AUDIO = bytes(range(256)) * 4


def piece(audio: bytes, item_id: str = "i1", response_id: str = "r1") -> wire.ServerEvent:
    return wire.ResponseOutputAudioDelta(response_id=response_id, item_id=item_id, delta=audio)


def heard(effects: Effects, item_id: str = "i1") -> list[bytes]:
    return [each.audio.data for each in only(AudioEvent, effects) if each.item_id == item_id]


def talking(**options: Any) -> SessionMachine:
    return after(live(**options), created("r1"))


cuts = st.lists(st.integers(0, len(AUDIO)), max_size=10).map(
    lambda places: list(pairwise([0, *sorted(places), len(AUDIO)]))
)


@given(cuts)
def test_a_sample_that_was_cut_in_two_is_put_together(cuts: list[tuple[int, int]]) -> None:
    pieces = heard(play(talking(), *[piece(AUDIO[start:end]) for start, end in cuts]))

    assert all(len(each) % 2 == 0 for each in pieces)
    assert b"".join(pieces) == AUDIO


def test_each_part_has_halves_of_its_own() -> None:
    effects = play(
        talking(), piece(b"abc"), piece(b"123", "i2"), piece(b"d"), piece(b"45", "i2"), piece(b"ef")
    )

    assert (heard(effects), heard(effects, "i2")) == ([b"ab", b"cd", b"ef"], [b"12", b"34"])


def test_half_a_sample_alone_is_nothing_to_be_heard() -> None:
    assert play(talking(), piece(b"a")) == []


def test_nor_is_it_when_the_event_says_something_else_that_is_ignored() -> None:
    half = evolve(piece(b"a"), ignored=("content_index",))

    assert only(AudioEvent, play(talking(), half)) == []


def test_what_is_left_at_the_end_is_no_sample() -> None:
    machine = after(talking(), piece(b"abc"), speech_done(), done("r1"), created("r2"))

    assert heard(play(machine, piece(b"de", response_id="r2"))) == [b"de"]


def test_what_was_heard_is_counted_in_whole_samples() -> None:
    ms = 100 * BYTES_PER_MS
    machine = after(talking(), piece(AUDIO * 20), piece(bytes(ms + 1)), piece(bytes(ms - 1)))
    received_ms = (len(AUDIO) * 20 + 2 * ms) // BYTES_PER_MS

    (interrupted,) = only(AudioInterruptedEvent, machine.handle(interrupt(), now=100.0))

    assert interrupted.heard_ms == received_ms


def test_a_sample_of_g711_is_a_byte() -> None:
    machine = after(live(), updated(output_audio_format="g711_ulaw"), created("r1"))

    assert heard(play(machine, piece(b"abc"), piece(b"d"))) == [b"abc", b"d"]


@pytest.mark.parametrize("mode", ["gated", "half_duplex"])
def test_the_echo_is_known_in_whole_samples_too(mode: Any) -> None:
    machine = talking(barge_in=BargeIn(mode=mode))

    assert heard(play(machine, piece(AUDIO[:3]), piece(AUDIO[3:]))) == [AUDIO[:2], AUDIO[2:]]


def test_speech_that_is_held_back_is_released_in_whole_samples() -> None:
    guardrail = OutputGuardrail(name="none", check=lambda text: False)
    agent = agent_with(output_guardrails=[guardrail])
    machine = after(
        live(agent, guardrails_settings=GuardrailsSettings(mode="hold")),
        created("r1"),
        *[piece(AUDIO[:3]), piece(AUDIO[3:8]), piece(AUDIO[8:])],
    )
    judged = after(machine, transcript_done("Hello."), speech_done())

    passed = GuardrailsFinished(response_id="r1", item_id="i1", text="Hello.")
    effects = judged.handle(passed, now=0.0)

    assert heard(effects) == [AUDIO[:2], AUDIO[2:8], AUDIO[8:]]
