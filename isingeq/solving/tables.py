"""Rows of numbers in a text file, read at the speed of numpy; only a faulty file is read line by line."""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from isingeq.errors import DataError, ProblemError

WEIGHTED_PAIRS = np.dtype([("i", np.int32), ("j", np.int32), ("w", np.float64)])
"""Rows `i j w`."""
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_MOST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a file, and a way back from a row to its line.

    Attributes:
        path: of the file.
        rows: of the kind asked for (m,).
        head: lines above the first row.
        comment: what begins a comment, None where there are none.
    """

    path: Path
    rows: NDArray[np.void]
    head: int
    comment: str | None

    def at(self, row: int) -> str:
        """Return where a row stands, for a message."""
        with opened(self.path) as file:
            line, _ = next(islice(_filled(file, self.head, self.comment), row, None))
        return f"{self.path}, line {line}"


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Yield a text file to read from, unpacked where its name ends in .gz.

    Raises:
        DataError: it is missing, may not be read, or is damaged.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", errors="replace")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", errors="replace")
        ) as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def read_table(path: Path, columns: np.dtype[np.void], *, head: int, comment: str | None) -> Table:
    """Read all rows of numbers below the head of a file.

    Args:
        path: of the file.
        columns: kind of every row; whole numbers have to be written as such.
        head: lines above the first row.
        comment: what begins a comment, None where there are none.

    Raises:
        DataError: the file cannot be read.
        ProblemError: a line that does not hold these columns; says which.
    """
    with opened(path) as file:
        for _ in islice(file, head):
            pass
        try:
            with catch_warnings():
                simplefilter("error", DeprecationWarning)  # a whole number written as 1.0
                simplefilter("ignore", UserWarning)  # no rows
                rows = np.loadtxt(file, columns, comments=comment, ndmin=1)
        except (ValueError, DeprecationWarning) as error:
            _refuse(path, columns, head, comment)
            raise ProblemError(f"{path} is no table of numbers: {error}") from error
    return Table(path, rows, head, comment)


def _filled(file: TextIO, head: int, comment: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the words of every line that has a row on it."""
    for number, line in enumerate(file, 1):
        words = (line.split(comment, 1)[0] if comment else line).split()
        if words and number > head:
            yield number, words


def _refuse(path: Path, columns: np.dtype[np.void], head: int, comment: str | None) -> None:
    """Raise for the first line that does not hold these columns."""
    names = columns.names or ()
    with opened(path) as file:
        for number, words in _filled(file, head, comment):
            if len(words) != len(names):
                raise ProblemError(
                    f"{path}, line {number}: a row has {len(names)} numbers, {' '.join(names)}, "
                    f"this one {len(words)}"
                )
            for name, word in zip(names, words, strict=True):
                if columns[name].kind == "i":
                    whole_number(word, lambda: f"{path}, line {number}")  # noqa: B023
                else:
                    _number(word, f"{path}, line {number}")


def whole_number(word: str, at: Callable[[], str]) -> int:
    """Return the whole number that a word stands for.

    Raises:
        ProblemError: it is none, or beyond 2³¹.
    """
    if not _WHOLE.fullmatch(word):
        raise ProblemError(f"{at()}: {word!r} is no whole number")
    if abs(int(word)) > _MOST:
        raise ProblemError(f"{at()}: {word} is beyond {_MOST}")
    return int(word)


def _number(word: str, at: str) -> None:
    try:
        float(word)
    except ValueError:
        raise ProblemError(f"{at}: {word!r} is no number") from None
