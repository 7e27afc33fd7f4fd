from __future__ import annotations

import io
import re
import struct
import wave
from html.parser import HTMLParser
from pathlib import Path

from realtime_actors.recording import (
    BargeIn,
    Handoff,
    Recording,
    Timeline,
    ToolCall,
    Turn,
    render_page,
    wav_bytes,
    write_page,
    write_wav,
)
from realtime_actors.recording.files import actions, clock, ticks

CALLER = struct.pack("<h", 1000) * 24_000
AGENT = struct.pack("<h", -2000) * 24_000

QUESTION = Turn(
    id="u1", speaker="caller", name="Caller", starts_at=0.1, ends_at=0.3, text="<b>Hours?</b>"
)
ANSWER = Turn(
    id="a1",
    speaker="agent",
    name="Desk",
    starts_at=0.5,
    ends_at=0.9,
    text="We are open from ten to four on every day of the week",
    latency_ms=200,
    heard=0.4,
)
RECORDING = Recording(
    timeline=Timeline(
        length=1.0,
        turns=(QUESTION, ANSWER),
        tool_calls=(
            ToolCall(
                id="c1",
                agent="Desk",
                name="opening_hours",
                starts_at=0.4,
                ends_at=0.45,
                arguments='{"day": "Monday"}',
                output="Ten to four.",
            ),
        ),
        handoffs=(Handoff(at=0.95, from_agent="Desk", to_agent="Billing"),),
        barge_ins=(BargeIn(at=0.9, turn_id="a1", heard_ms=400),),
    ),
    rate_hz=24_000,
    caller=CALLER,
    agent=AGENT,
)


class Page(HTMLParser):
    """The text of a page, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data.split()


def test_the_wav_has_the_caller_on_the_left_and_the_agent_on_the_right(tmp_path: Path) -> None:
    write_wav(RECORDING, tmp_path / "call.wav")

    with wave.open(str(tmp_path / "call.wav"), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 24_000, 24_000)
        assert file.readframes(2) == struct.pack("<4h", 1000, -2000, 1000, -2000)


def test_the_wav_is_the_same_in_memory() -> None:
    with wave.open(io.BytesIO(wav_bytes(RECORDING)), "rb") as file:
        assert file.getnframes() == 24_000


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    write_page(RECORDING, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")

    assert [address.partition(",")[0] for address in Page(page).addresses] == [
        "data:audio/wav;base64"
    ]
    assert not re.search(r"https?://|@import|url\(", page)


def test_the_page_tells_what_was_said_called_and_cut() -> None:
    text = " ".join(Page(render_page(RECORDING, title="A call", notes=("Synthetic.",))).text)

    for told in (
        "A call Synthetic.",
        "<b>Hours?</b>",
        "We are open from ten to four on every day of the week barge-in answered after 0.20 s",
        'opening_hours( {"day": "Monday"} ) → Ten to four. 50 ms',
        "Desk → Billing",
    ):
        assert told.replace(" ", "") in text.replace(" ", "")


def test_a_recording_of_nothing_has_a_page_too() -> None:
    empty = Recording(timeline=Timeline(length=0.0), rate_hz=24_000, caller=b"", agent=b"")

    assert "<ol>" in render_page(empty)


def test_what_was_heard_ends_with_a_word() -> None:
    assert ANSWER.heard_text == "We are open from ten to"
    assert ANSWER.heard_text + ANSWER.unheard_text == ANSWER.text
    assert QUESTION.unheard_text == ""


def test_the_axis_has_round_times_and_few_of_them() -> None:
    assert ticks(0.0) == [0]
    assert ticks(11.5) == list(range(12))
    assert ticks(47.0) == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    assert len(ticks(3600.0)) == 13
    assert [clock(seconds) for seconds in (0, 65.9, 3600)] == ["0:00", "1:05", "60:00"]


def test_labels_that_would_cover_each_other_get_rows_of_their_own() -> None:
    calls = [
        ToolCall(
            id=name, agent="Desk", name=name, starts_at=at, ends_at=at, arguments="", output=""
        )
        for name, at in (("opening_hours", 1.0), ("book_appointment", 1.5), ("late", 9.9))
    ]
    timeline = Timeline(
        length=10.0,
        tool_calls=tuple(calls),
        handoffs=(Handoff(at=5.0, from_agent="Desk", to_agent="Billing"),),
    )

    placed = actions(timeline)

    assert [(each.label, each.row) for each in placed] == [
        ("opening_hours", 0),
        ("book_appointment", 1),
        ("→ Billing", 0),
        ("late", 0),
    ]
    assert placed[-1].at < 9.9, "the last one ends where the page does"
