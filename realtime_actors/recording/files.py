"""Writes a recording: as a stereo WAV, and as a page that shows and plays it."""

from __future__ import annotations

import base64
import io
import wave
from importlib import resources
from pathlib import Path

from attrs import frozen

from realtime_actors.errors import MissingExtraError
from realtime_actors.recording.recorder import Recording
from realtime_actors.recording.sound import peaks, stereo
from realtime_actors.recording.timeline import Timeline, ToolCall

__all__ = ["render_page", "wav_bytes", "write_page", "write_wav"]

COLUMNS_PER_SECOND = 24
"""How finely a waveform is drawn."""
CHARACTER_WIDTH = 0.0078
"""Of a label, as a share of the timeline's width on an ordinary screen."""


def wav_bytes(recording: Recording) -> bytes:
    """A WAV file: PCM16 stereo, the caller on the left, the agent as heard on the right."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(recording.rate_hz)
        wav.writeframes(stereo(recording.caller, recording.agent))
    return file.getvalue()


def write_wav(recording: Recording, path: str | Path) -> None:
    """Write `wav_bytes` to a file."""
    Path(path).write_bytes(wav_bytes(recording))


def render_page(
    recording: Recording, *, title: str = "Conversation", notes: tuple[str, ...] = ()
) -> str:
    """One HTML page with everything in it: sound, waveforms, turns, tool calls.

    `notes` are sentences to show below the title. Needs the extra `[cli]`, for its
    templates: raises `MissingExtraError` without.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("The page of a recording", "cli", missing="jinja2") from error

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["clock"] = clock
    template = resources.files("realtime_actors.recording").joinpath("page.html.j2")
    timeline = recording.timeline
    agents = list(dict.fromkeys(turn.name for turn in timeline.turns_of("agent")))
    return environment.from_string(template.read_text("utf-8")).render(
        title=title,
        notes=notes,
        timeline=timeline,
        length=max(timeline.length, 0.001),
        ticks=ticks(timeline.length),
        color_of={name: index % 3 + 1 for index, name in enumerate(agents)},
        caller_shapes=[Shape.of(recording.caller, 0.0, timeline.length, 0)],
        agent_shapes=agent_shapes(recording, agents),
        actions=actions(timeline),
        entries=entries(timeline),
        audio="data:audio/wav;base64," + base64.b64encode(wav_bytes(recording)).decode(),
    )


def write_page(
    recording: Recording,
    path: str | Path,
    *,
    title: str = "Conversation",
    notes: tuple[str, ...] = (),
) -> None:
    """Write `render_page` to a file."""
    Path(path).write_text(render_page(recording, title=title, notes=notes), encoding="utf-8")


@frozen
class Shape:
    """A stretch of a waveform, as an SVG path around the middle line y=0 from -1 to 1."""

    starts_at: float
    ends_at: float
    color: int
    path: str

    @classmethod
    def of(cls, pcm: bytes, starts_at: float, ends_at: float, color: int) -> Shape:
        columns = max(1, round((ends_at - starts_at) * COLUMNS_PER_SECOND))
        # Louder is higher, but not in proportion: speech would look like a few needles.
        heights = [max(0.015, peak**0.6) for peak in peaks(pcm, columns)]
        bars = "".join(
            f"M{index + 0.5} {-height:.3f}V{height:.3f}" for index, height in enumerate(heights)
        )
        return cls(starts_at, ends_at, color, bars)

    @property
    def columns(self) -> int:
        return max(1, round((self.ends_at - self.starts_at) * COLUMNS_PER_SECOND))


def agent_shapes(recording: Recording, agents: list[str]) -> list[Shape]:
    """The agent's waveform, in a colour for each agent that spoke."""
    rate = recording.rate_hz
    shapes = []
    for turn in recording.timeline.turns_of("agent"):
        sound = recording.agent[round(turn.starts_at * rate) * 2 : round(turn.ends_at * rate) * 2]
        if sound:
            color = agents.index(turn.name) % 3 + 1
            shapes.append(Shape.of(sound, turn.starts_at, turn.ends_at, color))
    return shapes


@frozen
class Action:
    """A tool call or a handoff, as a label on the timeline."""

    at: float
    row: int
    label: str
    title: str
    agent: str | None
    """Whose colour it has."""


def actions(timeline: Timeline) -> list[Action]:
    """The labels of the timeline, in as many rows as they need not to cover each other."""
    labels = [
        *((call.starts_at, call.name, _told(call), None) for call in timeline.tool_calls),
        *((each.at, f"→ {each.to_agent}", "", each.to_agent) for each in timeline.handoffs),
    ]
    free_at: list[float] = []
    found = []
    for at, label, title, agent in sorted(labels, key=lambda each: each[0]):
        width = (len(label) * CHARACTER_WIDTH + 0.025) * timeline.length
        starts_at = min(at, timeline.length - width)
        row = next((row for row, free in enumerate(free_at) if free <= starts_at), len(free_at))
        free_at[row:] = [starts_at + width, *free_at[row + 1 :]]
        found.append(Action(max(0.0, starts_at), row, label, title, agent))
    return found


def _told(call: ToolCall) -> str:
    return f"{call.arguments} → {call.error or call.output}"


def entries(timeline: Timeline) -> list[tuple[float, str, object]]:
    """Everything that the list below the timeline shows: when, what kind, what."""
    found: list[tuple[float, str, object]] = [
        *((turn.starts_at, "turn", turn) for turn in timeline.turns),
        *((call.starts_at, "tool", call) for call in timeline.tool_calls),
        *((handoff.at, "handoff", handoff) for handoff in timeline.handoffs),
        *((note.at, "note", note) for note in timeline.notes),
        *((problem.at, "problem", problem) for problem in timeline.problems),
    ]
    return sorted(found, key=lambda entry: entry[0])


def ticks(length: float) -> list[int]:
    """Round times for the axis, at most a dozen."""
    step = next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300) if length / step <= 12), 600)
    return list(range(0, int(length) + 1, step))


def clock(seconds: float) -> str:
    """A time as people read it: 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
