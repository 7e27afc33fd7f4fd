"""Starting sessions in asyncio."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from realtime_actors.agent import Agent
from realtime_actors.aio.loops import asyncio_loop, until_there
from realtime_actors.aio.session import Session
from realtime_actors.config.places import unknown
from realtime_actors.errors import ConfigError, EventLoopError
from realtime_actors.runner import Runner, listener, runner
from realtime_actors.runner import run as blocking_run
from realtime_actors.runner import transcribe as blocking_transcribe
from realtime_actors.session import Session as BlockingSession
from realtime_actors.session.start import begin
from realtime_actors.session.steps import Steps

__all__ = ["Opening", "run", "start", "transcribe"]

P = ParamSpec("P")
T = TypeVar("T")


class Opening:
    """A session that is about to be started: `async with` it, or `await` it, once.

    `async with` closes it at the end. Raises what `ra.run` raises; one that is cancelled is called
    off, and ends by itself if it has begun.
    """

    def __init__(self, begin: Callable[[], Steps[BlockingSession]]) -> None:
        self._begin: Callable[[], Steps[BlockingSession]] | None = begin
        self._session: Session | None = None

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._open()
        return self._session

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def _open(self) -> Session:
        asyncio_loop()
        begin, self._begin = self._begin, None
        if begin is None:
            raise ConfigError("this session was started before: call run() again for another one")
        return Session(await _take(begin()))

    if not TYPE_CHECKING:  # a checker must go on to find these mistakes itself

        def __enter__(self) -> NoReturn:
            raise EventLoopError("a session in asyncio is started by `async with aio.run(...)`")

        def __exit__(self, *exc_info: object) -> None: ...

        def __getattr__(self, name: str) -> NoReturn:
            hint = ": it is not started yet, use `async with`, or `await`" if name[0] != "_" else ""
            raise AttributeError(f"an Opening has no {name!r}{hint}")


async def _take(steps: Steps[T]) -> T:
    """Take all steps, and wait in the event loop."""
    try:
        wait = next(steps)
        while True:
            try:
                await until_there(wait.when_there, wait.timeout)
            except BaseException as error:
                _call_off(steps, error)
                raise
            try:
                came = wait.get(0.0)  # it is there, or time is over
            except BaseException as error:
                wait = steps.throw(error)
            else:
                wait = steps.send(came)
    except StopIteration as done:
        value: T = done.value
        return value


def _call_off(steps: Steps[Any], error: BaseException) -> None:
    """Have the steps undo what they have begun, without waiting for that."""
    with suppress(BaseException):  # ours is raised
        steps.throw(error)
    steps.close()


def _like(function: Callable[P, BlockingSession]) -> Callable[[Callable[..., T]], Callable[P, T]]:
    """Have a function take the same, checked in the same way; it gets all of it by name."""
    signature = inspect.signature(function)

    def like(own: Callable[..., T]) -> Callable[P, T]:
        @wraps(own)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            for name in kwargs:
                if name not in signature.parameters:
                    known = tuple(signature.parameters)
                    raise unknown(name, known, what=f"aio.{own.__name__}")
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return own(**bound.arguments)

        answer: Any = signature.replace(return_annotation=own.__annotations__["return"])
        checked.__signature__ = answer  # type: ignore[attr-defined]  # what `inspect` looks for
        return checked

    return like


@_like(blocking_run)
def run(agent: Agent, *, config: Any, transport: Any, **options: Any) -> Opening:
    """Start a session in asyncio: `async with aio.run(agent) as session`.

    Takes what `ra.run` takes, and raises what it raises; nothing is begun before it is awaited.
    """
    chosen = runner(agent, config=config, transport=transport)
    return Opening(lambda: begin(chosen, **options))


@_like(Runner.run)
def start(self: Runner, **options: Any) -> Opening:
    """Start one of many sessions in asyncio: `async with aio.start(runner, context=...)`.

    Takes a `Runner` (`ra.runner(agent, ...)`), and what its `run` takes.
    """
    if not isinstance(self, Runner):
        kind = type(self).__name__
        raise ConfigError(f"start() takes a Runner, not {kind}: see ra.runner(), or use run()")
    return Opening(lambda: begin(self, **options))


@_like(blocking_transcribe)
def transcribe(
    *, context: Any, model_config: Any, timeout: Any, name: Any, **options: Any
) -> Opening:
    """Start a session that only listens, in asyncio: see `ra.transcribe`."""
    listening = listener(**options)
    return start(listening, context=context, model_config=model_config, timeout=timeout, name=name)
