"""Which errors of the server end a session, which are part of its life, and what they mean.

Codes as seen from the API and from the clients that have to live with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve

from realtime_actors.errors import SessionFailedError
from realtime_actors.events import ErrorInfo
from realtime_actors.protocol import ErrorDetail, Response

__all__ = [
    "ACTIVE_RESPONSE",
    "error_info",
    "failure_info",
    "is_active_response",
    "is_expiry",
    "is_fatal",
    "is_fatal_code",
    "is_no_response_active",
    "is_no_such_item",
    "message_of",
    "session_failure",
]

ACTIVE_RESPONSE: Final = "conversation_already_has_active_response"
NO_RESPONSE_ACTIVE: Final = "response_cancel_not_active"
SESSION_EXPIRED: Final = "session_expired"

_FATAL: Final = frozenset(
    {
        "account_deactivated",
        "beta_api_shape_disabled",
        "billing_hard_limit_reached",
        "insufficient_quota",
        "invalid_api_key",
        SESSION_EXPIRED,
    }
)
"""Trying again never helps."""


def is_active_response(error: ErrorDetail) -> bool:
    """Whether a `response.create` was refused because a response is active."""
    if ACTIVE_RESPONSE in (error.code, error.type):  # some servers have their codes in `type`
        return True
    return error.code is None and "already has an active response" in error.message.lower()


def is_no_response_active(error: ErrorDetail) -> bool:
    """Whether a `response.cancel` was refused because no response is active (any more)."""
    if NO_RESPONSE_ACTIVE in (error.code, error.type):
        return True
    words = f"{error.code} {error.type} {error.message}".lower().replace("_", " ")
    return "no active response" in words or "cancel not active" in words


def is_no_such_item(error: ErrorDetail) -> bool:
    """Whether something was refused because the conversation has no such item (any more)."""
    return (error.code or "").endswith("invalid_item_id")


def is_fatal(error: ErrorDetail) -> bool:
    """Whether the session is over, for good."""
    return is_fatal_code(error.code) or is_fatal_code(error.type)


def is_fatal_code(code: str | None) -> bool:
    """Whether an error of this code, or type, ends a session for good."""
    return code in _FATAL


def is_expiry(error: ErrorDetail) -> bool:
    """Whether the server's session has lasted as long as it may: another one may take its place."""
    return SESSION_EXPIRED in (error.code, error.type)


def message_of(error: ErrorDetail) -> str:
    """Return the server's words, or what its code and type mean where it has none."""
    return error.message.strip() or meaning(error.code, error.type)


def session_failure(error: ErrorDetail) -> SessionFailedError:
    """Return the server's words as the reason why the session is over."""
    return SessionFailedError(f"the server ended the session: {message_of(error)}", code=error.code)


MEANINGS: Final[Mapping[str, str]] = {
    # responses that failed, or are incomplete
    "content_filter": (
        "the content filter has stopped it: say it in another way, or change the instructions"
    ),
    "context_length_exceeded": (
        "the conversation is longer than the model can take: delete items, or set truncation"
    ),
    "inference_rate_limit_exceeded": (
        "the service is asked for more than it can do now: wait, and ask again"
    ),
    "max_output_tokens": "it reached max_output_tokens: raise that, or ask for less at once",
    "rate_limit_exceeded": (
        "more requests or tokens in a minute than the account may use: wait, and ask again"
        " (RateLimitsEvent says when)"
    ),
    "server_error": "the server had a fault of its own: ask again, and wait longer each time",
    # accounts and keys
    "account_deactivated": "the account is closed: its owner has to ask the service why",
    "authentication_error": "the key is not accepted: get another one",
    "billing_hard_limit_reached": "the account has spent as much as it may: raise its limit",
    "insufficient_quota": "the account has no money left: add some, or use another key",
    "invalid_api_key": "the key is wrong, was revoked or has expired: get another one",
    "permission_error": "the key may not do this: give it the permission, or use another one",
    # sessions
    "beta_api_shape_disabled": (
        "this server does not speak the beta dialect any more: use ModelConfig(dialect='ga')"
    ),
    "model_not_found": "the model does not exist, or the key may not use it: name another one",
    "session_expired": "the session has lasted as long as it may: start a new one",
    # what was asked for
    "conversation_already_has_active_response": "a response is in progress: it comes first",
    "input_audio_buffer_commit_empty": "there is no audio to commit, or less than 100 ms",
    "item_create_invalid_item_id": "an item of that id exists, or the one before it does not",
    "item_delete_invalid_item_id": "there is no such item (any more)",
    "item_retrieve_invalid_item_id": "there is no such item (any more)",
    "item_truncate_invalid_item_id": "there is no such item (any more)",
    "cannot_update_voice": "the voice cannot change once the model has spoken: run a new session",
    "invalid_request_error": "the server does not take what was sent: look at param and event_id",
    "invalid_type": "a value has the wrong type: look at param",
    "invalid_value": "a value is not allowed: look at param",
    "missing_required_parameter": "something is missing: look at param",
    "response_cancel_not_active": "no response was in progress: nothing was to be cancelled",
    "unknown_parameter": "the server does not know a parameter: look at param",
    # the user's speech
    "audio_unintelligible": "what was said could not be understood: ask the user to repeat it",
    "transcription_error": "the user's speech could not be written down: see the model's name",
}
"""What the codes and types of the protocol mean, and what to do."""


def meaning(*names: str | None) -> str:
    """Say what an error means of which only codes and types are known: the first that says it."""
    given = list(dict.fromkeys(name for name in names if name))
    if not given:
        return "no reason given by the server: ask again, or look at what it logs"
    known = next((MEANINGS[name] for name in given if name in MEANINGS), None)
    return f"{known or 'the server gave no other reason than that'} ({', '.join(given)})"


def error_info(error: ErrorDetail, *, default: str = "server_error") -> ErrorInfo:
    """The server's words as a public value, or what its codes mean where it has none.

    `default` is the type for servers that give none.
    """
    return ErrorInfo(
        type=error.type or default,
        message=message_of(error),
        code=error.code,
        param=error.param,
        event_id=error.event_id,
    )


def failure_info(response: Response) -> ErrorInfo:
    """Why a response failed, or is incomplete."""
    details = response.status_details
    error = details.error if details else None
    if error is not None:
        info = error_info(error, default="response_failed")
        if error.message.strip():
            return info
        return evolve(info, message=f"the response {response.status}: {info.message}")
    reason = details.reason if details else None
    was = "failed" if response.status == "failed" else f"is {response.status}"
    return ErrorInfo(
        type=f"response_{response.status}",
        message=f"the response {was}: {meaning(reason)}",
        code=reason,
    )
