"""The command `demo`: sets the stage, holds the conversation, writes it down, judges it."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

import realtime_actors as ra
from realtime_actors.audio import read_wav
from realtime_actors.cli.demo.agents import receptionist
from realtime_actors.cli.demo.caller import speak
from realtime_actors.cli.demo.conversation import Conversation, ConversationError
from realtime_actors.cli.demo.script import SCRIPT, Check, check_conversation, check_script
from realtime_actors.cli.demo.view import View, show_checks
from realtime_actors.config import (
    GuardrailsSettings,
    ModelConfig,
    RunConfig,
    SessionModelSettings,
)
from realtime_actors.config.models import DEFAULT_TRANSCRIPTION_MODEL
from realtime_actors.errors import AudioFormatError
from realtime_actors.recording import Recording, write_page, write_wav
from realtime_actors.server.engines import Engines, load_engines

if TYPE_CHECKING:
    from realtime_actors.server import RealtimeServer

__all__ = ["run_demo"]

TITLE = "A call to the Rosewood clinic"
NOTE = "Both voices are synthetic; the caller's words are what was recognised of the sound."

SETTINGS = SessionModelSettings(
    input_audio_transcription={"model": DEFAULT_TRANSCRIPTION_MODEL},
    turn_detection={"type": "server_vad", "silence_duration_ms": 500},
)


def run_demo(
    *, output: Path, wav: Path | None, url: str | None, model: str | None, open_page: bool
) -> int:
    """Hold the conversation, and write it to the folder `output`.

    Gives the exit status: 0 when all that had to happen did.
    """
    console = Console(highlight=False)
    console.print(f"[bold]{TITLE}[/]")
    own_sound = _read(wav) if wav else None

    with ExitStack() as stack:
        # The caller needs a voice, and a server of our own needs everything.
        engines = _load(console) if url is None or own_sound is None else None
        if url is None:
            url = stack.enter_context(_server(engines)).url
        console.print(f"[dim]{escape(url)}[/]\n")
        session = stack.enter_context(
            ra.run(
                receptionist(),
                config=RunConfig(
                    model_settings=SETTINGS, guardrails_settings=GuardrailsSettings(mode="hold")
                ),
                model_config=ModelConfig(url=url, model=model),
            )
        )
        conversation = Conversation(session, stack.enter_context(View(console)))
        ended = _hold(conversation, own_sound, engines)
        recording = conversation.recording()

    judge = check_script if own_sound is None else check_conversation
    checks = (*judge(recording.timeline), *ended)
    page = _write(recording, output, console, notes=() if own_sound else (NOTE,))
    show_checks(console, checks)
    if open_page and _has_browser():
        webbrowser.open(page.resolve().as_uri())
    return 0 if all(check.passed for check in checks) else 1


def _load(console: Console) -> Engines:
    started_at = time.monotonic()
    with console.status("Loading the speech engines"):
        engines = load_engines()
    console.print(f"[dim]speech engines loaded in {time.monotonic() - started_at:.1f} s[/]")
    return engines


def _server(engines: Engines | None) -> RealtimeServer:
    # Only now: of all that can be missing, the engines' extra brings the most.
    from realtime_actors.server import RealtimeServer

    return RealtimeServer(engines=engines)


def _hold(
    conversation: Conversation, own_sound: bytes | None, engines: Engines | None
) -> tuple[Check, ...]:
    """Hold the conversation to its end; else say what kept it from that."""
    try:
        if own_sound is not None:
            conversation.play(own_sound)
        elif engines is not None:
            conversation.hold([(line, speak(engines.voice, line.text)) for line in SCRIPT])
    except ConversationError as error:
        return (Check(what="the conversation came to its end", passed=False, detail=str(error)),)
    return ()


def _write(recording: Recording, output: Path, console: Console, notes: tuple[str, ...]) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    sound, page = output / "conversation.wav", output / "report.html"
    write_wav(recording, sound)
    write_page(recording, page, title=TITLE, notes=notes)
    latency = recording.timeline.median_latency_ms
    waited = f", {latency / 1000:.2f} s to an answer (median)" if latency is not None else ""
    console.print(f"\n{recording.timeline.length:.0f} s{waited}")
    console.print(f"written: {escape(str(sound))}, {escape(str(page))}\n")
    return page


def _has_browser() -> bool:
    """Whether somebody sits in front of a screen."""
    return sys.stdout.isatty() and (
        sys.platform == "darwin"
        or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    )


def _read(wav: Path) -> bytes:
    try:
        return read_wav(wav)
    except OSError as error:
        raise AudioFormatError(f"cannot read {wav}: {error.strerror}") from error
