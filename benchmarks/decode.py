"""From the text of a server event to what a program can use: CPU for each event.

Ours makes an event with its audio decoded; openai-agents validates against the models of
the openai package and leaves the audio as base64; the floor and websocket-client's users
have a dict, and decode the audio.
"""

import base64
import json

from benchmarks.harness import AGENTS, BARE, FLOOR, NO_EXTRAS, OURS, Bench

CONTENDERS = (OURS, NO_EXTRAS, FLOOR, AGENTS, BARE)


def text(kind: str, **members: object) -> str:
    ids = {"event_id": "event_0123456789abcdef", "response_id": "resp_000001", "item_id": "item_1"}
    places = {"output_index": 0, "content_index": 0}
    return json.dumps({"type": kind, **ids, **places, **members})


def delta(size: int) -> str:
    audio = (bytes(range(256)) * (size // 256 + 1))[:size]
    return text("response.output_audio.delta", delta=base64.b64encode(audio).decode())


EVENTS = {
    "audio delta, 960 bytes": delta(960),
    "audio delta, 4,800 bytes": delta(4800),
    "transcript delta": text("response.output_audio_transcript.delta", delta=" weather"),
}


def main() -> None:
    with Bench(__doc__, rounds=7) as bench:
        columns = {
            name: bench.take_turns(
                "decode",
                {each: {"texts": [event] * 10, "repeat": 500} for each in CONTENDERS},
            )
            for name, event in EVENTS.items()
        }
        bench.table(
            "Decoding one event, CPU µs",
            ["", *columns],
            [
                [each.name, *(runs.median(each, "cpu_us") for runs in columns.values())]
                for each in CONTENDERS
            ],
        )


if __name__ == "__main__":
    main()
