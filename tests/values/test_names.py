"""A name in the wrong place: the error says where it is."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import realtime_actors as ra
from realtime_actors.config import names
from realtime_actors.session import Session


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("AudioEvent", "it is in events: from realtime_actors.events import AudioEvent"),
        ("RealtimeAudio", "it is in events: from realtime_actors.events import AudioEvent"),
        ("RealtimeToolEnd", "it is in events: from realtime_actors.events import ToolEndEvent"),
        ("InputImage", "it is in items: from realtime_actors.items import InputImage"),
        ("RealtimeServer", "it is in server: from realtime_actors.server import RealtimeServer"),
        ("GenServer", "it is in otp: from realtime_actors.otp import GenServer"),
        ("function_tool", "here it is ra.tool"),
        ("RealtimeAgent", "here it is ra.agent(...)"),
        ("send_mesage", "did you mean 'send_message'?"),
    ],
)
def test_the_package_says_where_a_name_is(name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as missing:
        getattr(ra, name)
    assert str(missing.value) == f"module 'realtime_actors' has no {name!r}: {hint}"

    # An import says it too, which Python would keep to itself.
    with pytest.raises(ImportError) as not_imported:
        exec(f"from realtime_actors import {name}")
    assert str(not_imported.value) == str(missing.value)


def test_what_is_nowhere_is_just_missing() -> None:
    assert not hasattr(ra, "zebra_crossing")
    assert not hasattr(ra, "__wrapped__")
    with pytest.raises(ImportError, match="cannot import name 'zebra_crossing'"):
        exec("from realtime_actors import zebra_crossing")


def test_looking_for_a_name_imports_nothing() -> None:
    program = (
        "import sys, realtime_actors as ra; hasattr(ra, 'RealtimeServer');"
        "assert 'realtime_actors.server' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_name_is_where_it_is_said_to_be() -> None:
    for name, module in names._ELSEWHERE.items():
        assert hasattr(importlib.import_module(f"realtime_actors.{module}"), name), name
    for here in names._OTHERS.values():
        name = here.removeprefix("ra.").split("(")[0].split(",")[0]
        assert name in ra.__all__, here


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("on", "that is session.events(), or session.subscribe(queue)"),
        ("send_text", "that is session.send_message(...)"),
        ("disconnect", "that is session.close()"),
        ("send_massage", "did you mean 'send_message'?"),
    ],
)
def test_a_session_says_how_it_does_what_others_call_otherwise(name: str, hint: str) -> None:
    session = object.__new__(Session)

    with pytest.raises(AttributeError) as missing:
        getattr(session, name)

    assert str(missing.value) == f"a Session has no {name!r}: {hint}"
