"""How the embedding brain understands a sentence: words, numbers, dates, tools, arguments."""

from __future__ import annotations
