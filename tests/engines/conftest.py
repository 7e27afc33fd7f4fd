"""The engines, loaded once for all tests."""

from __future__ import annotations

import pytest

from realtime_actors.server.engines import Recognizer, Voice


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    from realtime_actors.server.engines.whisper import WhisperRecognizer

    return WhisperRecognizer()


@pytest.fixture(scope="session")
def voice() -> Voice:
    from realtime_actors.server.engines.hibari import HibariVoice

    return HibariVoice()
