"""`audioop`, wherever it comes from.

It was part of Python until 3.12, where importing it warns that it will go. From 3.13
on it is the package audioop-lts, a dependency of ours there. So the warning says
nothing that our users could act on.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

__all__ = ["audioop"]
