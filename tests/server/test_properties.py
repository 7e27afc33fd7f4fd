"""Whatever a client does, in whatever order: what must always hold."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    MessageItem,
    user_message,
)
from realtime_actors.protocol import (
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    InputAudioBufferCommitted,
    ResponseCancel,
    ResponseCreated,
    ResponseDone,
    ResponseOutputAudioDelta,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ServerEvent,
)
from realtime_actors.server.server_effects import (
    CancelGeneration,
    CancelRecognition,
    DetectTurns,
    Effect,
    Emit,
    Generate,
    Hear,
    Recognise,
    ResetDetector,
)
from realtime_actors.server.server_messages import (
    GenerationAudio,
    GenerationEnded,
    GenerationFailed,
    GenerationText,
    GenerationToolCall,
    Message,
    Tick,
    Transcribed,
    TranscriptionFailed,
)
from realtime_actors.server.turn_detection import (
    SilenceBegan,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
)
from tests.server.talk import Talk, silence

# --- what a client may do --------------------------------------------------------------------

ITEM_IDS = st.sampled_from(["root", "mine", *(f"item_{n}" for n in (1, 2, 3, 4, 5, 99))])
RESPONSE_IDS = st.sampled_from([f"resp_{n}" for n in (1, 2, 3, 99)])
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "id", "audio", "input", "format", "role", "content", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
TURN_DETECTION = st.sampled_from(
    [
        None,
        {"type": "server_vad"},
        {"type": "server_vad", "interrupt_response": False},
        {"type": "server_vad", "create_response": False, "idle_timeout_ms": 5000},
        {"type": "server_vad", "idle_timeout_ms": 6000},
        {"type": "semantic_vad", "eagerness": "low"},
    ]
)
UPDATES = st.builds(
    lambda input_, **session: {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"input": input_}, **session},
    },
    st.fixed_dictionaries(
        {},
        optional={
            "turn_detection": TURN_DETECTION,
            "format": st.sampled_from(
                [{"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcmu"}]
            ),
            "transcription": st.sampled_from([None, {"model": "whisper-1"}, {"model": "other"}]),
        },
    ),
    max_output_tokens=st.sampled_from(["inf", 1, 30]),
)
CREATES = st.builds(
    lambda **response: {"type": "response.create", "response": response},
    conversation=st.sampled_from(["auto", "auto", "none"]),
    output_modalities=st.sampled_from([["audio"], ["text"]]),
)
EVENT_TYPES = st.sampled_from(
    [
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "conversation.item.create",
        "conversation.item.truncate",
        "response.create",
        "response.cancel",
        "nonsense",
    ]
)
NONSENSE = st.builds(
    lambda type_, members: {**members, "type": type_},
    EVENT_TYPES,
    st.dictionaries(
        st.sampled_from(["session", "item", "audio", "response", "item_id", "event_id", "x"]),
        JUNK,
        max_size=3,
    ),
)
ITEMS = st.sampled_from(
    [
        user_message("Hello"),
        MessageItem(id="mine", role="system", content=()),
        MessageItem(role="user", content=(InputAudio(audio=silence(200)),)),
        FunctionCallItem(call_id="c", name="f", arguments="{}"),
        FunctionCallOutputItem(call_id="c", output=""),
    ]
)
CLIENT: st.SearchStrategy[Message | dict[str, Any]] = st.one_of(
    UPDATES,
    CREATES,
    CREATES,
    CREATES,
    NONSENSE,
    st.builds(InputAudioBufferAppend, audio=st.sampled_from([silence(200), silence(3000), b"1"])),
    st.just(InputAudioBufferCommit()),
    st.just(InputAudioBufferClear()),
    st.builds(
        ConversationItemCreate, item=ITEMS, previous_item_id=st.none() | st.none() | ITEM_IDS
    ),
    st.builds(ConversationItemDelete, item_id=ITEM_IDS),
    st.builds(ConversationItemRetrieve, item_id=ITEM_IDS),
    st.builds(ConversationItemTruncate, item_id=ITEM_IDS, audio_end_ms=st.integers(-1, 400)),
    st.builds(ResponseCancel, response_id=st.none() | RESPONSE_IDS),
)


# --- a shell that does what it is told, in an order that is not its own ----------------------


@define
class Shell:
    """Performs effects like a connection would; a random number says what happens next."""

    talk: Talk = field(factory=Talk)
    sent: list[ServerEvent] = field(factory=list)
    effects: list[Effect] = field(factory=list)
    detecting: bool = False
    speaking: bool = False
    heard_ms: int = 0
    bytes_per_ms: int = 48
    recognitions: list[Recognise] = field(factory=list)
    generations: dict[str, Generate] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.perform(self.talk.opening)

    def give(self, message: Message | dict[str, Any]) -> None:
        self.perform(self.talk(message))

    def perform(self, effects: tuple[Effect, ...]) -> None:
        self.effects += effects
        for effect in effects:
            match effect:
                case Emit(event=event):
                    self.sent.append(event)
                case DetectTurns():
                    self.detecting, self.speaking = effect.settings is not None, False
                    self.heard_ms = effect.start_ms
                    self.bytes_per_ms = 48 if effect.audio_format == "pcm16" else 8
                case ResetDetector():
                    self.speaking = False
                case Hear(audio=audio):
                    self.heard_ms += len(audio) // self.bytes_per_ms
                case Recognise():
                    self.recognitions.append(effect)
                case CancelRecognition(attempt=attempt):
                    # It may be too late: sometimes the result is on its way.
                    assert attempt in [each.attempt for each in self.recognitions]
                case Generate(response_id=response_id):
                    assert response_id not in self.generations
                    self.generations[response_id] = effect
                case CancelGeneration(response_id=response_id):
                    del self.generations[response_id]
                case _:
                    pass

    def happen(self, choice: int, text: str) -> None:
        """Let time pass, or an engine find something: whichever the number says."""
        possible = [self.wait] * 2
        possible += [self.turn] * (3 if self.detecting else 0)
        possible += [lambda which: self.recognise(which, text)] * (3 if self.recognitions else 0)
        possible += [lambda which: self.generate(which, text)] * (8 if self.generations else 0)
        which, kind = divmod(choice, len(possible))
        possible[kind](which)

    def wait(self, which: int) -> None:
        self.talk.now += which
        wakes_at = self.talk.conversation.wakes_at
        if wakes_at is not None and wakes_at <= self.talk.now:
            self.give(Tick())

    def recognise(self, which: int, text: str) -> None:
        asked = self.recognitions.pop(which % len(self.recognitions))
        ids: dict[str, Any] = {"item_id": asked.item_id, "attempt": asked.attempt}
        if which % 5 == 4:
            self.give(TranscriptionFailed(message="unclear", **ids))
        else:
            self.give(Transcribed(text=text, **ids))

    def turn(self, which: int) -> None:
        self.heard_ms += 1
        if not self.speaking:
            self.speaking = True
            self.give(SpeechStarted(max(0, self.heard_ms - 300)))
        elif which % 3 == 0:
            self.speaking = False
            self.give(SpeechStopped(self.heard_ms))
        else:
            self.give(SilenceBegan(self.heard_ms))
            if which % 3 == 1 and self.speaking:
                self.give(SpeechResumed(self.heard_ms))

    def generate(self, which: int, text: str) -> None:
        response_id = list(self.generations)[which % len(self.generations)]
        match which // len(self.generations) % 12:
            case 0 | 1 | 2:
                self.give(GenerationText(response_id, text or "word"))
            case 3 | 4 | 5 | 6 if self.generations[response_id].speech is not None:
                self.give(GenerationAudio(response_id, silence(100)))
            case 7 | 8 | 9:
                self.give(
                    GenerationToolCall(
                        response_id=response_id, index=which % 2, name="f", arguments=text
                    )
                )
            case 10:
                self.end(GenerationFailed(response_id=response_id, message="broken"))
            case 11:
                self.end(GenerationEnded(response_id=response_id))

    def end(self, finding: GenerationEnded | GenerationFailed) -> None:
        # The response may have been ended by its limit just now.
        if self.generations.pop(finding.response_id, None):
            self.give(finding)

    def finish(self) -> None:
        """Let everything that is owed come."""
        while self.recognitions or self.generations:
            while self.recognitions:
                asked = self.recognitions.pop(0)
                self.give(Transcribed(item_id=asked.item_id, attempt=asked.attempt, text="fine"))
            for response_id in list(self.generations):
                self.end(GenerationEnded(response_id=response_id))


ENGINES = st.tuples(st.integers(0, 2000), st.sampled_from(["", "word", "two words", "x" * 200]))
STEP = st.one_of(CLIENT, ENGINES, ENGINES, ENGINES)
STEPS = st.one_of(st.lists(STEP, max_size=20), st.lists(STEP, min_size=40, max_size=120))


def run(steps: list[Any]) -> Shell:
    shell = Shell()
    for step in steps:
        shell.talk.now += 0.02
        if isinstance(step, tuple):
            shell.happen(*step)
        else:
            shell.give(step)
    shell.finish()
    return shell


# --- what must hold --------------------------------------------------------------------------


@settings(max_examples=150)
@given(STEPS)
def test_a_conversation_keeps_its_rules(steps: list[Any]) -> None:
    shell = run(steps)

    responses_are_done_once_and_one_at_a_time(shell.sent)
    output_items_are_bracketed(shell.sent)
    the_chain_is_consistent(shell.sent)
    committed_audio_is_transcribed_once_at_most(shell.sent)
    nothing_is_heard_of_a_response_that_is_over(shell.sent)


@given(STEPS)
def test_the_same_messages_give_the_same_effects(steps: list[Any]) -> None:
    assert run(steps).effects == run(steps).effects


@given(st.lists(st.one_of(NONSENSE, CLIENT), max_size=30), st.booleans())
def test_a_client_alone_never_breaks_it(steps: list[Any], beta: bool) -> None:
    talk = Talk(beta=beta)
    for step in steps:
        talk(step)


def responses_are_done_once_and_one_at_a_time(sent: list[ServerEvent]) -> None:
    active: str | None = None
    beside: set[str | None] = set()
    for event in sent:
        match event:
            case ResponseCreated(response=response):
                assert response.status == "in_progress"
                if response.conversation_id is None:
                    beside.add(response.id)
                else:
                    assert active is None
                    active = response.id
            case ResponseDone(response=response):
                assert response.usage is not None
                assert response.status in ("completed", "cancelled", "incomplete", "failed")
                if response.conversation_id is None:
                    beside.remove(response.id)
                else:
                    assert active == response.id
                    active = None
    assert active is None
    assert not beside


def output_items_are_bracketed(sent: list[ServerEvent]) -> None:
    open_items: dict[str, str | None] = {}
    indices: Counter[str] = Counter()
    for event in sent:
        match event:
            case ResponseOutputItemAdded(response_id=response_id, item=item):
                assert response_id not in open_items
                assert event.output_index == indices[response_id]
                open_items[response_id] = item.id
            case ResponseOutputItemDone(response_id=response_id, item=item):
                assert open_items.pop(response_id) == item.id
                indices[response_id] += 1
            case ResponseDone(response=response):
                assert response.id not in open_items
                assert len(response.output) == indices[response.id or ""]


def the_chain_is_consistent(sent: list[ServerEvent]) -> None:
    chain: list[str | None] = []
    for event in sent:
        match event:
            case ConversationItemAdded(item=item, previous_item_id=previous):
                assert item.id not in chain
                chain.insert(0 if previous is None else chain.index(previous) + 1, item.id)
            case ConversationItemDone(item=item, previous_item_id=previous):
                place = chain.index(item.id)
                assert previous == (chain[place - 1] if place else None)
            case ConversationItemDeleted(item_id=item_id):
                chain.remove(item_id)


def committed_audio_is_transcribed_once_at_most(sent: list[ServerEvent]) -> None:
    committed, transcribed = set(), Counter[str]()
    for event in sent:
        match event:
            case InputAudioBufferCommitted(item_id=item_id):
                assert item_id not in committed
                committed.add(item_id)
            case (
                ConversationItemInputAudioTranscriptionCompleted(item_id=item_id)
                | ConversationItemInputAudioTranscriptionFailed(item_id=item_id)
            ):
                transcribed[item_id] += 1
    assert all(count == 1 for count in transcribed.values())


def nothing_is_heard_of_a_response_that_is_over(sent: list[ServerEvent]) -> None:
    over: set[str | None] = set()
    for event in sent:
        match event:
            case ResponseDone(response=response):
                over.add(response.id)
            case ResponseOutputAudioDelta(response_id=response_id):
                assert response_id not in over
