"""What a study is made of, as it stands in a TOML file.

    name = "bits"
    experiment = "digits-binary"
    methods = ["in-situ", "ex-situ"]
    repeats = 5

    [settings]
    machine.backend = "profile:kings-256"

    [sweep]
    machine.bits = [8, 6, 4, 3]
    mapping.rounding = ["nearest", "stochastic"]

`settings` are keys of the experiment; `sweep` gives such a key a list of values, and every combination is a point.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from isingeq import registry
from isingeq.errors import ConfigError
from isingeq.experiments.config import CLOSED, Count, Experiment, Seed
from isingeq.experiments.reading import Table, one_line, parse, read_experiment, text_of
from isingeq.experiments.toml import dumps

Method = Literal["ideal", "in-situ", "ex-situ", "in-situ calibrated", "ex-situ calibrated"]
"""Where a network learns and where it is tested.

- ideal: both on the ideal machine.
- in-situ: both on the chip.
- ex-situ: it learns on the ideal machine and is tested on the chip.
- calibrated: as above, the chip measured first and its couplings corrected.
"""

_ON_IDEAL = ("machine", "mapping")
"""Tables that say what chip it is: what is learnt on the ideal machine does not depend on them."""


class StudyFile(BaseModel):
    """A study as it is written.

    Attributes:
        name: of the study, first part of its folder's name.
        experiment: shipped experiment, or a file.
        methods: to compare.
        repeats: of every point, each with its own seed of the network and its own chip.
        seed: of the first repeat.
        ideal: SPEC of the ideal machine; None for the experiment's own.
        precision: standard error of gains, relative, that chips are measured to.
        settings: keys of the experiment, for all points.
        sweep: keys of the experiment, each with a list of values.
    """

    model_config = CLOSED

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    experiment: str
    methods: tuple[Method, ...] = Field(("in-situ", "ex-situ"), strict=False, min_length=1)
    repeats: Count = 3
    seed: Seed = 0
    ideal: str | None = None
    precision: float = Field(0.02, gt=0, le=0.5)
    settings: dict[str, Any] = {}
    sweep: dict[str, Any] = {}


@dataclass(frozen=True)
class Point:
    """One combination of swept values.

    Attributes:
        values: by dotted key.
    """

    values: tuple[tuple[str, object], ...]

    @property
    def label(self) -> str:
        """The values in a few words, empty where nothing is swept."""
        return ", ".join(f"{key.rpartition('.')[2]} {_shown(value)}" for key, value in self.values)


@dataclass(frozen=True)
class Study:
    """A study, checked.

    Attributes:
        file: as it was written.
        keys: swept, in order, with their values.
    """

    file: StudyFile
    keys: tuple[tuple[str, tuple[object, ...]], ...]

    @property
    def points(self) -> list[Point]:
        """Every combination, the last key fastest."""
        names = [key for key, _ in self.keys]
        return [
            Point(tuple(zip(names, values, strict=True)))
            for values in product(*(values for _, values in self.keys))
        ]

    @property
    def text(self) -> str:
        """The study, resolved, as TOML."""
        plain = self.file.model_dump(mode="json")
        swept = {key: list(values) for key, values in self.keys}
        return dumps({**plain, "settings": _flat(plain["settings"]), "sweep": swept})

    def point(self, values: Mapping[str, Any]) -> Point:
        """Return a point by its values, as `Point.values` has them; lists are tuples there.

        Raises:
            KeyError: a key that is not swept.
        """
        if unknown := set(values) - {key for key, _ in self.keys}:
            raise KeyError(*unknown)
        return Point(tuple((key, _hashable(values[key])) for key, _ in self.keys if key in values))

    def ideal_point(self, point: Point) -> Point:
        """Return what is left of a point on the ideal machine, where it is of no matter which chip it is."""
        return Point(tuple((k, v) for k, v in point.values if k.split(".")[0] not in _ON_IDEAL))

    def on_chip(self, point: Point, repeat: int) -> Experiment:
        """Return what is run on the chip; a chip without a seed of its own has that of the repeat."""
        overrides = {**self._settings(point), "seed": self.file.seed + repeat}
        found = read_experiment(self.file.experiment, overrides=overrides)
        chip = registry.parse_spec(found.machine.spec)
        if chip.name != "profile" or "seed" in chip.options:
            return found
        return read_experiment(
            self.file.experiment, overrides={**overrides, "machine.seed": self.file.seed + repeat}
        )

    def on_ideal(self, point: Point, repeat: int) -> Experiment:
        """Return what is run on the ideal machine: the same without what says which chip it is."""
        asked = self._settings(point)
        kept = {key: value for key, value in asked.items() if key.split(".")[0] not in _ON_IDEAL}
        seed = self.file.seed + repeat
        return read_experiment(
            self.file.experiment,
            overrides={"machine.backend": self.file.ideal, **kept, "seed": seed},
        )

    def _settings(self, point: Point) -> dict[str, object]:
        return {**_flat(self.file.settings), **{key: _plain(v) for key, v in point.values}}


def read_study(path: str) -> Study:
    """Read a study and check every point of it, before any work.

    Raises:
        ConfigError: an unreadable file, a key or value that is not understood, or a sweep over nothing.
    """
    return study_from(parse(text_of(path, "study"), path), path)


def study_from(table: Table, where: str) -> Study:
    """Return the study in plain values.

    Args:
        table: as parsed.
        where: it comes from, for messages.

    Raises:
        ConfigError: see `read_study`.
    """
    try:
        file = StudyFile.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{where}: {one_line(error, tuple(StudyFile.model_fields))}") from None
    swept = _flat(file.sweep)
    for key, values in swept.items():
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{where}: sweep.{key} is {values!r}, a list of values is needed")
        if any(values[a] == values[b] for a in range(len(values)) for b in range(a)):
            raise ConfigError(f"{where}: sweep.{key} names a value twice: {values}")
    if both := sorted(set(swept) & set(_flat(file.settings))):
        raise ConfigError(f"{where}: {both[0]} stands in settings and in sweep: leave one out")
    if "seed" in swept:
        raise ConfigError(f"{where}: repeats have seeds of their own: sweep.seed says nothing new")
    study = Study(file, tuple((key, tuple(map(_hashable, vs))) for key, vs in swept.items()))
    for point in study.points:
        study.on_chip(point, 0)
        study.on_ideal(point, 0)
    return study


def slug(point: Point) -> str:
    """Return a name of a folder for a point: its values in a few words, and a digest of all their digits."""
    if not point.values:
        return "all"
    words = re.sub(r"[^A-Za-z0-9.]+", "-", point.label).strip("-")
    return f"{words}-{hashlib.sha256(repr(point.values).encode()).hexdigest()[:8]}"


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one, by dotted key."""
    return dict(_leaves(table, prefix))


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _plain(value: object) -> object:
    return [*map(_plain, value)] if isinstance(value, tuple) else value


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
