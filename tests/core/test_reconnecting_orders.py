"""The voice may change at any moment, and on the new server everything comes to its end too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import OFF, SessionModelSettings, TurnDetectionConfig
from realtime_actors.core import effects as fx
from realtime_actors.core.messages import AgentResolved, AnotherFailed, AnotherOpened
from realtime_actors.errors import StartCause, StartError
from realtime_actors.items import FunctionCallItem, Item
from realtime_actors.server import server_effects as server_fx
from realtime_actors.server import server_messages
from tests.core import joined
from tests.core.machine import AnyMessage, ask, long_lists, new, resolve, times

BILLING: Agent = evolve(
    joined.BILLING,
    voice="cedar",
    handoffs=[Handoff(lambda: DESK, tool_name="dance", voice="reconnect")],
)
DESK: Agent = evolve(joined.DESK, voice="marin", handoffs=[Handoff(BILLING, voice="reconnect")])

MOVES = (
    *["server reads"] * 8,
    *["client reads"] * 8,
    *["model"] * 10,
    *["dial"] * 6,
    *["task"] * 6,
    *["time"] * 6,
    *["say"] * 2,
    *["words"] * 2,
    *["turn"] * 2,
    *["decide"] * 2,
    "wish",
    "beside",
    "interrupt",
    "manual",
    "update",
    "report",
)
BEGINNING = (
    ("say", 0),
    ("server reads", 3),
    ("client reads", 7),
    ("model", 0),  # a word
    ("model", 2),  # a sound
    ("client reads", 7),
)


@define
class Client:
    """The machine as its world sees it: with what the server has been told of."""

    machine: Any
    before: Callable[[fx.Effects], None]
    untold: set[str | None] = field(factory=set)

    def handle(self, message: AnyMessage, now: float) -> fx.Effects:
        effects: fx.Effects = self.machine.handle(message, now)
        self.before(effects)
        return effects

    @property
    def history(self) -> tuple[Item, ...]:
        return tuple(item for item in self.machine.history if item.id not in self.untold)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)


@define(kw_only=True)
class World(joined.World):
    """A world with a second server, for a while."""

    dialled: list[fx.OpenAnother] = field(factory=list)
    """Connections that are being made, or were given up: their news comes all the same."""
    given_up: set[str] = field(factory=set)
    """Calls for which no connection is wanted any more: who makes one closes it."""
    waiting: list[Any] | None = None
    """The second server, and what it wants done."""
    opened: int = 0
    switched: int = 0

    def new_client(self) -> Any:
        machine = super().new_client()
        machine = new(
            DESK,
            settings=machine.setup.settings,
            **{
                "guardrails_settings": machine.setup.config.guardrails_settings,
                "tool_timeout": machine.setup.config.tool_timeout,
                **self.options,
            },
        )
        return Client(machine, self.before)

    def tell(self, message: AnyMessage) -> None:
        if isinstance(message, AgentResolved):
            message = AgentResolved(resolve(DESK))
        switched = self.switched
        super().tell(message)
        if self.switched > switched:
            # It is told in one go, and sooner than anybody can say a word.
            while self.to_server:
                self.server_reads(3)

    def before(self, effects: fx.Effects) -> None:
        """See to the connections, before anything is sent."""
        for effect in effects:
            match effect:
                case fx.OpenAnother():
                    self.dialled.append(effect)
                case fx.CloseAnother(call_id=call_id):
                    self.given_up.add(call_id)
                    self.waiting = None
                case fx.SwitchConnection():
                    self.switch([each.event for each in effects if isinstance(each, fx.Send)])

    def switch(self, sent: list[wire.ClientEvent]) -> None:
        assert self.waiting is not None
        self.server, *wanted = self.waiting
        self.waiting = None
        self.switched += 1
        for left in (self.to_server, self.to_client, self.generations, self.recognitions):
            left.clear()
        self.updates.clear()
        self.do(wanted)
        # What is true there is what it is told now.
        told = [each.item for each in sent if isinstance(each, wire.ConversationItemCreate)]
        known = {item.id for item in told}
        client: Any = self.client
        client.untold = {item.id for item in client.machine.history} - known
        self.calls = {item.call_id for item in told if isinstance(item, FunctionCallItem)}
        self.order.clear()
        self.outputs.clear()

    def do(self, wanted: list[server_fx.Effect]) -> None:
        for effect in wanted:
            match effect:
                case server_fx.Emit(event=wire.SessionUpdated(session=session)):
                    self.instructions = session.settings.instructions
                case server_fx.DetectTurns(settings=settings):
                    self.detecting, self.speaking = settings is not None, False

    def happen(self, move: str, number: int) -> None:
        if move == "dial":
            self.dial(number)
        else:
            super().happen(move, number)

    def client_reads(self, number: int) -> None:
        for _ in range(1 + number % 8):
            if self.to_client:  # they may be another server's, suddenly
                self.tell(self._dialect.decode_server(self.to_client.popleft()))

    def dial(self, number: int) -> None:
        """There is news of a connection."""
        if not self.dialled:
            return
        effect = self.dialled.pop(0)
        if number % 8 == 7:
            error = StartError("nobody there", StartCause.NETWORK)
            self.tell(AnotherFailed(call_id=effect.call_id, error=error))
            return
        self.opened += 1
        ids: Counter[str] = Counter()
        server = self.opened

        def new_id(prefix: str) -> str:
            ids[prefix] += 1
            return f"{prefix}_{server}_{ids[prefix]}"

        other = joined.new_server(new_id, beta=self.beta)
        update = self._dialect.decode_client(self._dialect.encode_client(effect.update))
        wanted = [
            *other.handle(server_messages.Opened(unix_time=1.7e9), self.now),
            *other.handle(update, self.now),
        ]
        (answer,) = [
            each.event
            for each in wanted
            if isinstance(each, server_fx.Emit) and isinstance(each.event, wire.SessionUpdated)
        ]
        if effect.call_id not in self.given_up:
            self.waiting = [other, *wanted]
        self.tell(AnotherOpened(call_id=effect.call_id, answer=answer))

    def _fire_next_timer(self) -> bool:
        if self.dialled:
            self.dial(0)
            return True
        return super()._fire_next_timer()


worlds = st.fixed_dictionaries(
    {
        "settings": st.builds(
            SessionModelSettings,
            turn_detection=st.sampled_from([None, OFF, TurnDetectionConfig(create_response=False)]),
            input_audio_transcription=st.sampled_from([None, {"model": "gpt-transcribe"}]),
        ),
        "beta": st.booleans(),
        "options": st.fixed_dictionaries(
            {
                "async_tool_calls": st.booleans(),
                "playback_reported": st.booleans(),
                "approval_timeout": st.sampled_from([None, 5.0]),
            }
        ),
    }
)
stories = long_lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 255)), 120)

# To shrink a failing story takes longer than to find it.
pytestmark = pytest.mark.timeout(600)


def handing_over(world: dict[str, Any]) -> World:
    """The model has spoken, and calls the handoff."""
    told = World(**world)
    for move, number in BEGINNING:
        told.happen(move, number)
    for response_id in tuple(told.generations):
        told.serve(
            server_messages.GenerationToolCall(
                response_id=response_id, index=0, name="transfer_to_billing", arguments="{}"
            )
        )
    return told


@times(4)
@given(story=stories, world=worlds)
def test_whatever_happens_everything_comes_to_its_end(story, world) -> None:
    told = handing_over(world)
    for move, number in story:
        told.happen(move, number)

    told.settle()

    told.check_at_rest()


INTERRUPTED_BEFORE_THE_CHANGE = (
    ("client reads", 0),
    ("model", 13),  # a call that needs approval
    ("client reads", 7),
    ("model", 0),
    ("task", 0),  # it is looked whether it does
    ("turn", 0),  # the user talks over it
    ("dial", 0),
)


@given(world=worlds)
def test_a_call_that_was_interrupted_is_not_run_by_another_connection(world) -> None:
    told = handing_over(world)
    for move, number in INTERRUPTED_BEFORE_THE_CHANGE:
        told.happen(move, number)

    told.settle()  # whoever is asked for approval gives it

    told.check_at_rest()


@given(story=stories, world=worlds)
def test_a_connection_may_be_lost_at_any_moment(story, world) -> None:
    told = handing_over(world)
    for move, number in story:
        told.happen(move, number)

    told.lose_connection()
    assert told.waiting is None
    told.tell(ask(messages.Close(), "the end"))

    told.watch.at_the_end()


@given(world=worlds)
def test_nothing_is_in_the_way_of_a_change(world) -> None:
    told = handing_over(world)

    told.settle()

    assert told.switched == 1  # also when a player that should report never does
    assert len(told.published(events.HandoffEvent)) == 1
    told.check_at_rest()
