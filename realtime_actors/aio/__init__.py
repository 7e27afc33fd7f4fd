"""Sessions in asyncio: nothing here keeps an event loop waiting.

    from realtime_actors import aio

    async with aio.run(agent) as session:
        await session.send_message("Hello!")
        async for event in session.events():
            ...

`run`, `start` and `transcribe` take what `ra.run`, `Runner.run` and `ra.transcribe` take. A
`Session` of this module has every verb (`messages.VERBS`) as a coroutine; it is a handle of a
session like any other, so threads and actors can use the same one through its `ref`.

An await that is cancelled leaves nothing behind: a start is called off, an answer is not waited
for any more (what was asked for is done all the same), a stream that nobody reads is
unsubscribed. Made for asyncio, with uvloop and with anyio on top of it; not for trio.
"""

from __future__ import annotations

from realtime_actors.aio.opening import Opening, run, start, transcribe
from realtime_actors.aio.queues import Queue
from realtime_actors.aio.session import Session
from realtime_actors.aio.streams import EventStream

__all__ = ["EventStream", "Opening", "Queue", "Session", "run", "start", "transcribe"]
