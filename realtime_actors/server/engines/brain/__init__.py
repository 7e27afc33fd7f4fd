"""Brains: what to say and which tools to call, by rules and embeddings or by a chat endpoint.

`embedding` decides. It reads a sentence with `intent` (is anything asked for?), `choosing` (which
tool?) and `arguments` (with what?), and answers with `answers` and `speaking`.
"""

from __future__ import annotations
