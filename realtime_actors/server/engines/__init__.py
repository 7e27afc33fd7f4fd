"""The embedded server's engines: voice detection, speech recognition, brain, voice."""

from __future__ import annotations
