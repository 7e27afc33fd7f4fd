"""What the server's errors mean: what each is the answer to, and how things go on without that."""

from __future__ import annotations

from collections.abc import Set

from attrs import define

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.core.connection.moving import Moving
from realtime_actors.core.connection.unacknowledged import Unacknowledged
from realtime_actors.core.history.editing import Editing
from realtime_actors.core.history.updates import History
from realtime_actors.core.life import Life
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.course import Course
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.stalls import StallWatch
from realtime_actors.core.responses.unanswered import (
    CANCEL,
    CREATE,
    DELETE,
    UPDATE,
    Sent,
    Unanswered,
    is_clear,
)
from realtime_actors.core.server_errors import (
    error_info,
    is_active_response,
    is_fatal,
    is_no_response_active,
    is_no_such_item,
)
from realtime_actors.core.settings import Configuration
from realtime_actors.core.settings_answers import SettingsAnswers
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.tool_calls import ToolCalls

__all__ = ["Refusals"]


@define(kw_only=True)
class Refusals:
    """From an error of the server to what has to be done without what it refused."""

    outbox: Outbox
    life: Life
    moving: Moving
    unacknowledged: Unacknowledged
    configuration: Configuration
    settings_answers: SettingsAnswers
    responses: ResponseMachine
    course: Course
    stalls: StallWatch
    unanswered: Unanswered
    history: History
    editing: Editing
    calls: ToolCalls
    approvals: Approvals

    def came(self, event: wire.ServerEvent, now: float) -> None:
        """Note what an event answers. That may tell what an earlier error was about."""
        self.unanswered.came(event, self._awaited)
        cleared_up = self.unanswered.cleared_up(self._awaited, now)
        if cleared_up is not None:
            sent, error = cleared_up
            self._refused(error, sent, now)

    def told(self, error: wire.ErrorDetail, now: float) -> None:
        """Publish an error of the server's, and do what follows from it."""
        fatal = is_fatal(error) and not self.moving.survives(error)
        sent = self.unanswered.refused(error, self._awaited, now)
        self.outbox.publish(
            events.ErrorEvent, error=error_info(error), recoverable=not fatal, source="error"
        )
        if is_fatal(error):
            self.moving.server_ended(error, now)
            return
        self.life.last_error = error
        self._refused(error, sent, now)

    def _refused(self, error: wire.ErrorDetail, sent: Sent | None, now: float) -> None:
        """Go on without what the server has refused, as far as it is known what that was."""
        event_id = error.event_id or (sent.event_id if sent else None)
        is_edit = sent is not None and sent.kind in (CREATE, DELETE)
        self.unacknowledged.refused(event_id, sent.about if sent and is_edit else None)
        self.editing.refused(event_id)
        if self.calls.outputs.refused(event_id, error.message):
            return
        if self.approvals.refused(event_id):
            return
        if sent is not None and sent.kind == UPDATE and not is_clear(error):
            self.configuration.doubted(event_id, error)
        elif (pending := self.configuration.refused(event_id)) is not None:
            self.settings_answers.refused(pending, error)
        elif is_active_response(error):
            self.responses.refused(event_id)
        elif sent is not None and sent.kind == CANCEL and is_no_response_active(error):
            if self.stalls.watches(sent.about):
                self.course.give_up(sent.about, now)
        elif sent is not None and sent.kind == DELETE and sent.about and is_no_such_item(error):
            self.history.deleted(sent.about)
        else:
            self.responses.failed(event_id)

    @property
    def _awaited(self) -> Set[str | None]:
        """The names of the updates and responses that are not answered."""
        return self.configuration.awaited | self.responses.awaited
