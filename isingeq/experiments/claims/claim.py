"""What a claim is: words of the paper, cases to be measured, and how these are judged.

A claim says its criterion before anything is measured. It holds in parts: each is a number that must reach a goal with
the lower end of its 95 % interval, so that a claim can fail, and does where there are too few repeats to tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

Value = str | int | float | bool
Record = dict[str, Any]
Verdict = Literal["confirmed", "partly", "not confirmed"]

PAPER = "arXiv 2606.09112"


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of work, by names and values; kept when it is done.

    Attributes:
        values: what is to be measured.
    """

    values: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, **values: Value) -> "Case":
        """Return the case with these values."""
        return cls(tuple(values.items()))

    def __getitem__(self, name: str) -> Any:
        return dict(self.values)[name]

    @property
    def label(self) -> str:
        """It in a few words."""
        return ", ".join(f"{name} {value}" for name, value in self.values)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval.

    Attributes:
        value: point estimate.
        low: end of the interval, minus infinity where nothing is known about it.
        high: other end.
        num: independent repeats behind it.
    """

    value: float
    low: float
    high: float
    num: int

    @property
    def text(self) -> str:
        """The number with its interval."""
        return f"{self.value:.3g} (95 %: {self.low:.3g} to {self.high:.3g}, n = {self.num})"


@dataclass(frozen=True, slots=True)
class Part:
    """One number that the claim stands or falls with.

    Attributes:
        statement: what is compared with what.
        found: the larger the better for the claim.
        goal: that the lower end of the interval must reach.
    """

    statement: str
    found: Estimate
    goal: float

    @property
    def holds(self) -> bool:
        """True where the interval lies at or above the goal."""
        return bool(self.found.low >= self.goal)

    @property
    def text(self) -> str:
        """What was found, on one line."""
        missed = "fails" if self.found.high < self.goal else "not shown"
        outcome = "holds" if self.holds else missed
        return f"{outcome}: {self.statement}: {self.found.text}, needed {self.goal:g}"


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers as texts.

    Attributes:
        name: of its file.
        title: what they are.
        columns: heads.
        rows: a text per column.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture.

    Attributes:
        label: in the legend.
        x: numbers, or words that stand side by side.
        y: as many numbers.
        spread: of each y, half a bar; empty for none.
        marks: show the points.
    """

    label: str
    x: tuple[float, ...] | tuple[str, ...]
    y: tuple[float, ...]
    spread: tuple[float, ...] = ()
    marks: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn.

    Attributes:
        name: of its file.
        title: what it shows.
        x: words at the axis.
        y: words at the other axis.
        lines: to draw.
        log: draw the second axis in powers of ten.
    """

    name: str
    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    log: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What all cases together came to.

    Attributes:
        parts: what the claim stands or falls with.
        tables: numbers.
        pictures: of them.
        remarks: what was seen beside, and is no part of the claim.
    """

    parts: tuple[Part, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Confirmed where all parts hold, not confirmed where none does."""
        held = [part.holds for part in self.parts]
        if held and all(held):
            return "confirmed"
        return "partly" if any(held) else "not confirmed"


class Claim(Protocol):
    """An experiment on one claim; its fields are its sizes.

    Attributes:
        name: on the command line.
        summary: one line.
        paper: what the paper says, in our words.
        setting: what is measured here.
        criterion: of the verdict.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[str]
    setting: ClassVar[str]
    criterion: ClassVar[str]

    @classmethod
    def quick(cls) -> "Claim":
        """Return it in sizes that take seconds: they show that it runs, and not what is true."""
        ...

    def cases(self) -> list[Case]:
        """Return all cases, those of one repeat side by side."""
        ...

    def measure(self, case: Case) -> Record:
        """Return numbers that JSON can hold."""
        ...

    def conclude(self, found: Mapping[Case, Record]) -> Conclusion:
        """Judge all cases."""
        ...
