"""Faults, one for each thing that the tests must notice when it breaks.

`behaviour` counts as issue 5 of the tracker does:

     1  one response at a time        8  approval
     2  errors are classified         9  handoffs are atomic
     3  tolerance                    10  guardrails
     4  the playback ledger          11  transcripts in order
     5  the interruption fence       12  editing the history
     6  echo policy                  13  accounting and limits
     7  one outcome per call         14  transcription sessions

`find` must be in its file exactly once. `near` are the test files that should notice, and
are run first: that is for speed, every other test may notice as well.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["MUTANTS", "Mutant"]


@frozen
class Mutant:
    """One fault."""

    behaviour: int
    breaks: str
    """What goes wrong, as a user would tell it."""
    file: str
    """Below `realtime_actors/`."""
    find: str
    replace: str
    near: tuple[str, ...]
    """Below `tests/`."""


RESPONSES = ("core/test_responses.py", "core/test_wishes.py")
OUT_OF_BAND = ("core/test_out_of_band.py", "core/test_responses.py")
ERRORS = ("core/test_errors.py",)
READING = ("protocol/test_reading.py", "protocol/test_writing.py")
HALVES = ("session/test_halves_of_characters.py",)
PLAYBACK = ("core/test_playback.py", "core/test_interruption.py")
FENCE = ("core/test_interruption.py",)
ECHO = ("core/test_barge_in.py", "core/test_microphone.py")
TOOLS = ("core/test_tools.py", "core/test_errors.py")
ROUNDS = ("core/test_rounds.py",)
APPROVAL = ("core/test_approvals.py", "session/test_approvals.py")
HANDOFFS = ("core/test_handoffs.py",)
RECONNECTING = ("core/test_reconnecting.py", "session/test_reconnecting.py")
GUARDRAILS = ("core/test_guardrails.py", "core/test_holding.py")
WORDS = ("core/test_conversation.py", "core/test_transcripts.py", "core/test_heard_words.py")
EDITING = ("core/test_editing.py", "core/test_handoffs.py", "session/test_editing.py")
STORIES = ("soak/test_soak.py",)
LIMITS = ("core/test_limits.py", "session/test_limits.py")
LISTENING = ("core/test_transcription.py", "session/test_transcription.py")

MUTANTS: Final = (
    # 1: one response at a time
    Mutant(
        1,
        "a response is asked for while another is active",
        "core/response.py",
        "if not self._wanted or self._holds or not isinstance(self.phase, Idle):",
        "if not self._wanted or self._holds:",
        RESPONSES,
    ),
    Mutant(
        1,
        "a wish that lost the race to the server's own response is lost",
        "core/response.py",
        "            self._wanted.appendleft(asked.wanted)\n",
        "            pass\n",
        RESPONSES,
    ),
    Mutant(
        1,
        "a refused wish is sent again at once, for ever",
        "core/response.py",
        "self.phase = OBSTRUCTED",
        "self.phase = IDLE",
        RESPONSES,
    ),
    Mutant(
        1,
        "every plain wish makes a response of its own",
        "core/response.py",
        "if not self._joins(wanted):",
        "if True:",
        RESPONSES,
    ),
    Mutant(
        1,
        "a response beside the conversation counts as one of it",
        "core/out_of_band.py",
        "return response_id in self._responses",
        "return False",
        RESPONSES,
    ),
    Mutant(
        1,
        "a wish out of band that was lost claims the answer that somebody asked for",
        "core/out_of_band.py",
        "return first, asked_for is None and not self._user_had_turn",
        "return first, not self._user_had_turn",
        OUT_OF_BAND,
    ),
    Mutant(
        1,
        "a wish out of band that was lost claims the server's own answer to the user",
        "core/out_of_band.py",
        "return first, asked_for is None and not self._user_had_turn",
        "return first, asked_for is None",
        OUT_OF_BAND,
    ),
    Mutant(
        1,
        "a wish out of band that nothing answers is kept for ever",
        "core/out_of_band.py",
        "return [SetTimer(out_of_band_timer(event_id), ANSWER_WITHIN)]",
        "return []",
        OUT_OF_BAND,
    ),
    Mutant(
        1,
        "a create that the server never answers is waited for, for ever",
        "core/response.py",
        "return [Send(event), SetTimer(ANSWER_TIMER, ANSWER_WITHIN)]",
        "return [Send(event)]",
        RESPONSES,
    ),
    # 2: errors
    Mutant(
        2,
        "an expired session is taken for a passing trouble",
        "core/faults.py",
        '        "session_expired",\n',
        "",
        ERRORS,
    ),
    Mutant(
        2,
        "a session whose account is closed lives on",
        "core/session.py",
        "return effects + self._end(_failed(error))",
        "return effects",
        ERRORS,
    ),
    Mutant(
        2,
        "who waits for an update is not told that the session is over",
        "core/session.py",
        "effects.append(Refuse(pending.purpose.caller, error))",
        "pass",
        ERRORS,
    ),
    Mutant(
        2,
        "nobody learns why a response is incomplete",
        "core/turns.py",
        'if response.status not in ("failed", "incomplete"):',
        'if response.status != "failed":',
        ERRORS,
    ),
    Mutant(
        2,
        "a benign error counts as the end",
        "core/faults.py",
        "return error.code in _FATAL or error.type in _FATAL",
        "return True",
        ERRORS,
    ),
    # 3: tolerance
    Mutant(
        3,
        "what has no name here reaches nobody",
        "core/session.py",
        "            case _:\n                return [self._as_it_came(event)]",
        "            case _:\n                return []",
        ERRORS,
    ),
    Mutant(
        3,
        "an event of an unknown type raises",
        "protocol/dialects.py",
        "return UnknownEvent(type=kind, event_id=_event_id(wire), raw=wire)",
        "raise KeyError(kind)",
        ("session/test_tolerance.py", "core/test_errors.py"),
    ),
    Mutant(
        3,
        "a call without a name raises",
        "core/calling.py",
        "if call_id is None or name is None or",
        "if call_id is None or",
        ("core/test_tools.py", "core/test_random_orders.py"),
    ),
    Mutant(
        3,
        "half of a character costs the event that it is in",
        "protocol/dialects.py",
        "wire, left_out = loads_damaged(data)",
        "raise",
        READING,
    ),
    Mutant(
        3,
        "a number that JSON does not have is left out without a word",
        "protocol/dialects.py",
        "ignored=(*event.ignored, *left_out)",
        "ignored=event.ignored",
        READING,
    ),
    Mutant(
        3,
        "an index of -1 is the last one",
        "protocol/codec.py",
        "if index is None or not 0 <= index <= MAX_INDEX:",
        "if index is None:",
        READING,
    ),
    Mutant(
        3,
        "the core takes an index that no list has",
        "core/session.py",
        "if problem is not None:",
        "if False:",
        ERRORS,
    ),
    Mutant(
        3,
        "speech of a part that no item has is played",
        "core/session.py",
        "            and 0 <= message.content_index <= MAX_INDEX\n",
        "",
        ERRORS,
    ),
    Mutant(
        3,
        "a server's mistake is told each time that it is made",
        "core/reports.py",
        "if told is not None and now - told.at < REPORT_AGAIN_AFTER:",
        "if False:",
        ERRORS,
    ),
    Mutant(
        3,
        "half of a character that somebody wrote can't be sent",
        "protocol/dialects.py",
        "return self._dumps(replace_surrogates_within(wire))",
        "raise",
        (*READING, *HALVES),
    ),
    Mutant(
        3,
        "subscribers read another output of a tool than the model",
        "core/tool_calls.py",
        "        output = replace_surrogates(output)\n",
        "",
        HALVES,
    ),
    # 4: the playback ledger
    Mutant(
        4,
        "more is heard than was received",
        "core/playback.py",
        "heard_ms=max(0, min(heard_ms, received_ms)),",
        "heard_ms=max(0, heard_ms),",
        PLAYBACK,
    ),
    Mutant(
        4,
        "a player that ran dry is believed to have gone on",
        "core/playback.py",
        "        if head >= self._received:\n",
        "        if False:\n",
        PLAYBACK,
    ),
    Mutant(
        4,
        "marks of a far player do not add up",
        "core/playback.py",
        "before = 0.0 if absolute else part.reported_ms",
        "before = 0.0",
        PLAYBACK,
    ),
    Mutant(
        4,
        "the history keeps words that were never heard",
        "core/conversation.py",
        "kept = words[: len(words) * heard_ms // received_ms]",
        "kept = words",
        ("core/test_interruption.py", "core/test_conversation.py"),
    ),
    Mutant(
        4,
        "what was heard to its end is truncated all the same",
        "core/playback.py",
        "return self.complete and self.heard_ms >= self.received_ms",
        "return False",
        PLAYBACK,
    ),
    # 5: the interruption fence
    Mutant(
        5,
        "late audio of an interrupted response is heard",
        "core/speech.py",
        "self._silenced.add(active_id)",
        "pass",
        FENCE,
    ),
    Mutant(
        5,
        "an interruption is told twice",
        "core/speech.py",
        "if active_id in self._silenced:",
        "if False:",
        FENCE,
    ),
    Mutant(
        5,
        "an interruption of nothing is told",
        "core/speech.py",
        "if active_id is None and not unheard:",
        "if False:",
        FENCE,
    ),
    Mutant(
        5,
        "an item of which nothing was heard stays in the conversation",
        "core/speech.py",
        "effects.append(Send(ConversationItemDelete(item_id=item_id)))",
        "pass",
        FENCE,
    ),
    # 6: the echo policy
    Mutant(
        6,
        "the model's echo is heard while the microphone is muted",
        "core/microphone.py",
        "if at < echo.muted_until:",
        "if False:",
        ECHO,
    ),
    Mutant(
        6,
        "the echo counts as somebody who speaks loudly",
        "core/echo.py",
        "self._loudest_db - self.barge_in.echo_loss_db",
        "-96.0",
        ECHO,
    ),
    Mutant(
        6,
        "the microphone closes in the middle of a word",
        "core/microphone.py",
        "self._open_for = echo.hold_ms * per_ms",
        "self._open_for = 0",
        ECHO,
    ),
    Mutant(
        6,
        "speech that must not be interrupted is",
        "core/session.py",
        "if self._configuration.interrupts_on_speech and not protected:",
        "if self._configuration.interrupts_on_speech:",
        ECHO,
    ),
    Mutant(
        6,
        "the user is heard while the model speaks half-duplex",
        "core/echo.py",
        "return Echo(muted_until=max(muted, until))",
        "return Echo(muted_until=muted)",
        STORIES,
    ),
    Mutant(
        6,
        "the microphone is open while something is said that nobody may interrupt",
        "core/echo.py",
        "return None if protected is None else Echo(muted_until=protected)",
        "return None",
        STORIES,
    ),
    Mutant(
        6,
        "the user's speech cancels what the server would not",
        "core/session.py",
        "effects += self._speech.interrupt(now, cancel=False)",
        "effects += self._speech.interrupt(now, cancel=True)",
        STORIES,
    ),
    Mutant(
        6,
        "a user is muted for ever by a player that died",
        "core/playback.py",
        "return ends_at if ends_at > now else None",
        "return now + 1.0",
        ECHO,
    ),
    # 7: one outcome per call
    Mutant(
        7,
        "a call that two events name runs twice",
        "core/tool_calls.py",
        "if call.call_id in self._seen:",
        "if False:",
        TOOLS,
    ),
    Mutant(
        7,
        "a call is answered each time that an outcome comes",
        "core/tool_calls.py",
        "call = self._open.pop(call_id, None)",
        "call = self._open.get(call_id)",
        TOOLS,
    ),
    Mutant(
        7,
        "the first outcome of two parallel calls asks for a response",
        "core/rounds.py",
        "if group.response_done and not group.open",
        "if group.response_done",
        TOOLS,
    ),
    Mutant(
        7,
        "a tool that took too long is not told that nobody waits",
        "core/tool_calls.py",
        "return [CancelTool(call_id), *self.finish(call_id, why, why)]",
        "return self.finish(call_id, why, why)",
        TOOLS,
    ),
    Mutant(
        7,
        "more tools run at once than may",
        "core/tool_calls.py",
        "if self.at_once is not None:",
        "if False:",
        TOOLS,
    ),
    Mutant(
        7,
        "a call that a lost connection cut off never ends",
        "core/session.py",
        '            *self._calls.cancel_all(f"Error: {error}"),\n',
        "",
        TOOLS,
    ),
    Mutant(
        7,
        "a model that has to call a tool calls for ever, and never speaks",
        "core/rounds.py",
        'return "auto" if forced and self.frees_choice else None',
        "return None",
        ROUNDS,
    ),
    Mutant(
        7,
        "a model that calls and calls is not asked to answer without tools",
        "core/rounds.py",
        'want_to_go_on("none" if self.are_over else self._choice())',
        "want_to_go_on(self._choice())",
        ROUNDS,
    ),
    Mutant(
        7,
        "a call runs although the model was asked to answer without tools",
        "core/calling.py",
        "if effects and self.rounds.are_over:",
        "if False:",
        ("core/test_random_orders.py", *ROUNDS),
    ),
    Mutant(
        7,
        "a model that calls although it was asked not to is asked again, for ever",
        "core/rounds.py",
        "        if was_over:\n",
        "        if False:\n",
        ROUNDS,
    ),
    Mutant(
        7,
        "once tools were called too often they are never called again",
        "core/rounds.py",
        "        self._count = 0\n",
        "        pass\n",
        ROUNDS,
    ),
    # 8: approval
    Mutant(
        8,
        "a call that waits for approval times out like one that runs",
        "core/approvals.py",
        "return [CancelTimer(tool_timer(call_id)), Publish(event), *self._limit(call_id)]",
        "return [Publish(event), *self._limit(call_id)]",
        APPROVAL,
    ),
    Mutant(
        8,
        "a hosted call that was rejected is approved",
        "core/approvals.py",
        "self._answer(call_id, approve=False, reason=reason)",
        "self._answer(call_id, approve=True, reason=reason)",
        APPROVAL,
    ),
    Mutant(
        8,
        "a call is approved twice",
        "core/approvals.py",
        "self.calls.hosted.discard(call_id)",
        "pass",
        APPROVAL,
    ),
    Mutant(
        8,
        "a call runs again while it waits for approval",
        "core/tool_calls.py",
        "            self._suspended.add(call_id)\n",
        "            pass\n",
        STORIES,
    ),
    Mutant(
        8,
        "a call that was rejected runs",
        "core/approvals.py",
        "return [timer, *self.calls.finish(call_id, why, why)]",
        "return [timer, *(self.calls.resume(call_id) or ())]",
        STORIES,
    ),
    Mutant(
        8,
        "a call that was approved is rejected when its time is over",
        "core/approvals.py",
        "        self.calls.resume(call_id)\n        return [timer]\n",
        "        self.calls.resume(call_id)\n        return []\n",
        STORIES,
    ),
    Mutant(
        8,
        "anybody may decide about a call that does not wait",
        "core/approvals.py",
        """        if call_id not in self.calls.hosted | self.calls.suspended:
            raise""",
        """        if self.calls.get(call_id) is None and call_id not in self.calls.hosted:
            raise""",
        STORIES,
    ),
    Mutant(
        8,
        "a call that nobody decides about waits for ever",
        "core/approvals.py",
        "return [] if self.timeout is None else [SetTimer(approval_timer(call_id), self.timeout)]",
        "return []",
        STORIES,
    ),
    # 9: handoffs
    Mutant(
        9,
        "the new agent speaks before it has its instructions",
        "core/handoffs.py",
        "self.responses.hold(_HANDOFF)",
        "pass",
        HANDOFFS,
    ),
    Mutant(
        9,
        "after a handoff that failed nobody speaks any more",
        "core/handoffs.py",
        "self.responses.release(_HANDOFF)",
        "pass",
        HANDOFFS,
    ),
    Mutant(
        9,
        "the new agent sees what the filter took out",
        "core/handoffs.py",
        "if handoff.history is not None:",
        "if False:",
        HANDOFFS,
    ),
    Mutant(
        9,
        "an agent without instructions speaks with those of the one before",
        "core/handoffs.py",
        'instructions=settings.instructions or "", tool_choice=choice',
        "tool_choice=choice",
        HANDOFFS,
    ),
    Mutant(
        9,
        "the new agent is told to call a tool of the agent before",
        "core/handoffs.py",
        "        choice = FREE\n",
        "        pass\n",
        ("core/test_tool_choice.py",),
    ),
    Mutant(
        9,
        "agents pass the conversation to and fro for ever",
        "core/handoffs.py",
        "self._since_user += 1",
        "pass",
        HANDOFFS,
    ),
    Mutant(
        9,
        "the old voice is cut off by the new one",
        "core/reconnecting.py",
        "max(0.0, self.speech.ledger.ends_at(now) - now)",
        "0.0",
        RECONNECTING,
    ),
    Mutant(
        9,
        "what is said while the connection changes is lost",
        "core/reconnecting.py",
        "self._phase = evolve(asking, clean=False)",
        "pass",
        RECONNECTING,
    ),
    Mutant(
        9,
        "the new agent does not know what the user has changed meanwhile",
        "core/reconnecting.py",
        "if changed != SessionModelSettings():",
        "if False:",
        RECONNECTING,
    ),
    Mutant(
        9,
        "a connection that nobody wants any more stays open",
        "core/reconnecting.py",
        "[CloseAnother(handoff.call_id), *self._timers()]",
        "self._timers()",
        RECONNECTING,
    ),
    Mutant(
        9,
        "after a change of voice it is forgotten where the user cut in",
        "core/history.py",
        "if item.id in self._retold:",
        "if False:",
        RECONNECTING,
    ),
    Mutant(
        9,
        "the new agent is told of a call's output and not of the call",
        "core/retelling.py",
        "case FunctionCallOutputItem(call_id=call_id) if call_id in called:",
        "case FunctionCallOutputItem(call_id=call_id):",
        RECONNECTING,
    ),
    Mutant(
        9,
        "what the old connection says too late is taken for the new one's",
        "session_server.py",
        "if inlet is not self._inlet:\n            return otp.NoReply(state)",
        "if False:\n            return otp.NoReply(state)",
        RECONNECTING,
    ),
    # 10: guardrails
    Mutant(
        10,
        "a late verdict stops a newer response",
        "core/speech.py",
        "if is_active or (is_played and not newer):",
        "if True:",
        GUARDRAILS,
    ),
    Mutant(
        10,
        "the end of what was said is never judged",
        "core/guarding.py",
        "if due < self.debounce and not (watch.ended or waited_for):",
        "if due < self.debounce:",
        GUARDRAILS,
    ),
    Mutant(
        10,
        "speech is heard before its words have passed",
        "core/held.py",
        "(self.over or self.pieces[0].until <= self.passed)",
        "True",
        GUARDRAILS,
    ),
    Mutant(
        10,
        "what a guardrail gave no verdict on is heard",
        "core/guarding.py",
        "if guardrail is None and self.holds and verdict.failure is not None:",
        "if False:",
        GUARDRAILS,
    ),
    Mutant(
        10,
        "speech that is heard as it comes stops for a guardrail without a verdict",
        "core/guarding.py",
        "if guardrail is None and self.holds and verdict.failure is not None:",
        "if guardrail is None and verdict.failure is not None:",
        GUARDRAILS,
    ),
    Mutant(
        10,
        "nothing is said in place of what was blocked",
        "core/guarding.py",
        "        self.responses.want()\n",
        "",
        GUARDRAILS,
    ),
    Mutant(
        10,
        "a verdict on an old turn stops the answer to a newer one",
        "core/screening.py",
        "latest = verdict.item_id == self._turn",
        "latest = True",
        STORIES,
    ),
    Mutant(
        10,
        "the answer to what a guardrail refused goes on",
        "core/screening.py",
        """        if latest and self._answer is not None:
            effects += self.speech.interrupt(now, cancel=True)
""",
        """        if latest and self._answer is not None:
""",
        STORIES,
    ),
    # 11: transcripts
    Mutant(
        11,
        "the history is in the order in which things came",
        "core/conversation.py",
        "        order[at:at] = chain",
        "        order.extend(chain)",
        WORDS,
    ),
    Mutant(
        11,
        "a turn of the user ends more than once",
        "core/transcripts.py",
        "self._ended.add(item_id)",
        "pass",
        WORDS,
    ),
    Mutant(
        11,
        "a transcript that never came is not asked for",
        "core/transcripts.py",
        "        if asked:\n",
        "        if True:\n",
        WORDS,
    ),
    Mutant(
        11,
        "a turn of the user never ends when the connection is lost",
        "core/session.py",
        "        effects += self._transcripts.lost()\n",
        "",
        WORDS,
    ),
    Mutant(
        11,
        "an interrupted transcript without spaces is lost",
        "core/heard_words.py",
        "if end - start <= LONGEST_WORD:",
        "if True:",
        WORDS,
    ),
    Mutant(
        11,
        "an interrupted transcript ends in half of a letter",
        "core/heard_words.py",
        "if _continues(after) or before == _JOINER or before in _PREPENDED:",
        "if False:",
        WORDS,
    ),
    # 12: editing
    Mutant(
        12,
        "new items come in reverse",
        "core/editing.py",
        "            previous = name\n",
        "",
        EDITING,
    ),
    Mutant(
        12,
        "an item that belongs first comes last",
        "core/editing.py",
        "            self.history.first.add(item_id)",
        "            pass",
        EDITING,
    ),
    Mutant(
        12,
        "a call is deleted before its output comes",
        "core/editing.py",
        'item not in wanted and getattr(item, "call_id", None) not in open_calls',
        "item not in wanted",
        EDITING,
    ),
    Mutant(
        12,
        "an item that was deleted comes back",
        "core/history.py",
        "        if item.id in self._deleted:\n",
        "        if False:\n",
        EDITING,
    ),
    # 13: accounting
    Mutant(
        13,
        "a session says more after its limit was reached",
        "core/limits.py",
        "self.responses.hold(LEAVING)",
        "pass",
        LIMITS,
    ),
    Mutant(
        13,
        "a session that may cost so much costs more",
        "core/limits.py",
        "total >= self.max_cost",
        "total > self.max_cost",
        LIMITS,
    ),
    Mutant(
        13,
        "what the transcription used is not counted",
        "core/session.py",
        "self._limits.transcription(usage)",
        "pass",
        LIMITS,
    ),
    Mutant(
        13,
        "what an unknown model costs is guessed",
        "usage.py",
        'price = self.models.get(model or "")',
        'price = self.models.get(model or "") or next(iter(self.models.values()), None)',
        ("values/test_usage.py", *LIMITS),
    ),
    Mutant(
        13,
        "a session ends in the middle of a word",
        "core/limits.py",
        "return min(self.speech.ledger.ends_at(now), self._over_by)",
        "return now",
        LIMITS,
    ),
    Mutant(
        13,
        "a player that died keeps a session from ending",
        "core/playback.py",
        "return min(now + unheard_ms / 1000, self.ends_by)",
        "return now + unheard_ms / 1000",
        LIMITS,
    ),
    Mutant(
        13,
        "a player that hardly moves keeps a session from ending",
        "core/playback.py",
        "return min(self._through_at, self._slowest_at) + LATE",
        "return self._through_at + LATE",
        PLAYBACK,
    ),
    Mutant(
        13,
        "a response that never ends keeps a session from ending",
        "core/limits.py",
        "self._finish_by = now + FINISH_WITHIN",
        "self._finish_by = now + 3600.0",
        LIMITS,
    ),
    Mutant(
        13,
        "of a response that never ends nothing more is heard, though it has come",
        "core/limits.py",
        "if self._speaks and now < self._finish_by:",
        "if self._speaks:",
        LIMITS,
    ),
    Mutant(
        13,
        "speech that was stopped keeps a session from ending",
        "core/limits.py",
        "is_audible = active_id is None or not self.speech.is_silenced(active_id)",
        "is_audible = True",
        LIMITS,
    ),
    Mutant(
        13,
        "a session that has reached its limit goes on when the server answers by itself",
        "core/session.py",
        "effects += self._speech.refuse(response.id)",
        "pass",
        LIMITS,
    ),
    Mutant(
        13,
        "a session is idle while a tool runs",
        "core/session.py",
        "            or self._calls.owed\n",
        "",
        LIMITS,
    ),
    Mutant(
        13,
        "a session is idle while the user speaks",
        "core/session.py",
        "            self._turns.user_speaks\n            or self._responses.owed",
        "            self._responses.owed",
        LIMITS,
    ),
    Mutant(
        13,
        "a session is idle as soon as what was owed has come",
        "core/limits.py",
        "if is_busy or self._is_busy:",
        "if False:",
        LIMITS,
    ),
    # 14: transcription sessions
    Mutant(
        14,
        "a session that only listens is asked to answer",
        "core/requests.py",
        'if self.configuration.session_type == "transcription":',
        "if False:",
        LISTENING,
    ),
    Mutant(
        14,
        "a session that only listens becomes one that speaks when it is configured",
        "core/configuration.py",
        "session_type=self.session_type, event_id=event_id",
        "event_id=event_id",
        LISTENING,
    ),
    Mutant(
        14,
        "half of a turn is given as all of it",
        "session.py",
        'isinstance(event, InputTranscriptEvent) and event.status != "partial"',
        "isinstance(event, InputTranscriptEvent)",
        LISTENING,
    ),
)
