"""What a type checker takes the public names for. `make types` reads this; little of it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, assert_type

import realtime_actors as ra
from realtime_actors import aio, events, messages, otp
from realtime_actors.config import RunConfig
from realtime_actors.items import Item
from realtime_actors.usage import SessionUsage


def methods(session: ra.Session, agent: ra.Agent) -> None:
    assert_type(session.send_message("Hi"), None)
    assert_type(session.send_audio(b"", commit=True), None)
    assert_type(session.commit_audio(), None)
    assert_type(session.clear_audio(), None)
    assert_type(session.create_response(instructions="Shout."), None)
    assert_type(session.send_raw_event({"type": "response.create"}), None)
    assert_type(session.interrupt(), None)
    assert_type(session.approve("c1", always=True), None)
    assert_type(session.reject("c1", reason="no"), None)
    assert_type(session.update_session({"voice": "marin"}), None)
    assert_type(session.hand_off(agent), None)
    assert_type(session.add_item("Hi", after="u1"), str)
    assert_type(session.delete_item("u1"), None)
    assert_type(session.truncate_item("u1", 400), None)
    assert_type(session.retrieve_item("u1"), None)
    assert_type(session.update_history([]), None)
    assert_type(session.history(), Sequence[Item])
    assert_type(session.current_agent(), ra.Agent)
    assert_type(session.usage(), SessionUsage)
    assert_type(session.subscribe(otp.whereis("window"), only=events.AudioEvent), None)
    assert_type(session.unsubscribe(otp.whereis("window")), None)
    assert_type(session.close(), None)
    assert_type(session.connected, bool)
    with session as same:
        assert_type(same, ra.Session)


async def coroutines(session: aio.Session, agent: ra.Agent) -> None:
    assert_type(await session.send_message("Hi"), None)
    assert_type(await session.send_audio(b"", commit=True), None)
    assert_type(await session.commit_audio(), None)
    assert_type(await session.clear_audio(), None)
    assert_type(await session.create_response(instructions="Shout."), None)
    assert_type(await session.send_raw_event({"type": "response.create"}), None)
    assert_type(await session.interrupt(), None)
    assert_type(await session.approve("c1", always=True), None)
    assert_type(await session.reject("c1", reason="no"), None)
    assert_type(await session.update_session({"voice": "marin"}), None)
    assert_type(await session.hand_off(agent), None)
    assert_type(await session.add_item("Hi", after="u1"), str)
    assert_type(await session.delete_item("u1"), None)
    assert_type(await session.truncate_item("u1", 400), None)
    assert_type(await session.retrieve_item("u1"), None)
    assert_type(await session.update_history([]), None)
    assert_type(await session.history(), Sequence[Item])
    assert_type(await session.current_agent(), ra.Agent)
    assert_type(await session.usage(), SessionUsage)
    assert_type(await session.subscribe(otp.whereis("window"), only=events.AudioEvent), None)
    assert_type(await session.unsubscribe(otp.whereis("window")), None)
    assert_type(await session.close(), None)
    assert_type(session.connected, bool)
    async with session as same:
        assert_type(same, aio.Session)


async def in_asyncio(agent: ra.Agent, session: ra.Session) -> None:
    assert_type(await aio.run(agent), aio.Session)
    async with aio.run(agent, config={"max_cost": 1}, context=1) as started:
        assert_type(started, aio.Session)
        async for event in started.events():
            assert_type(event, events.Event)
        async for words in started.transcripts():
            assert_type(words, events.InputTranscriptEvent)
    assert_type(await aio.start(ra.runner(agent), timeout=3), aio.Session)
    assert_type(await aio.transcribe(language="en"), aio.Session)
    assert_type(aio.Session(session).ref, ra.Session)
    assert_type(await aio.Queue().get(), ra.SessionEvent)
    assert_type(await session.ask(messages.Usage(), block=False), Any)


async def mistakes_in_asyncio(agent: ra.Agent, session: aio.Session) -> None:
    aio.run(agent, contxt=1)  # type: ignore[call-arg]
    aio.run("agent")  # type: ignore[arg-type]
    await session.send_message(7)  # type: ignore[arg-type]
    await session.approve()  # type: ignore[call-arg]
    await session.create_response(instruction="Shout.")  # type: ignore[call-arg]
    with session:  # type: ignore[attr-defined]
        pass
    for _ in session.events():  # type: ignore[attr-defined]
        pass


def functions(session: ra.Session, agent: ra.Agent) -> None:
    assert_type(ra.send_message(session, "Hi"), None)
    assert_type(ra.send_message("by its name", "Hi"), None)
    assert_type(ra.send_audio(session, b""), None)
    assert_type(ra.commit_audio(session), None)
    assert_type(ra.clear_audio(session), None)
    assert_type(ra.create_response(session, metadata={"topic": "mood"}), None)
    assert_type(ra.send_raw_event(session, {"type": "response.create"}), None)
    assert_type(ra.interrupt(session), None)
    assert_type(ra.approve(session, "c1"), None)
    assert_type(ra.reject(session, "c1"), None)
    assert_type(ra.update_session(session, {"voice": "marin"}), None)
    assert_type(ra.hand_off(session, agent), None)
    assert_type(ra.add_item(session, "Hi"), str)
    assert_type(ra.delete_item(session, "u1"), None)
    assert_type(ra.truncate_item(session, "u1", 400), None)
    assert_type(ra.retrieve_item(session, "u1"), None)
    assert_type(ra.update_history(session, []), None)
    assert_type(ra.history(session), Sequence[Item])
    assert_type(ra.current_agent(session), ra.Agent)
    assert_type(ra.subscribe(session, otp.whereis("window")), None)
    assert_type(ra.unsubscribe(session, otp.whereis("window")), None)
    assert_type(ra.close(session), None)


def running(agent: ra.Agent, guardrail: ra.OutputGuardrail) -> None:
    assert_type(ra.run(agent), ra.Session)
    assert_type(ra.run(agent, config={"max_cost": 1}, model_config={"url": "ws://x"}), ra.Session)
    assert_type(ra.runner(agent).run(context=1), ra.Session)
    config = ra.RunConfig(output_guardrails=[guardrail])
    assert_type(config, RunConfig)
    assert_type(config.output_guardrails, tuple[ra.OutputGuardrail, ...])


def streams(session: ra.Session) -> None:
    for event in session.events():
        assert_type(event, events.Event)
        if isinstance(event, events.AudioEvent):
            assert_type(event.response_id, str)
    for words in session.transcripts():
        assert_type(words, events.InputTranscriptEvent)


def decorators() -> None:
    @ra.tool
    def plain(city: str) -> str:
        return city

    @ra.tool(timeout=3)
    def slow(city: str) -> str:
        return city

    @ra.output_guardrail
    def polite(text: str) -> bool:
        return "damn" in text

    assert_type(plain, ra.Tool)
    assert_type(slow, ra.Tool)
    assert_type(polite, ra.OutputGuardrail)
    assert_type(ra.agent(tools=[plain, slow], output_guardrails=[polite]), ra.Agent)


class Sure(otp.GenServer):
    def init(self) -> otp.Ok:
        return otp.Ok()


class Unsure(otp.GenServer):
    def init(self) -> otp.Ok | otp.Ignore:
        return otp.Ignore()


class Till(otp.ServerRef):
    pass


def actors() -> None:
    sure = otp.start(Sure)
    assert_type(sure, otp.ServerRef)
    assert_type(otp.start(Unsure), otp.ServerRef | None)
    assert_type(otp.start(Sure, ref_class=Till), Till)
    assert_type(otp.start(otp.DynamicSupervisor), otp.DynamicSupervisorRef)
    assert_type(otp.start(otp.TaskSupervisor), otp.TaskSupervisorRef)
    assert_type(otp.call(sure, "get"), Any)
    assert_type(otp.cast(sure, "count"), None)
    assert_type(otp.monitor(sure), otp.MonitorRef)
    assert_type(sure.is_alive(), bool)


def test_each_verb_has_its_type_as_a_method_and_as_a_function() -> None:
    said = Path(__file__).read_text("utf-8")
    forms: dict[str, Callable[..., object]] = {
        **{f"session.{name}(": getattr(ra.Session, name) for name in verbs()},
        **{f"await session.{name}(": getattr(aio.Session, name) for name in verbs()},
        **{f"ra.{name}(": getattr(ra, name) for name in verbs() if name != "usage"},
    }

    assert [form for form in forms if f"assert_type({form}" not in said] == []


def verbs() -> list[str]:
    return [name for name in messages.VERBS if name in vars(ra.Session)]
