"""Docstrings in all the styles that people write: what the model is told of them."""

from __future__ import annotations

import pytest

from realtime_actors.tools import Tool, tool


def written(docstring: str) -> Tool:
    def order(city: str, days: int = 1, room: str = "") -> str:
        return f"{city} {days} {room}"

    order.__doc__ = docstring
    return tool(order)


def told(docstring: str) -> tuple[str, dict[str, str]]:
    """The description of the tool, and those of its parameters."""
    made = written(docstring)
    properties = made.parameters["properties"]
    return made.description, {
        name: each["description"] for name, each in properties.items() if "description" in each
    }


@pytest.mark.parametrize(
    "docstring",
    [
        "Warning: deletes the account for good.",
        "Note: for premium customers only.",
        "Important: ask first.",
        "Example: f(1).",
        "Returns: the weather.",
        "Returns the weather.",
        "Raises: the roof.",
        "See Also: the wiki.",
        "Todo: more.",
        "Delete it. Warning: cannot be undone.",
        "Translate. Input: any text.",
        "Look at https://example.com: it is there.",
        "Args is no section.",
        ":smile: says hello",
        "@you: come here",
    ],
)
def test_a_line_is_the_description_whatever_it_begins_with(docstring) -> None:
    assert told(docstring) == (docstring, {})


@pytest.mark.parametrize(
    ("docstring", "description", "parameters"),
    [
        ("Do.\n\nArgs:\n    city: where", "Do.", {"city": "where"}),
        ("Do.\n\nArguments:\n    city (str): where", "Do.", {"city": "where"}),
        ("Do.\n\nParams:\n    city (dict[str, int], optional): where", "Do.", {"city": "where"}),
        ("Do.\n\nKeyword Args:\n    city: where", "Do.", {"city": "where"}),
        ("Do.\n\nArgs:\n    city, room: where", "Do.", {"city": "where", "room": "where"}),
        (
            "Do.\n\nArgs:\n    city - where\n    days -- how long",
            "Do.",
            {"city": "where", "days": "how long"},
        ),
        (
            "Do.\n\nArgs:\n    - **city** (str): where\n    - `days`: how long",
            "Do.",
            {"city": "where", "days": "how long"},
        ),
        (
            "Do.\n\nArgs:\n    city:\n        where, in\n        English\n\n        or French",
            "Do.",
            {"city": "where, in English or French"},
        ),
        (
            "Do.\n\nArgs:\ncity: where\ndays: how long\n\nMore.",
            "Do.",
            {"city": "where", "days": "how long"},
        ),
        (
            "Do.\n\nArgs:\n    city: see https://example.com/a: there",
            "Do.",
            {"city": "see https://example.com/a: there"},
        ),
        ("Do.\n\nArgs:\n    city: where\n\nReturns:\n    days: a number", "Do.", {"city": "where"}),
    ],
)
def test_google(docstring, description, parameters) -> None:
    assert told(docstring) == (description, parameters)


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (
            "city : str\n    Where.\ndays : int, optional\n    How long,\n    in days.",
            {"city": "Where.", "days": "How long, in days."},
        ),
        ("city, room : str\n    Where.", {"city": "Where.", "room": "Where."}),
        ("city\n    Where.", {"city": "Where."}),
        ("city : {'a', 'b'}\n    Where.", {"city": "Where."}),
        ("city : str\n    Where.\n\n    And when.", {"city": "Where. And when."}),
    ],
)
@pytest.mark.parametrize("title", ["Parameters", "Other Parameters"])
def test_numpydoc(body, parameters, title) -> None:
    after = "\n\nReturns\n-------\ndays : str\n    What.\n\nNotes\n-----\nOf the author."
    docstring = f"Do.\n\n{title}\n{'-' * len(title)}\n{body}{after}"

    assert told(docstring) == ("Do.", parameters)


@pytest.mark.parametrize("mark", [":", "@"])
def test_sphinx_and_epydoc(mark) -> None:
    docstring = """Do.

    :param city: where,
        in English
    :type city: str
    :param int days: how long
    it takes
    :keyword room: which
    :raises ValueError: never
    :returns: a sentence

    After all that.
    """

    assert told(docstring.replace("    :", f"    {mark}")) == (
        "Do.",
        {"city": "where, in English", "days": "how long it takes", "room": "which"},
    )


@pytest.mark.parametrize(
    ("docstring", "description", "parameters"),
    [
        ("Do. Args: city: where", "Do.", {"city": "where"}),
        (
            "Do. Args: city: where, days (int): how long.",
            "Do.",
            {"city": "where", "days": "how long."},
        ),
        ("Do. Args: city: where. Returns: days: a number", "Do.", {"city": "where."}),
        (
            "Do. Args: city: where. Warning: gone for good.",
            "Do.\n\nWarning: gone for good.",
            {"city": "where."},
        ),
        ("Do. Args: city: where,\n    in English", "Do.", {"city": "where, in English"}),
        ("Do. Args: none that are known.", "Do. Args: none that are known.", {}),
    ],
)
def test_one_line(docstring, description, parameters) -> None:
    assert told(docstring) == (description, parameters)


@pytest.mark.parametrize(
    ("docstring", "description"),
    [
        ("Warning: gone.\n\nArgs:\n    city: x", "Warning: gone."),
        ("Delete it.\n\nWarning: gone.\n\nArgs:\n    city: x", "Delete it.\n\nWarning: gone."),
        (
            "Delete it.\n\nNote:\n    For good.\n\nArgs:\n    city: x",
            "Delete it.\n\nNote: For good.",
        ),
        # A warning is for who calls, wherever it stands; a note down there is the author's.
        ("Delete it.\n\nArgs:\n    city: x\n\nWarning:\n    Gone.", "Delete it.\n\nWarning: Gone."),
        ("Delete it.\n\nArgs:\n    city: x\n\nNote:\n    By Ada.", "Delete it."),
        (
            "Delete it.\n\nParameters\n----------\ncity\n    x\n\nWarnings\n--------\nGone.",
            "Delete it.\n\nWarnings: Gone.",
        ),
        ("Delete it.\n\n.. warning:: Gone.\n\n:param city: x", "Delete it.\n\n.. warning:: Gone."),
    ],
)
def test_warnings_are_told(docstring, description) -> None:
    assert told(docstring) == (description, {"city": "x"})


@pytest.mark.parametrize(
    ("docstring", "description"),
    [
        ("Args:\n    city: x", ""),
        ("Args:\n    city: x\n\nReturns:\n    the weather", "Returns: the weather"),
        (":param city: x", ""),
        ("Weather\n=======\n\nArgs:\n    city: x", "Weather"),
        (
            "Weather.\n\nOf today, or of\ntomorrow.\n\nArgs:\n    city: x",
            "Weather.\n\nOf today, or of tomorrow.",
        ),
        ("Weather.\n\nExample:\n    >>> weather('Rome')\n\nArgs:\n    city: x", "Weather."),
    ],
)
def test_the_description_is_what_stands_before_the_sections(docstring, description) -> None:
    assert told(docstring) == (description, {"city": "x"})
