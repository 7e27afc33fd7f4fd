"""Responses from beginning to end: one in the conversation at a time, others out of band.

    waiting (for the words of what the caller said) ──▶ generating ──▶ done

A response is done exactly once: completed, incomplete, cancelled or failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from attrs import define, evolve

from realtime_actors.config import ResponseSettings
from realtime_actors.items import Item, ItemReference
from realtime_actors.protocol import (
    CachedTokensDetails,
    ErrorDetail,
    InputTokenDetails,
    OutputTokenDetails,
    RateLimitsUpdated,
    Usage,
)
from realtime_actors.server.engines.interfaces import BrainRequest
from realtime_actors.server.hearing import Hearing
from realtime_actors.server.item_chain import Entry, ItemChain
from realtime_actors.server.outbox import Outbox
from realtime_actors.server.refusals import Refused, unknown_item
from realtime_actors.server.response_run import ResponsePlan, ResponseRun
from realtime_actors.server.server_effects import CancelGeneration, Generate
from realtime_actors.server.server_messages import (
    GenerationAudio,
    GenerationEnded,
    GenerationFailed,
    GenerationFinding,
    GenerationText,
    GenerationToolCall,
)
from realtime_actors.server.session_state import SessionState
from realtime_actors.server.token_counting import RateLimiter, TokenCount, count_context

__all__ = ["MAX_OUT_OF_BAND", "Responses"]

MAX_OUT_OF_BAND = 16
"""How many responses may be made out of band at once."""
MAX_OUTPUT_TOKENS = 4096


@define(kw_only=True)
class _Running:
    """A response, and what it is an answer to."""

    run: ResponseRun
    context: Sequence[tuple[str, Entry]]
    """What the model is to read: items with their ids."""
    waits_for: set[str]
    """Those of them whose words are not known yet."""
    reserved: int = 0
    """Output tokens that were counted against the rate limit in advance."""
    read: TokenCount | None = None
    """What the model was given to read; None while it is waiting."""


class Responses:
    """Starts responses, passes on what the model says, and ends them.

    `on_done` is told when the conversation's response is over and no other follows.
    """

    def __init__(
        self,
        *,
        out: Outbox,
        chain: ItemChain,
        session: SessionState,
        hearing: Hearing,
        limiter: RateLimiter,
        conversation_id: str,
        on_done: Callable[[ResponseRun, float], None],
    ) -> None:
        self._out = out
        self._chain = chain
        self._session = session
        self._hearing = hearing
        self._limiter = limiter
        self._conversation_id = conversation_id
        self._on_done = on_done
        self._active: _Running | None = None
        self._out_of_band: dict[str, _Running] = {}
        self._turn_waits = False
        self._read_before = TokenCount()
        self.spoke = False
        """Whether the model's voice has been heard: it can't change any more."""

    @property
    def active(self) -> ResponseRun | None:
        """The response in the conversation."""
        return self._active.run if self._active else None

    def create(self, override: ResponseSettings | None, now: float) -> None:
        """Start what the client asks for, or raise `Refused`."""
        plan = self._session.plan(override, spoke=self.spoke)
        if plan.in_conversation and self._active is not None:
            raise Refused(
                "Conversation already has an active response in progress: "
                f"{self._active.run.id}. Wait until the response is finished before creating a "
                "new one.",
                code="conversation_already_has_active_response",
            )
        if not plan.in_conversation and len(self._out_of_band) >= MAX_OUT_OF_BAND:
            raise Refused(
                f"Too many responses at once: the limit is {MAX_OUT_OF_BAND} out of band.",
                code="too_many_active_responses",
            )
        given = override.input if override else None
        context = self._chain.items() if given is None else self._input(given)
        self._start(plan, context, now)

    def answer_turn(self, now: float) -> None:
        """Answer what the caller said: now, or when the response in the way is done."""
        if self._active is not None:
            self._turn_waits = True
            return
        self._turn_waits = False
        self._start(self._session.plan(None, spoke=self.spoke), self._chain.items(), now)

    def cancel(self, response_id: str | None, now: float) -> None:
        """Stop what the client wants stopped, or raise `Refused`."""
        running = self._active if response_id is None else self._find(response_id)
        if running is None:
            raise Refused(
                "Cancellation failed: no active response found", code="response_cancel_not_active"
            )
        self._cancel(running, "client_cancelled", now)

    def interrupt(self, now: float) -> None:
        """Stop the conversation's response: the caller is speaking."""
        self._turn_waits = False  # what is being said will be answered, with what was said
        if self._active is not None:
            self._cancel(self._active, "turn_detected", now)

    def words_known(self, item_id: str) -> None:
        """Ask the model wherever only the words of this item were missing."""
        for running in self._all():
            running.waits_for.discard(item_id)
            if running.read is None and not running.waits_for:
                self._generate(running)

    def found(self, finding: GenerationFinding, now: float) -> None:
        """Pass on what the model has said. Late words of a response that is over are dropped."""
        running = self._find(finding.response_id)
        if running is None:
            return None
        run = running.run
        match finding:
            case GenerationText(text=text):
                run.text(text)
            case GenerationAudio(audio=audio):
                run.audio(audio)
                self.spoke = True
            case GenerationToolCall():
                run.tool_call(finding)
            case GenerationEnded(reason="stop"):
                run.completed(self._usage(running, finding))
                return self._done(running, now)
            case GenerationEnded(reason=reason):
                run.incomplete(reason, self._usage(running, finding))
                return self._done(running, now)
            case GenerationFailed(message=message, code=code):
                run.failed(
                    ErrorDetail(type="server_error", code=code, message=message),
                    self._usage(running),
                )
                return self._done(running, now)
            case _:
                assert_never(finding)
        if run.output.total >= (run.plan.max_output_tokens or MAX_OUTPUT_TOKENS):
            self._out.do(CancelGeneration(run.id))
            run.incomplete("max_output_tokens", self._usage(running))
            self._done(running, now)
        return None

    def words_of(self, item_id: str) -> str:
        """Return what was said so far of an item that is still being said, else ''."""
        return self._active.run.words_of(item_id) if self._active else ""

    def abandon(self) -> None:
        """Let the model stop, without an event: the connection is about to close."""
        for running in self._all():
            if running.read is not None:
                self._out.do(CancelGeneration(running.run.id))
        self._active, self._out_of_band = None, {}

    def _all(self) -> list[_Running]:
        return [*([self._active] if self._active else []), *self._out_of_band.values()]

    def _find(self, response_id: str) -> _Running | None:
        if self._active is not None and self._active.run.id == response_id:
            return self._active
        return self._out_of_band.get(response_id)

    def _input(self, given: Sequence[Item]) -> list[tuple[str, Entry]]:
        """Return what the client gives in place of the conversation."""
        context = []
        for index, item in enumerate(given):
            if isinstance(item, ItemReference):
                entry = self._chain.get(item.id or "")
                if entry is None:
                    raise unknown_item(
                        "referencing",
                        item.id or "",
                        code="invalid_item_id",
                        param=f"response.input[{index}].id",
                    )
                context.append((item.id or "", entry))
            else:
                item_id = item.id or self._out.new_id("item")
                context.append((item_id, Entry(item, self._session.input_format)))
        return context

    def _start(self, plan: ResponsePlan, context: Sequence[tuple[str, Entry]], now: float) -> None:
        run = ResponseRun(
            self._out.new_id("resp"),
            plan,
            out=self._out,
            chain=self._chain,
            conversation_id=self._conversation_id,
        )
        running = _Running(run=run, context=context, waits_for=set())
        if plan.in_conversation:
            self._active = running
        else:
            self._out_of_band[run.id] = running
        run.created()
        reserved = plan.max_output_tokens or MAX_OUTPUT_TOKENS
        refused = self._limiter.take(now, tokens=self._count(running).total + reserved)
        self._out.emit(RateLimitsUpdated(rate_limits=self._limiter.report(now)))
        if refused:
            error = ErrorDetail(
                type="rate_limit_exceeded",
                code="rate_limit_exceeded",
                message=f"Rate limit reached: too many {refused} per minute.",
            )
            run.failed(error, Usage())
            self._done(running, now)
            return
        running.reserved = reserved
        for item_id, entry in context:
            if item_id not in self._chain:
                self._hearing.listen_to(item_id, entry)
        running.waits_for = self._hearing.pending(item_id for item_id, _ in context)
        if not running.waits_for:
            self._generate(running)

    def _generate(self, running: _Running) -> None:
        plan = running.run.plan
        running.read = self._count(running)
        self._out.do(
            Generate(
                response_id=running.run.id,
                request=BrainRequest(
                    instructions=plan.instructions,
                    items=tuple(entry.for_brain() for _, entry in running.context),
                    tools=tuple(tool for tool in plan.tools if tool.get("type") == "function"),
                    tool_choice=plan.tool_choice,
                    max_output_tokens=plan.max_output_tokens,
                ),
                speech=plan.speech if plan.speaks else None,
            )
        )

    def _count(self, running: _Running) -> TokenCount:
        plan = running.run.plan
        entries = [entry for _, entry in running.context]
        return count_context(plan.instructions, plan.tools, entries)

    def _cancel(self, running: _Running, reason: str, now: float) -> None:
        if running.read is not None:
            self._out.do(CancelGeneration(running.run.id))
        running.run.cancelled(reason, self._usage(running))
        self._done(running, now)

    def _done(self, running: _Running, now: float) -> None:
        """Forget a response that is over; then answer the turn that waited for it."""
        run = running.run
        self._limiter.give_back(max(0, running.reserved - run.output.total))
        if running is self._active:
            self._active = None
            if running.read is not None:
                self._read_before = running.read
            if self._turn_waits:
                self.answer_turn(now)
            else:
                self._on_done(run, now)
        else:
            del self._out_of_band[run.id]

    def _usage(self, running: _Running, ended: GenerationEnded | None = None) -> Usage:
        """Return what it cost. A brain that counts knows better than we how long its texts are."""
        read, written = running.read or TokenCount(), running.run.output
        if ended is not None and ended.input_tokens is not None:
            read = evolve(read, text=ended.input_tokens)
        if ended is not None and ended.output_tokens is not None:
            written = evolve(written, text=ended.output_tokens)
        cached = TokenCount()
        if running.run.plan.in_conversation:
            cached = self._read_before.cached_in(read)
        return Usage(
            total_tokens=read.total + written.total,
            input_tokens=read.total,
            output_tokens=written.total,
            input_token_details=InputTokenDetails(
                text_tokens=read.text,
                audio_tokens=read.audio,
                image_tokens=read.image,
                cached_tokens=cached.total,
                cached_tokens_details=CachedTokensDetails(
                    text_tokens=cached.text, audio_tokens=cached.audio, image_tokens=cached.image
                ),
            ),
            output_token_details=OutputTokenDetails(
                text_tokens=written.text, audio_tokens=written.audio
            ),
        )
