"""Every exception of the library, in one tree.

    RealtimeError
    ├── ConfigError (ValueError)          a setting, an agent or a tool is wrong
    ├── AudioFormatError (ValueError)     audio that cannot be what it is said to be
    ├── MissingExtraError (ImportError)   an optional dependency is not installed
    ├── StartError                        a session could not be started; `.cause` says why
    ├── SessionError
    │   ├── NotConnectedError             the connection is down: nothing was sent
    │   ├── SessionClosedError            the session has ended
    │   ├── SessionUpdateError            the server refused a `session.update`
    │   └── SessionFailedError            the session ended, and nobody here wanted that
    │       └── ConnectionLostError       its connection was lost, and there was no other
    ├── EventLoopError (RuntimeError)     no event loop where one is needed, or one in the way
    ├── TransportError                    a connection failed; `.code` and `.reason`
    ├── JournalError                      a journal can't do what it was asked for
    │   ├── JournalUnavailableError       its store can't be reached, or takes nothing
    │   ├── LeaseHeldError                another process has the conversation
    │   ├── LeaseLostError                another process has taken the conversation over
    │   └── RestoreError (ConfigError)    what is written there can't be gone on with
    ├── ToolError                         what a tool raises to tell the model something
    │   └── ToolArgumentsError            the model's arguments don't fit the tool
    └── ProtocolError
        ├── LocalProtocolError            we were asked to send something illegal
        └── RemoteProtocolError           the server sent something illegal

A message says what was wrong and what to do. `error` events that the protocol
foresees are events, not exceptions. What belongs to actors as such (`Exit`,
`DeadlockError`, `CallTimeout`) lives in `realtime_actors.otp`; what is raised when the
network is slower than the audio is `transport.OutboundFullError`, a `TransportError`.
`BlockingInEventLoopWarning` is a warning: what it is about works.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum

__all__ = [
    "AudioFormatError",
    "BlockingInEventLoopWarning",
    "ConfigError",
    "ConnectionLostError",
    "EventLoopError",
    "JournalError",
    "JournalUnavailableError",
    "LeaseHeldError",
    "LeaseLostError",
    "LocalProtocolError",
    "MissingExtraError",
    "NotConnectedError",
    "ProtocolError",
    "RealtimeError",
    "RemoteProtocolError",
    "RestoreError",
    "SessionClosedError",
    "SessionError",
    "SessionFailedError",
    "SessionUpdateError",
    "StartCause",
    "StartError",
    "ToolArgumentsError",
    "ToolError",
    "TransportError",
    "did_you_mean",
]


class RealtimeError(Exception):
    """Anything that this library raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        # Not by calling the class, as exceptions do: some take other arguments than a message.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    cls: type[RealtimeError], args: tuple[object, ...], members: dict[str, object]
) -> RealtimeError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(members)
    return error


class ConfigError(RealtimeError, ValueError):
    """A setting, an agent or a tool is wrong. Names the key, the value and what is allowed."""


class AudioFormatError(RealtimeError, ValueError):
    """Audio that is empty, of the wrong type, or not a whole number of samples."""


class MissingExtraError(RealtimeError, ImportError):
    """An optional dependency is not installed. The message says what to install."""

    def __init__(self, feature: str, extra: str, *, missing: str | None = None) -> None:
        needs = f" (missing: {missing})" if missing else ""
        super().__init__(
            f"{feature} needs the extra [{extra}]{needs}:"
            f" in a clone of the project, pip install '.[{extra}]'"
        )
        self.extra = extra


class StartCause(StrEnum):
    """Why a session could not be started."""

    CONFIG = "config"
    AUTHENTICATION = "authentication"
    DNS = "dns"
    REFUSED = "refused"
    TLS = "tls"
    NETWORK = "network"
    TIMEOUT = "timeout"
    SERVER = "server"
    SHUTTING_DOWN = "shutting_down"
    """This process is about to end (`ra.drain`, or a signal), and takes no sessions any more."""


class StartError(RealtimeError):
    """A session could not be started. Nothing of it is left behind."""

    def __init__(
        self, message: str, cause: StartCause = StartCause.SERVER, *, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.status = status
        """The HTTP status of a refused upgrade, else None."""


class SessionError(RealtimeError):
    """Something asked of a session could not be done."""


class NotConnectedError(SessionError):
    """The connection is down (or not up yet). Nothing was sent."""


class SessionClosedError(SessionError):
    """The session has ended; nothing can be asked of it any more."""


class SessionUpdateError(SessionError):
    """The server refused a `session.update`: the settings before it are still in force."""

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class SessionFailedError(SessionError):
    """The session ended for good, and nobody here wanted that.

    Mostly the server ended it: quota, key, account, or its time is over. `code` is the
    server's then.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class ConnectionLostError(SessionFailedError):
    """The session ended because its connection was lost, and no other took its place.

    Either nothing answered in time (`RunConfig.reconnect`), or the server said that it would
    answer no better the next time, or the session was not to reconnect at all.
    """

    def __init__(self, message: str, *, close_code: int | None = None, attempts: int = 0) -> None:
        super().__init__(message, code=None if close_code is None else str(close_code))
        self.close_code = close_code
        """The WebSocket close code of the connection that was lost, if there was one."""
        self.attempts = attempts
        """How often another connection was tried."""


class EventLoopError(RealtimeError, RuntimeError):
    """`realtime_actors.aio` outside an asyncio event loop, or a blocking stream inside one."""


class BlockingInEventLoopWarning(RuntimeWarning):
    """A call of the blocking API keeps the event loop of its thread waiting.

    Each line that does it is named once. With `warnings.simplefilter` of the standard library it
    becomes an error, or nothing.
    """


class TransportError(RealtimeError):
    """A connection failed. `code` is a WebSocket close code (RFC 6455 section 7.4), if any."""

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        super().__init__(f"{reason} (close code {code})" if code is not None else reason)
        self.reason = reason
        self.code = code


class JournalError(RealtimeError):
    """A journal can't do what it was asked for."""


class JournalUnavailableError(JournalError):
    """The store of a journal can't be reached, or takes nothing now. Trying again may help."""


class LeaseHeldError(JournalError):
    """Another process has the conversation, and its lease has not run out."""

    def __init__(self, key: str, *, holder: str, until: float) -> None:
        """`until` is in seconds since 1970, by the clock of the store."""
        super().__init__(
            f"the conversation {key!r} is held by {holder}, until {until:.1f} (seconds since 1970):"
            " wait for that; if that process is known to be dead, take it with force=True"
        )
        self.key = key
        self.holder = holder
        self.until = until


class LeaseLostError(JournalError):
    """Another process has taken the conversation over, or may have: it goes on there."""


class RestoreError(JournalError, ConfigError):
    """What is written under a key can't be gone on with: there is nothing, or no such agent."""


class ToolError(RealtimeError):
    """Raise it in a tool: the model gets the message as the tool's output."""


class ToolArgumentsError(ToolError):
    """The model's arguments don't fit the tool's parameters."""


class ProtocolError(RealtimeError):
    """Somebody broke the Realtime protocol."""


class LocalProtocolError(ProtocolError):
    """We were asked to send something that is illegal in the state we are in."""


class RemoteProtocolError(ProtocolError):
    """The server sent something illegal. Sessions don't raise it: they publish an `ErrorEvent`."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """A hint for an error message: the nearest spelling, or all that is allowed."""
    words = sorted(str(each) for each in allowed)
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "allowed: " + ", ".join(words) if words else "nothing is allowed here"
