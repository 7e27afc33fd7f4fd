"""What a session may cost and how long it may last; how it ends then."""

from __future__ import annotations

from decimal import Decimal

import pytest

import realtime_actors as ra
from realtime_actors.events import AgentEndEvent, ConnectionEvent, LimitReachedEvent, UsageEvent
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import audio_delta, response_created, response_done

USAGE = {
    "total_tokens": 30_000,
    "input_tokens": 20_000,
    "output_tokens": 10_000,
    "input_token_details": {"audio_tokens": 20_000},
    "output_token_details": {"audio_tokens": 10_000},
}  # 0.64 and 0.64 dollars of gpt-realtime-2.1


def run(script: ScriptedTransport, **config: object) -> ra.Session:
    model = {"url": "ws://127.0.0.1:1/", "model": "gpt-realtime-2.1"}
    return ra.run(ra.agent(), transport=script, model_config=model, config=config)


def test_every_response_is_counted_and_priced():
    script = ScriptedTransport()
    with run(script) as session:
        probe = Probe(session)
        script.emit(response_created(), response_done(usage=USAGE))
        script.emit(response_created("r2"), response_done("r2", usage=USAGE))

        assert probe.wait_for(UsageEvent).cost == Decimal("1.28")
        assert probe.wait_for(UsageEvent).session.cost == Decimal("2.56")
        assert session.usage().tokens.total_tokens == 60_000


def test_a_session_that_has_cost_enough_ends_when_the_model_has_finished():
    script = ScriptedTransport(strict=False)
    with run(script, max_cost=2) as session:
        probe = Probe(session)
        script.emit(response_created(), response_done(usage=USAGE))
        probe.wait_for(AgentEndEvent)
        assert session.is_alive()
        script.emit(response_created("r2"), audio_delta(ms=200, response_id="r2"))
        script.emit(response_done("r2", usage=USAGE))

        assert probe.wait_for(LimitReachedEvent).limit == "max_cost"
        with pytest.raises(ra.SessionClosedError, match="max_cost of the run is reached"):
            session.send_message("One more thing...")
        assert "max_cost" in probe.wait_for(ConnectionEvent).reason
        assert "response.create" not in script.sent_types


def test_a_limit_that_cannot_be_kept_is_refused():
    with pytest.raises(ra.ConfigError, match="no price"):
        ra.run(
            ra.agent(model="gpt-imaginary"),
            transport=ScriptedTransport(),
            model_config={"url": "ws://127.0.0.1:1/"},
            config={"max_cost": 1},
        )


@pytest.mark.parametrize("limit", ["max_duration", "idle_timeout"])
def test_a_session_ends_when_its_time_is_over(limit):
    with run(ScriptedTransport(), **{limit: 0.2}) as session:
        probe = Probe(session)

        assert probe.wait_for(LimitReachedEvent).limit == limit
        assert limit in probe.wait_for(ConnectionEvent).reason
