"""The embedded server's engines: voice detection, speech recognition, brain and voice.

Each is behind a small interface, and chosen by name with `load_engines`. Importing this
package imports none of them.
"""

from __future__ import annotations

from realtime_actors.server.engines.interfaces import (
    Brain,
    BrainOutput,
    BrainRequest,
    Cancelled,
    EngineError,
    Engines,
    Finished,
    Recognizer,
    TextDelta,
    ToolCallDelta,
    Transcript,
    Voice,
    VoiceDetector,
    never,
)
from realtime_actors.server.engines.loading import (
    BRAINS,
    DETECTORS,
    RECOGNIZERS,
    VOICES,
    load_engines,
)

__all__ = [
    "BRAINS",
    "DETECTORS",
    "RECOGNIZERS",
    "VOICES",
    "Brain",
    "BrainOutput",
    "BrainRequest",
    "Cancelled",
    "EngineError",
    "Engines",
    "Finished",
    "Recognizer",
    "TextDelta",
    "ToolCallDelta",
    "Transcript",
    "Voice",
    "VoiceDetector",
    "load_engines",
    "never",
]
