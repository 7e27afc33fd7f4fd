"""Sounds to try the engines with: speech from wheels and packages, and what isn't speech.

Nothing is committed: speech is synthesised, or read from recordings that a package of the
extra [dev] or of the distribution brings along.
"""

from __future__ import annotations

import gzip
import importlib.util
import re
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime_actors.audio import Resampler, decode_audio, encode_audio

np = pytest.importorskip("numpy", reason="the extra [local] is not installed: numpy")

SENTENCES = (
    "I would like to book a table for four people tomorrow evening.",
    "What is the weather like in Paris today?",
    "Can you tell me where my order is? I ordered it last week.",
    "Please transfer me to the billing department.",
    "How much does the large pizza with mushrooms cost?",
    "We are open every day from nine in the morning until ten at night.",
    "I am sorry, but I did not understand that. Could you say it again?",
    "The train leaves at half past eight from platform two.",
    "Is there a doctor who speaks Spanish at the hospital?",
    "Turn off the lights in the kitchen and lock the front door.",
    "Nobody told me that the meeting was moved to Friday afternoon.",
    "She sells fresh bread and coffee near the old bridge.",
    "You can cancel the reservation until two hours before.",
    "The children were playing in the garden behind the house.",
    "It will be cold and windy in the mountains this weekend.",
    "My brother has been working for the same company for twenty years.",
)

TWO_CITIES = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was "
    "the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it "
    "was the season of light, it was the season of darkness, it was the spring of hope, it "
    "was the winter of despair, we had everything before us, we had nothing before us, we "
    "were all going direct to heaven, we were all going direct the other way. In short, the "
    "period was so far like the present period, that some of its noisiest authorities "
    "insisted on its being received, for good or for evil, in the superlative degree of "
    "comparison only."
)
FAIL_BETTER = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."

_PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_PROMPT_TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")


def resampled(pcm: bytes, source_hz: int, target_hz: int) -> bytes:
    return Resampler(source_hz, target_hz).process(pcm, last=True)


def by_telephone(pcm: bytes, rate_hz: int) -> bytes:
    """What comes out at the other end of a G.711 line, at 8 kHz."""
    narrow = resampled(pcm, rate_hz, 8_000)
    return decode_audio(encode_audio(narrow, "g711_ulaw"), "g711_ulaw")


def readings(rate_hz: int) -> list[tuple[str, bytes]]:
    """Two texts read by people, from the wheel of moonshine-voice. Skips where it is missing."""
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or found.origin is None:
        pytest.skip("moonshine-voice is not installed: its wheel has the recordings")
    assets = Path(found.origin).parent / "assets"
    return [
        (text, _read_wav(assets / name, rate_hz))
        for name, text in (("beckett.wav", FAIL_BETTER), ("two_cities.wav", TWO_CITIES))
    ]


def prompts(rate_hz: int, count: int) -> list[tuple[str, bytes]]:
    """Telephone prompts with their texts. Skips where the distribution's package is missing."""
    if not (_PROMPTS.is_dir() and _PROMPT_TEXTS.exists()):
        pytest.skip("asterisk-core-sounds-en-wav and asterisk-core-sounds-en are not installed")
    found = [
        (text, _read_wav(path, rate_hz))
        for name, text in _prompt_texts()
        if (path := _PROMPTS / f"{name}.wav").exists()
    ]
    return found[:: len(found) // count][:count]


def _prompt_texts() -> Iterator[tuple[str, str]]:
    with gzip.open(_PROMPT_TEXTS, "rt", encoding="latin-1") as lines:
        for line in lines:
            name, _, text = line.partition(":")
            if 6 <= len(text.split()) <= 30 and not re.search(r"[\[\]\d*#<>;]", line):
                yield name.strip(), text.strip()


def _read_wav(path: Path, rate_hz: int) -> bytes:
    with wave.open(str(path)) as file:
        return resampled(file.readframes(file.getnframes()), file.getframerate(), rate_hz)


def plain(text: str) -> str:
    """A text as word error rates compare it."""
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())


# --- sounds that are no speech -----------------------------------------------------------


def not_speech(rate_hz: int, seconds: float = 6.0):
    """Names and sounds: what a telephone line has to offer besides speech."""
    random = np.random.default_rng(7)
    time = np.arange(int(seconds * rate_hz)) / rate_hz

    def sine(hz):
        return np.sin(2 * np.pi * hz * time)

    melody = np.zeros_like(time)
    for place, hz in enumerate(random.choice([262, 294, 330, 349, 392, 440, 494, 523], 24)):
        start = int(place * rate_hz / 4)
        note = time[: max(min(int(rate_hz / 4), len(time) - start), 0)]
        tone = sum(np.sin(2 * np.pi * hz * k * note) / k**1.5 for k in range(1, 7))
        melody[start : start + len(note)] = 0.15 * tone * np.exp(-4 * note)
    return {
        "silence": np.zeros_like(time),
        "white noise": 0.1 * random.normal(size=len(time)),
        "pink noise": 0.1 * noise("pink", len(time), rate_hz),
        "hum": 0.1 * noise("hum", len(time), rate_hz),
        "a tone": 0.3 * sine(440),
        "ringing": 0.3 * (sine(440) + sine(480)) * (time % 4 < 2),
        "busy": 0.3 * (sine(480) + sine(620)) * (time % 1 < 0.5),
        "dialling": 0.3 * (sine(697) + sine(1209)) * (time % 0.3 < 0.1),
        "clicks": 0.8 * (np.arange(len(time)) % (rate_hz // 4) < 20),
        "hold music": melody + 0.05 * (sine(131) + sine(165) + sine(196)),
    }


def noise(kind: str, length: int, rate_hz: int):
    """Noise of power 1."""
    random = np.random.default_rng(11)
    white = random.normal(size=length)
    if kind == "white":
        return white
    if kind == "hum":
        time = np.arange(length) / rate_hz
        sound = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 8)) + 0.05 * white
    else:
        spectrum = np.fft.rfft(white)
        falling = np.sqrt(np.arange(1, len(spectrum) + 1))
        sound = np.fft.irfft(spectrum / falling, length)
    return sound / np.sqrt(np.mean(sound**2))


def pcm16(samples) -> bytes:
    return bytes(np.clip(samples * 32767, -32768, 32767).astype("<i2").tobytes())


def samples_of(pcm: bytes):
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32768
