"""Who may connect, decided from the request alone."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from realtime_actors.protocol import dialect
from realtime_actors.server.admission import Admission, Admitted, Dismissed, TurnedAway

BETA = {"openai-beta": "realtime=v1"}


def test_the_model_is_in_the_query() -> None:
    assert Admission().decide("/v1/realtime?model=gpt-realtime", {}) == Admitted(
        beta=False, model="gpt-realtime", session_type="realtime"
    )


def test_without_a_model_it_is_the_default_one() -> None:
    assert Admission().decide("/v1/realtime", {}) == Admitted(
        beta=False,
        model=dialect("ga").default_model,
        session_type="realtime",
        model_is_open=True,
    )


@pytest.mark.parametrize(
    ("target", "headers", "beta", "model"),
    [
        ("/v1/realtime?model=m", BETA, True, "m"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=mine", {}, True, "mine"),
        ("/openai/v1/realtime?model=mine", {}, False, "mine"),
        ("/realtime/?model=m", {}, False, "m"),
    ],
)
def test_the_dialect_is_in_the_header_or_in_the_path(
    target: str, headers: dict[str, str], beta: bool, model: str
) -> None:
    assert Admission().decide(target, headers) == Admitted(
        beta=beta, model=model, session_type="realtime"
    )


def test_a_transcription_session_is_asked_for_by_its_intent() -> None:
    admitted = Admission(models={"gpt-realtime"}).decide("/v1/realtime?intent=transcription", {})

    assert isinstance(admitted, Admitted)
    assert admitted.session_type == "transcription"


def test_another_path_is_not_found() -> None:
    decision = Admission().decide("/v1/chat/completions", {})

    assert isinstance(decision, TurnedAway)
    assert decision.status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer secret"},
        {"api-key": "secret"},
        {"sec-websocket-protocol": "realtime, openai-insecure-api-key.secret"},
    ],
)
def test_a_key_may_be_shown_in_three_places(headers: dict[str, str]) -> None:
    assert isinstance(Admission(api_key="secret").decide("/v1/realtime", headers), Admitted)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer guess"}, {"api-key": "schlüssel"}]
)
def test_a_wrong_key_is_turned_away(headers: dict[str, str]) -> None:
    decision = Admission(api_key="secret").decide("/v1/realtime", headers)

    assert isinstance(decision, TurnedAway)
    assert (decision.status, decision.error.code) == (HTTPStatus.UNAUTHORIZED, "invalid_api_key")


def test_a_model_that_does_not_exist_is_told_after_the_upgrade() -> None:
    decision = Admission(models={"gpt-realtime"}).decide("/v1/realtime?model=gpt-9", {})

    assert isinstance(decision, Dismissed)
    assert decision.code == 4000
    assert decision.reason == "invalid_request_error.model_not_found"


def test_a_retired_dialect_is_told_after_the_upgrade() -> None:
    decision = Admission(beta="retired").decide("/v1/realtime?model=m", BETA)

    assert isinstance(decision, Dismissed)
    assert decision.reason == "invalid_request_error.beta_api_shape_disabled"


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Admission(api_key="secret"))
