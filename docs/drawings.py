"""Draw the pictures of `design.md` from the code: `python docs/drawings.py` writes them anew.

`rooms.svg` is what the import contracts say; a test holds it up to date. The journeys are calls
that were watched: a real session on a real socket, and the rooms that each thing passes.
"""

from __future__ import annotations

import base64
import configparser
import html
import json
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from attrs import define, field, frozen

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "realtime_actors"
IMAGES = DOCS / "images"

FLOORS = ("command", "features", "shell", "actors", "core", "given to users", "protocol", "values")
"""What the layers of `.importlinter` are called, from the top."""

WIDTH = 860
STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2933 }
  .small { font-size: 11px; fill: #52606d }
  .floor { fill: #f5f7fa }
  .room { fill: #ffffff; stroke: #7b8794 }
  .lane { stroke: #cbd2d9; stroke-dasharray: 3 3 }
  .way { stroke: #0b69a3; stroke-width: 2; fill: none }
  .stay { fill: #0b69a3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb } .small { fill: #9aa5b1 } .floor { fill: #27303a }
    .room { fill: #1f2933 } .way { stroke: #40c3f7 } .stay { fill: #40c3f7 }
  }
"""


def svg(height: float, parts: Iterable[str], what: str) -> str:
    """Make a picture out of its parts."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">\n'
        f"<title>{html.escape(what)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def text(x: float, y: float, words: str, cls: str = "", anchor: str = "start") -> str:
    """Write words at a place."""
    return (
        f'<text x="{x:g}" y="{y:g}" class="{cls}" text-anchor="{anchor}">'
        f"{html.escape(words)}</text>"
    )


# --- the rooms --------------------------------------------------------------------------------


def layers() -> list[list[str]]:
    """Return the rooms of each floor, from the top, as the import contracts have them."""
    contracts = configparser.ConfigParser()
    contracts.read(DOCS.parent / ".importlinter", "utf-8")
    written = contracts["importlinter:contract:floors"]["layers"].strip().splitlines()
    return [line.replace("|", ":").replace(" ", "").split(":") for line in written]


def inside(room: str) -> list[str]:
    """Return the rooms within a room."""
    folders = (PACKAGE / room).glob("*/__init__.py")
    return sorted(path.parent.name for path in folders)


def rooms() -> str:
    """Draw the floors and the rooms on them."""
    parts, y = [], 10.0
    for name, floor in zip(FLOORS, layers(), strict=True):
        boxes, x, top = [], 130.0, y + 8
        for room in floor:
            within = ", ".join(inside(room))
            width = 24 + max(8 * len(room), 6 * len(within))
            if x + width > WIDTH - 20:
                x, top = 130.0, top + 46
            boxes.append(
                f'<rect x="{x:g}" y="{top:g}" width="{width:g}" height="38" rx="6" class="room"/>'
            )
            boxes.append(text(x + 12, top + (17 if within else 24), room))
            if within:
                boxes.append(text(x + 12, top + 32, within, "small"))
            x += width + 10
        height = top + 46 - y
        across = f'width="{WIDTH - 20}" height="{height:g}"'
        parts.append(f'<rect x="10" y="{y:g}" {across} rx="8" class="floor"/>')
        parts += [text(24, y + height / 2 + 5, name), *boxes]
        y += height + 8
    return svg(y + 4, parts, "The floors of the package, and the rooms on each")


# --- journeys ---------------------------------------------------------------------------------


@frozen
class Stay:
    """A thread is in a room."""

    thread: str
    room: str


@define
class Watch:
    """Notes the rooms that calls pass, in whatever thread."""

    on: bool = False
    stays: list[Stay] = field(factory=list)

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Take what `sys.settrace` tells."""
        place = frame.f_code.co_filename
        if self.on and event == "call" and place.startswith(str(PACKAGE)):
            room = "/".join(Path(place).relative_to(PACKAGE).parts[:-1]) or Path(place).stem
            stay = Stay(threading.current_thread().name.split("-")[0], room)
            if not self.stays or self.stays[-1] != stay:
                self.stays.append(stay)


def journey(stays: Sequence[Stay], what: str) -> str:
    """Draw a way through rooms: a column for each, and a step for each stay."""
    columns = list(dict.fromkeys(stay.room for stay in stays))
    step, left = 20, 60
    across = (WIDTH - 2 * left) / max(1, len(columns) - 1)
    at_x = {room: left + across * at for at, room in enumerate(columns)}
    places = [(at_x[stay.room], 60 + step * at) for at, stay in enumerate(stays)]
    height = 60 + step * len(stays)
    parts = []
    for at, (room, x) in enumerate(at_x.items()):
        parts += [text(x, 24 if at % 2 else 40, room, "small", "middle")]
        parts += [f'<line x1="{x:g}" y1="46" x2="{x:g}" y2="{height:g}" class="lane"/>']
    way = " ".join(f"{x:g},{y:g}" for x, y in places)
    parts.append(f'<polyline points="{way}" class="way"/>')
    parts += [f'<circle cx="{x:g}" cy="{y:g}" r="4" class="stay"/>' for x, y in places]
    return svg(height + 10, parts, what)


def watched() -> dict[str, list[Stay]]:
    """Hold a conversation with a server of our own, and note what passes where."""
    from websockets.sync.server import ServerConnection, serve

    import realtime_actors as ra

    watch, connections = Watch(), queue.SimpleQueue[ServerConnection]()
    journeys: dict[str, list[Stay]] = {}

    def converse(connection: ServerConnection) -> None:
        said(connection, "session.created", session={"type": "realtime", "id": "s"})
        connections.put(connection)
        for message in connection:
            if json.loads(message)["type"] == "session.update":
                said(connection, "session.updated", session={"type": "realtime", "id": "s"})

    def said(connection: ServerConnection, kind: str, **members: Any) -> None:
        connection.send(json.dumps({"type": kind, "event_id": "e", **members}))

    def note(name: str, act: Callable[[], None], until: type[Any] | None) -> None:
        watch.stays, watch.on = [], True
        act()
        while until is not None and not isinstance(events.get(timeout=10).event, until):
            pass
        watch.on, journeys[name] = False, watch.stays

    @ra.tool
    def weather(city: str) -> str:
        """Current weather. Args: city: name of the city."""
        return "sunny"

    delta = {
        "response_id": "r1",
        "item_id": "i1",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(bytes(960)).decode(),
    }
    call = {
        "id": "f1",
        "type": "function_call",
        "status": "completed",
        "call_id": "c1",
        "name": "weather",
        "arguments": '{"city": "Oslo"}',
    }
    with serve(converse, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = {"url": f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"}
        threading.settrace(watch)
        sys.settrace(watch)
        with ra.run(ra.agent(tools=[weather]), model_config=where) as session:
            events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
            session.subscribe(events)
            peer = connections.get(timeout=10)
            note("microphone", lambda: session.send_audio(bytes(960)), None)
            response = {"id": "r1", "status": "in_progress", "conversation_id": "c"}
            begun = ra.events.AgentStartEvent
            note("begin", lambda: said(peer, "response.created", response=response), begun)
            audio, heard = "response.output_audio.delta", ra.events.AudioEvent
            note("first", lambda: said(peer, audio, **delta), heard)
            note("audio", lambda: said(peer, audio, **delta), heard)
            done, over = "response.output_item.done", ra.events.ToolEndEvent
            note(
                "tool_call",
                lambda: said(peer, done, output_index=1, response_id="r1", item=call),
                over,
            )
            speaks = "input_audio_buffer.speech_started"
            cut = ra.events.AudioInterruptedEvent
            note("barge_in", lambda: said(peer, speaks, audio_start_ms=10, item_id="u1"), cut)
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type] # None ends it, as with sys.settrace
        server.shutdown()
    return journeys


def main() -> None:
    """Write all pictures."""
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "rooms.svg").write_text(rooms(), "utf-8")
    journeys = watched()
    for name, what in {
        "microphone": "The way of a frame of the microphone",
        "audio": "The way of a frame of the model's speech",
        "tool_call": "The way of a tool call, to its output",
        "barge_in": "The way of a barge-in",
    }.items():
        (IMAGES / f"journey_{name}.svg").write_text(journey(journeys[name], what), "utf-8")


if __name__ == "__main__":
    main()
