"""Records a conversation: who said what and when, what both sides heard, and a page to show it.

    recorder = Recorder(time.monotonic())
    recorder.sent(frame, time.monotonic())          # what the caller says
    recorder.received(event, time.monotonic())      # what the session publishes
    recording = recorder.finish(time.monotonic())
    write_wav(recording, "conversation.wav")
    write_page(recording, "report.html")            # needs the extra [cli]

The recorder does no I/O and reads no clock; only the two `write_` functions touch the disk.
"""

from __future__ import annotations

from realtime_actors.recording.files import render_page, wav_bytes, write_page, write_wav
from realtime_actors.recording.recorder import Recorder, Recording
from realtime_actors.recording.timeline import (
    BargeIn,
    Handoff,
    Note,
    Problem,
    Timeline,
    ToolCall,
    Turn,
)

__all__ = [
    "BargeIn",
    "Handoff",
    "Note",
    "Problem",
    "Recorder",
    "Recording",
    "Timeline",
    "ToolCall",
    "Turn",
    "render_page",
    "wav_bytes",
    "write_page",
    "write_wav",
]
