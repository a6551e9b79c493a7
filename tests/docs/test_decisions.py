"""The sketches of the decision notes are true: they run, and make one story from top to bottom."""

import re
from pathlib import Path

import pytest

from isingeq.backend import Backend

NOTES = sorted((Path(__file__).parents[2] / "docs" / "decisions").glob("[0-9]*.md"))


def sketches(note: Path) -> list[str]:
    """Return the Python blocks of a note, each on the lines where it stands."""
    text = note.read_text("utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.S | re.M)
    return ["\n" * text.count("\n", 0, match.start(1)) + match[1] for match in found]


@pytest.fixture(scope="module")
def names() -> dict[str, object]:
    """What the sketches of the first note define; they hold their own assertions."""
    space: dict[str, object] = {"__name__": "sketches"}
    for block in sketches(NOTES[0]):
        exec(compile(block, str(NOTES[0]), "exec"), space)
    return space


def test_every_sketch_of_the_seam_runs(names):
    for name in ("phases", "directed", "board", "layered"):
        assert isinstance(names[name], Backend)


def test_every_kind_promised_has_a_sketch(names):
    kinds = (
        "Cosine",
        "Injection",
        "Shared",
        "MaxPool",
        "Forward",
        "Reciprocal",
        "Board",
        "Quantise",
    )
    assert set(kinds) <= names.keys()


def test_notes_are_numbered_without_gaps_and_have_three_parts():
    assert [int(note.name[:4]) for note in NOTES] == list(range(1, len(NOTES) + 1))
    for note in NOTES:
        text = note.read_text("utf-8")
        assert text.startswith(f"# {int(note.name[:4])}. ")
        for part in ("**Context.**", "**Decision.**", "**Consequence.**"):
            assert part in text, f"{note.name} has no {part}"
