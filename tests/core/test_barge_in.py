"""Who may be heard while the model speaks: `BargeIn`, and speech that is not interrupted."""

from __future__ import annotations

import array
import math
import random
from collections import deque
from functools import cache

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.audio import encode_audio, level_db
from realtime_actors.config import OFF, BargeIn, TurnDetectionConfig, default_session_settings
from realtime_actors.core.effects import Echo, Effects, Gate, SetGate
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import AgentResolved, Connected, Started
from realtime_actors.core.speech.microphone import MicrophoneFilter
from realtime_actors.core.speech.playback import LATE
from realtime_actors.errors import ConfigError
from realtime_actors.events import AudioInterruptedEvent
from tests.core.machine import (
    AGENT,
    after,
    already_active,
    ask,
    committed,
    created,
    creates,
    done,
    interrupt,
    live,
    new,
    only,
    play,
    refused,
    resolve,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    updated,
    user_speaks,
    user_stops,
)

HALF_DUPLEX = BargeIn(mode="half_duplex", tail_ms=300)
GATED = BargeIn(mode="gated", echo_loss_db=15, tail_ms=300, hold_ms=400, pre_roll_ms=100)
OFF_MODE = BargeIn(mode="off")


def announce(caller: object = "caller"):
    """Ask for speech that is not to be interrupted."""
    return ask(messages.CreateResponse(interruptible=False), caller)


def echoes(effects: Effects) -> list[Echo | None]:
    return [each.gate.echo for each in only(SetGate, effects)]


def loud(ms: int, amplitude: int, item_id: str = "i1", response_id: str = "r1"):
    """Speech of the model, as a square wave."""
    high = amplitude.to_bytes(2, "little", signed=True)
    low = (-amplitude).to_bytes(2, "little", signed=True)
    return wire.ResponseOutputAudioDelta(
        response_id=response_id, item_id=item_id, delta=(high * 8 + low * 8) * (ms * 24 // 16)
    )


class TestHalfDuplex:
    def test_nobody_is_heard_until_the_models_speech_has_died_away(self) -> None:
        machine = after(live(barge_in=HALF_DUPLEX), created("r1"))

        effects = machine.handle(speech("i1", 1000), now=5.0)

        # First, so that the microphone knows before the loudspeaker.
        assert effects[0] == SetGate(Gate(True, echo=Echo(muted_until=6.3)))

    def test_an_interruption_by_the_program_opens_the_microphone_after_the_tail(self) -> None:
        machine = after(live(barge_in=HALF_DUPLEX), created("r1"))
        after(machine, speech("i1", 1000), at=5.0)

        assert echoes(machine.handle(interrupt(), now=5.4)) == [Echo(muted_until=5.7)]

    def test_a_player_that_reports_is_believed(self) -> None:
        machine = after(live(barge_in=HALF_DUPLEX, playback_reported=True), created("r1"))
        after(machine, speech("i1", 1000), at=5.0)

        half = ask(messages.PlaybackPosition("i1", 0, 500, absolute=True))

        assert echoes(machine.handle(half, now=7.0)) == [Echo(muted_until=7.8)]

    @pytest.mark.parametrize("asked", [(), (announce(),)], ids=["any speech", "protected speech"])
    def test_a_player_that_died_mutes_nobody_for_ever(self, asked) -> None:
        machine = live(barge_in=HALF_DUPLEX, playback_reported=True)
        after(machine, *asked, created("r1"), at=5.0)
        after(machine, speech("i1", 1000), speech_done("i1"), done("r1"), at=5.0)

        # What is asked of the core meanwhile only makes it look again.
        (echo,) = echoes(machine.handle(ask(messages.ClearAudio()), now=60.0))

        assert echo == Echo(muted_until=6.0 + LATE + 0.3)


class TestGated:
    def test_the_louder_the_model_the_louder_must_the_user_be(self) -> None:
        machine = after(live(barge_in=GATED), created("r1"))

        (soft,) = echoes(machine.handle(loud(100, 1000), now=5.0))
        (louder,) = echoes(machine.handle(loud(100, 10_000), now=5.0))
        (still,) = echoes(machine.handle(loud(100, 1000), now=5.0))

        assert soft is not None
        assert soft.audible_until == pytest.approx(5.4)
        assert (soft.hold_ms, soft.pre_roll_ms) == (400, 100)
        assert soft.threshold_db == pytest.approx(20 * math.log10(1000 / 32768) - 15)
        assert louder is not None
        assert louder.threshold_db == pytest.approx(soft.threshold_db + 20)
        assert still is not None
        assert still.threshold_db == louder.threshold_db

    def test_what_was_loud_before_is_forgotten_when_it_has_died_away(self) -> None:
        machine = after(live(barge_in=GATED), created("r1"))
        after(machine, loud(100, 10_000), at=5.0)

        (soft,) = echoes(machine.handle(loud(100, 1000), now=5.5))

        assert soft is not None
        assert soft.threshold_db == pytest.approx(20 * math.log10(1000 / 32768) - 15)

    @pytest.mark.parametrize("audio_format", ["g711_ulaw", "g711_alaw"])
    def test_telephone_audio_is_measured_as_it_sounds(self, audio_format) -> None:
        machine = after(live(barge_in=GATED), updated(output_audio_format=audio_format))
        audio = encode_audio(loud(100, 8000).delta, audio_format)

        (echo,) = echoes(
            machine.handle(
                wire.ResponseOutputAudioDelta(response_id="r1", item_id="i1", delta=audio), now=5.0
            )
        )

        assert echo is not None
        assert echo.threshold_db == pytest.approx(20 * math.log10(8000 / 32768) - 15, abs=0.5)

    def test_half_a_sample_does_no_harm(self) -> None:
        machine = after(live(barge_in=GATED), created("r1"))
        odd = wire.ResponseOutputAudioDelta(response_id="r1", item_id="i1", delta=b"\1\2\3")

        assert len(echoes(machine.handle(odd, now=5.0))) == 1


@pytest.mark.parametrize("mode", ["full", "off"])
def test_the_other_modes_cost_the_audio_nothing(mode) -> None:
    machine = after(live(barge_in=BargeIn(mode=mode)), created("r1"))

    assert echoes(machine.handle(speech("i1", 1000), now=5.0)) == []


class TestOff:
    def test_the_server_is_told_to_let_the_model_finish(self) -> None:
        machine = live(barge_in=OFF_MODE)
        update = machine.handle(
            ask(messages.UpdateSession({"turn_detection": {"type": "semantic_vad"}})), now=0.0
        )

        (sent_update,) = only(wire.SessionUpdate, update)
        assert sent_update.session.turn_detection == TurnDetectionConfig(
            type="semantic_vad", create_response=False, interrupt_response=False
        )

    def test_from_the_start_and_when_nothing_was_said_about_it(self) -> None:
        (update,) = only(wire.SessionUpdate, self.started())

        assert update.session.turn_detection == TurnDetectionConfig(
            create_response=False, interrupt_response=False
        )

    def test_who_detects_turns_by_hand_goes_on_doing_so(self) -> None:
        (update,) = only(wire.SessionUpdate, self.started(turn_detection=OFF))

        assert update.session.turn_detection is OFF

    def test_the_user_is_answered_when_the_model_has_finished(self) -> None:
        machine = after(live(barge_in=OFF_MODE), created("r1"), speech("i1", 1000))

        turn = play(machine, user_speaks(), user_stops(), committed(), at=0.4)

        assert only(AudioInterruptedEvent, turn) == []
        assert sent(turn) == []
        assert creates(machine.handle(done("r1"), now=0.6)) == 1

    def test_at_once_when_it_is_silent(self) -> None:
        turn = play(live(barge_in=OFF_MODE), user_speaks(), user_stops(), committed())

        assert creates(turn) == 1

    def test_and_so_is_silence_that_the_server_finds_too_long(self) -> None:
        silence = wire.InputAudioBufferTimeoutTriggered(
            item_id="u1", audio_start_ms=0, audio_end_ms=5000
        )

        assert creates(play(live(barge_in=OFF_MODE), silence, committed("u1"))) == 1

    def test_not_when_the_program_answers_by_itself(self) -> None:
        quiet = TurnDetectionConfig(create_response=False)
        machine = live(barge_in=OFF_MODE)
        after(machine, ask(messages.UpdateSession({"turn_detection": quiet})), updated())

        assert creates(play(machine, user_speaks(), user_stops(), committed())) == 0

    def test_a_commit_by_hand_asks_for_nothing(self) -> None:
        assert creates(live(barge_in=OFF_MODE).handle(committed(), now=0.0)) == 0

    @staticmethod
    def started(**settings) -> Effects:
        machine = new(barge_in=OFF_MODE, settings=evolve(default_session_settings(), **settings))
        return play(machine, Started(), Connected(), AgentResolved(resolve(AGENT)))


class TestUninterruptible:
    """create_response(interruptible=False)"""

    def test_nobody_is_heard_from_the_wish_to_the_last_word(self) -> None:
        machine = live()

        asked = machine.handle(announce(), now=1.0)
        assert asked[0] == SetGate(Gate(True, echo=Echo(muted_until=math.inf)))
        assert sent_types(asked) == ["response.create"]

        after(machine, created("r1"), speech("i1", 1000), speech_done("i1"), at=1.2)
        assert echoes(machine.handle(done("r1"), now=1.3)) == [Echo(muted_until=2.2)]
        assert echoes(machine.handle(user_speaks(), now=2.5)) == [None]

    def test_speech_that_the_server_heard_all_the_same_stops_nothing_here(self) -> None:
        machine = after(live(), announce(), created("r1"), speech("i1", 1000))

        for now in (0.2, 0.4):
            effects = machine.handle(user_speaks(), now=now)
            assert (only(AudioInterruptedEvent, effects), sent(effects)) == ([], [])
            after(machine, speech_done("i1"), done("r1"), at=0.3)

        assert only(AudioInterruptedEvent, machine.handle(user_speaks(), now=1.5)) == []

    def test_if_the_server_stops_it_it_is_said_again(self) -> None:
        machine = after(live(), announce(), created("r1"))

        effects = machine.handle(done("r1", "cancelled", reason="turn_detected"), now=0.1)

        assert creates(effects) == 1
        assert after(machine, created("r2")).handle(user_speaks(), now=0.2)[1:] == []

    def test_the_program_may_stop_it(self) -> None:
        machine = after(live(), announce(), created("r1"), speech("i1", 1000))

        effects = machine.handle(interrupt(), now=0.4)
        assert [each.heard_ms for each in only(AudioInterruptedEvent, effects)] == [400]
        ended = machine.handle(done("r1", "cancelled", reason="client_cancelled"), now=0.5)
        assert (creates(ended), echoes(ended)) == (0, [None])

    def test_only_that_response_is(self) -> None:
        machine = after(live(), announce(), created("r1"), speech("i1", 200), done("r1"))
        after(machine, say(), created("r2"), speech("i2", 1000, response_id="r2"), at=0.1)

        assert only(AudioInterruptedEvent, machine.handle(user_speaks(), now=0.15)) == []
        (cut,) = only(AudioInterruptedEvent, machine.handle(user_speaks(), now=0.5))
        assert (cut.item_id, cut.heard_ms) == ("i2", 300)

    def test_a_player_that_reports_says_when_it_was_heard(self) -> None:
        machine = after(live(playback_reported=True), announce(), created("r1"))
        after(machine, speech("i1", 1000), done("r1"))
        half = ask(messages.PlaybackPosition("i1", 0, 500, absolute=True))
        whole = ask(messages.PlaybackPosition("i1", 0, 1000, absolute=True))

        assert echoes(machine.handle(half, now=3.0)) == [Echo(muted_until=3.5)]
        assert echoes(machine.handle(whole, now=4.0)) == [None]

    def test_a_response_that_the_server_made_instead_is_like_any_other(self) -> None:
        machine = after(live(), announce(), created("vad"), speech("i1", 1000, response_id="vad"))
        assert echoes(machine.handle(already_active("ra_2"), now=0.1)) == [None]

        (cut,) = only(AudioInterruptedEvent, machine.handle(user_speaks(), now=0.4))
        assert cut.response_id == "vad"
        ended = play(
            machine,
            done("vad", "cancelled", reason="turn_detected"),
            user_stops(),
            at=0.5,
        )
        assert (creates(ended), echoes(ended)) == (1, [Echo(muted_until=math.inf)])

    def test_one_that_is_refused_closes_nobodys_mouth(self) -> None:
        machine = after(live(), announce())

        assert echoes(machine.handle(refused(event_id="ra_2"), now=0.1)) == [None]

    def test_it_waits_its_turn_like_any_other(self) -> None:
        machine = after(live(), say(), created("r1"), announce(), say(caller="other"))

        first = machine.handle(done("r1"), now=0.5)
        after(machine, created("r2"))
        second = machine.handle(done("r2"), now=0.6)

        assert (creates(first), creates(second)) == (1, 1)


def test_a_wrong_mode_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'half_duplex'"):
        BargeIn.from_dict({"mode": "half-duplex"})


# --- a room: what is played comes back through the microphone ------------------------------

FRAME_MS = 20
ECHO_LOSS_DB = 20


@cache
def speech_like(seed: int) -> tuple[bytes, ...]:
    """A second of noise whose loudness goes up and down as that of speech does."""
    chance = random.Random(seed)
    swells = (0.15 + 0.85 * abs(math.sin(number * 0.35 + seed)) for number in range(50))
    return tuple(noise(chance, round(12_000 * swell)) for swell in swells)


def noise(chance: random.Random, peak: int) -> bytes:
    samples = (chance.randint(-peak, peak) for _ in range(FRAME_MS * 24))
    return array.array("h", samples).tobytes()


VOICE = noise(random.Random(0), 12_000)
"""Somebody in the room, as loud as the model."""


def quieter(frame: bytes, db: float) -> bytes:
    factor = 10 ** (-db / 20)
    return array.array("h", (round(each * factor) for each in array.array("h", frame))).tobytes()


def loudest_sent_db(barge_in: BargeIn, delay_ms: int, seed: int, user: bytes | None) -> float:
    """Let the model speak for a second into a room, and give the loudest that the server hears.

    `user`: a frame that somebody in the room says over and over, from the middle on.
    """
    machine: SessionMachine = after(live(barge_in=barge_in), created("r1"))
    microphone, echo = MicrophoneFilter(), None
    said = speech_like(seed)
    line = deque([bytes(FRAME_MS * 48)] * (delay_ms // FRAME_MS))
    heard_db, now = -math.inf, 5.0
    for number in range(75):
        if number % 5 == 0 and number < 50:  # faster than it is played
            delta = b"".join(said[number : number + 5])
            for effect in machine.handle(
                wire.ResponseOutputAudioDelta(response_id="r1", item_id="i1", delta=delta), now
            ):
                if isinstance(effect, SetGate):
                    echo = effect.gate.echo
        played = said[number] if number < 50 else bytes(FRAME_MS * 48)
        line.append(played)
        frame = quieter(line.popleft(), ECHO_LOSS_DB)
        if user is not None and 25 <= number < 40:
            frame = user
        now += FRAME_MS / 1000
        sent_frame = frame if echo is None else microphone.process(frame, "pcm16", echo, now)
        heard_db = max(heard_db, level_db(sent_frame))
    return heard_db


@pytest.mark.parametrize("mode", ["gated", "half_duplex"])
@given(delay_ms=st.integers(80, 250), seed=st.integers(0, 20))
def test_the_echo_of_the_model_never_reaches_the_server(mode, delay_ms, seed) -> None:
    assert loudest_sent_db(BargeIn(mode=mode), delay_ms, seed, None) == -math.inf


@given(delay_ms=st.integers(80, 250), seed=st.integers(0, 20))
def test_a_user_who_speaks_louder_than_it_does(delay_ms, seed) -> None:
    assert loudest_sent_db(BargeIn(mode="gated"), delay_ms, seed, VOICE) >= level_db(VOICE)


def test_without_a_policy_the_server_hears_the_model() -> None:
    assert loudest_sent_db(BargeIn(), 80, 0, None) > -48
