"""Settings: of a session, of a response, of a run, of a connection.

All are immutable, compared by value, and may be given as dicts wherever they are taken.
None means "not set": it isn't sent, and the server keeps what it has. `OFF` means
"switched off": null on the wire. A wrong value, and an unknown key of a dict, is a
`ConfigError` that names it and says what is allowed.
"""

from __future__ import annotations

from realtime_actors.config.barge_in import BargeIn
from realtime_actors.config.connection import ModelConfig
from realtime_actors.config.reconnect import Reconnect
from realtime_actors.config.run import GuardrailsSettings, RunConfig
from realtime_actors.config.settings import (
    DEFAULT_TRANSCRIPTION,
    OFF,
    DialectName,
    NoiseReductionConfig,
    Off,
    ResponseSettings,
    SessionModelSettings,
    TracingConfig,
    TranscriptionConfig,
    TurnDetectionConfig,
    default_session_settings,
    merge_settings,
)
from realtime_actors.config.tool_texts import ToolTexts

__all__ = [
    "DEFAULT_TRANSCRIPTION",
    "OFF",
    "BargeIn",
    "DialectName",
    "GuardrailsSettings",
    "ModelConfig",
    "NoiseReductionConfig",
    "Off",
    "Reconnect",
    "ResponseSettings",
    "RunConfig",
    "SessionModelSettings",
    "ToolTexts",
    "TracingConfig",
    "TranscriptionConfig",
    "TurnDetectionConfig",
    "default_session_settings",
    "merge_settings",
]
