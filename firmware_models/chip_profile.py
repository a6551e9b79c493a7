"""Profiles of chips: what a machine is said to be, as data, with a source or a reason for each number.

TOML, by name (shipped) or by path (one's own); the profile of a reference firmware is made from its descriptor. What is
not known is left out. What a simulation cannot do without is assumed, and says so.
"""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib.resources import files
from pathlib import Path

from drivers.descriptor import Descriptor
from drivers.profile import load_profile, profile_names, tables_of
from drivers.record import record_from
from firmware_models.analog import Imperfections
from firmware_models.wires import Topology
from isingeq.errors import ConfigError

SHIPPED = files("firmware_models") / "chips"
Pairs = tuple[tuple[str, str], ...]
_TABLES = (
    "maker", "units", "topology", "coupling", "field", "physics", "imperfections", "timing", "power",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made what.

    Attributes:
        vendor: company or group.
        model: the machine.
        year: in which it was published.
    """

    vendor: str
    model: str
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Units:
    """The spins.

    Attributes:
        most: how many; needed where the topology does not say.
    """

    most: int | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """What couplings or fields can be; real numbers of any size where nothing is said.

    Attributes:
        low: lowest.
        high: highest.
        bits: of resolution, the sign included: 2^bits − 1 values from −high to high, 2^bits of a lopsided range.
        step: values are multiples of it, instead of bits.
        levels: the only values, ascending, instead of a range.
    """

    low: float | None = None
    high: float | None = None
    bits: int | None = None
    step: float | None = None
    levels: tuple[float, ...] | None = None

    def check(self, where: str) -> None:
        """Refuse what contradicts itself.

        Raises:
            ConfigError: says what.
        """
        for fine, message in self._rules():
            if not fine:
                raise ConfigError(f"{where}: {message}")

    @property
    def range(self) -> tuple[float, float] | None:
        """Lowest and highest value, None for any."""
        if self.levels is not None:
            return self.levels[0], self.levels[-1]
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def spacing(self) -> float | None:
        """Values are multiples of this; None for real numbers and for levels that no step explains."""
        if self.levels is not None:
            smallest = min(abs(level) for level in self.levels if level)
            count = round((self.levels[-1] - self.levels[0]) / smallest) + 1
            even = all(level / smallest == round(level / smallest) for level in self.levels)
            return smallest if even and count == len(self.levels) else None
        if self.bits is None:
            return self.step
        assert self.low is not None
        assert self.high is not None
        if self.low == -self.high:
            return self.high / (2 ** (self.bits - 1) - 1)
        return (self.high - self.low) / (2**self.bits - 1)

    def _rules(self) -> Iterator[tuple[bool, str]]:
        """What must hold, and what to say where it does not; a rule may rely on those before it."""
        numbers = [self.low, self.high, self.step, *(self.levels or ())]
        yield all(n is None or math.isfinite(n) for n in numbers), "values must be finite"
        ends = (self.low, self.high)
        yield (self.low is None) == (self.high is None), "low and high come together"
        yield self.levels is None or (ends == (None, None)), "levels have a range of their own"
        ways = sum(way is not None for way in (self.bits, self.step, self.levels))
        yield ways <= 1, "bits, step and levels exclude each other: give one of them"
        if self.low is not None and self.high is not None:
            yield (
                self.low <= 0 <= self.high and self.low < self.high,
                (f"a range holds 0, and {self.low:g} to {self.high:g} does not"),
            )
        if self.bits is not None:
            yield (
                self.low is not None,
                (f"{self.bits} bits without low and high say nothing: give the range too"),
            )
            yield 2 <= self.bits <= 52, f"bits must be 2 to 52, got {self.bits}"
        yield self.step is None or self.step > 0, f"step must be above 0, got {self.step}"
        if self.levels is not None:
            ascending = all(a < b for a, b in zip(self.levels, self.levels[1:], strict=False))
            yield len(self.levels) >= 2 and ascending, "levels are two or more, in ascending order"
            yield 0 in self.levels, "levels need 0 among them, for what is not coupled"


@dataclass(frozen=True, slots=True)
class Physics:
    """How it settles.

    Attributes:
        spec: SPEC of a simulator of spins, its betas in the chip's units.
    """

    spec: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the chip.

    Attributes:
        programming_s: to load couplings.
        settle_s: of one settle.
        readout_s: of one read.
        delay_s: after each read.
    """

    programming_s: float | None = None
    settle_s: float | None = None
    readout_s: float | None = None
    delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class Power:
    """What it takes.

    Attributes:
        power_w: while it works, in watts.
        energy_per_settle_j: of one settle, in joules; power times settle time where only those are known.
    """

    power_w: float | None = None
    energy_per_settle_j: float | None = None


@dataclass(frozen=True, slots=True)
class ChipProfile:
    """All of it; each attribute is a table of the same name.

    Attributes:
        name: of the profile.
        imperfections: None where nothing is known of them: typical ones are then assumed.
        sources: where a field or a table is from, by dotted name.
        assumed: why a field or a table is what it is, where nobody published it, by dotted name.
    """

    name: str
    maker: Maker
    topology: Topology
    physics: Physics
    units: Units = Units()
    coupling: Values = Values()
    field: Values = Values()
    imperfections: Imperfections | None = None
    timing: Timing = Timing()
    power: Power = Power()
    sources: Pairs = ()
    assumed: Pairs = ()

    def __post_init__(self) -> None:
        self.coupling.check(f"{self.name}.coupling")
        self.field.check(f"{self.name}.field")
        if self.field.levels is not None and self.field.spacing is None:
            raise ConfigError(
                f"{self.name}.field: levels of fields need equal steps, 0 and all between"
            )
        if self.units.most is not None and self.units.most < 1:
            raise ConfigError(f"{self.name}.units.most is {self.units.most}, 1 or more are needed")
        for table in (self.timing, self.power):
            for entry in fields(table):
                value = getattr(table, entry.name)
                if value is not None and not 0 <= value < math.inf:
                    raise ConfigError(
                        f"{self.name}: {entry.name} must be 0 or more and finite, got {value:g}"
                    )
        known = [*(name for name, _ in self.entries()), *_TABLES]
        for kind, pairs in (("sources", self.sources), ("assumed", self.assumed)):
            for name, _ in pairs:
                if name not in known:
                    near = difflib.get_close_matches(name, known, n=1)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    raise ConfigError(f"{self.name}.{kind} names {name!r}, which is no field{hint}")
        if twice := sorted({name for name, _ in self.sources} & {name for name, _ in self.assumed}):
            raise ConfigError(f"{self.name}: {twice[0]} has a source and is assumed: one of them")

    @property
    def energy_per_settle_j(self) -> float | None:
        """Joules of one settle, None where nobody knows."""
        power, settle = self.power.power_w, self.timing.settle_s
        if self.power.energy_per_settle_j is not None or power is None or settle is None:
            return self.power.energy_per_settle_j
        return power * settle

    def entries(self) -> Iterator[tuple[str, object]]:
        """Yield every field that there is, known or not, by dotted name."""
        for name in _TABLES:
            table = getattr(self, name)
            if table is None:
                table = Imperfections()
                yield from ((f"{name}.{entry.name}", None) for entry in fields(table))
            elif is_dataclass(table):
                yield from ((f"{name}.{e.name}", getattr(table, e.name)) for e in fields(table))

    def origin(self, name: str) -> tuple[str, str]:
        """Return `source` or `assumed` and its text, for a field or for the table it is in; else two empty texts."""
        for wanted in (name, name.partition(".")[0]):
            for kind, pairs in (("source", self.sources), ("assumed", self.assumed)):
                if (text := dict(pairs).get(wanted)) is not None:
                    return kind, text
        return "", ""


def chip_names() -> list[str]:
    """Return the names of the profiles that ship, those of the reference firmware among them."""
    found = (entry.name for entry in SHIPPED.iterdir())
    own = (name.removesuffix(".toml") for name in found if name.endswith(".toml"))
    return sorted([*own, *profile_names()])


def load_chip(name: str) -> ChipProfile:
    """Return a profile: a name that ships, or a path that ends in .toml.

    Raises:
        ConfigError: no such profile, no TOML, or a field that is missing, unknown or contradicts another.
    """
    if name in profile_names():
        return _of_board(name, load_profile(name))
    if not name.endswith(".toml") and name not in chip_names():
        near = difflib.get_close_matches(name, chip_names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(chip_names())}"
        raise ConfigError(f"profile {name!r} is not known; {hint} (a file's name ends in .toml)")
    return chip_from(tables_of(name, SHIPPED), Path(name).name.removesuffix(".toml"))


def chip_from(data: Mapping[str, object], name: str) -> ChipProfile:
    """Return the profile in plain data.

    Raises:
        ConfigError: a field that is missing, unknown or contradicts another.
    """
    tables = dict(data)
    if "name" in tables:
        raise ConfigError(f"{name}.name is not known: a profile is called as its file is")
    for key in ("sources", "assumed"):
        table = tables.get(key, {})
        if not isinstance(table, Mapping):
            raise ConfigError(f"{name}.{key} is {table!r}, a table of texts is needed")
        tables[key] = [list(pair) for pair in table.items()]
    try:
        return record_from(ChipProfile, {**tables, "name": name}, name)
    except ConfigError as error:
        raise ConfigError(_named(str(error), name)) from None


def _named(message: str, name: str) -> str:
    return message if message.startswith(name) else f"{name}: {message}"


def _of_board(name: str, d: Descriptor) -> ChipProfile:
    """Return the profile of a board: what its descriptor says, its own arithmetic of whole numbers as steps of 1."""
    sweeps = 100
    source = f"descriptor of {name}"
    tables = ("maker", "units", "topology", "coupling", "field")
    graph, sign = d.topology, d.update.energy_sign
    spans = [(r.low, r.high) if sign > 0 else (-r.high, -r.low) for r in (d.coupling, d.field)]
    coupling, field = (Values(float(low), float(high), step=1.0) for low, high in spans)
    wrong = d.imperfections
    return ChipProfile(
        name=name,
        maker=Maker(d.maker.vendor, d.maker.model),
        units=Units(d.units.most),
        topology=Topology(graph.kind, graph.rows, graph.columns, edges=graph.edges),
        coupling=coupling,
        field=field,
        physics=Physics(f"gibbs?sweeps={sweeps}"),
        imperfections=None
        if wrong == type(wrong)()
        else Imperfections(**{e.name: getattr(wrong, e.name) for e in fields(wrong)}),
        timing=Timing(programming_s=d.latency.commit_s, settle_s=sweeps * d.latency.sweep_s),
        sources=tuple((table, source) for table in (*tables, "timing.programming_s")),
        assumed=(
            ("physics.spec", f"{d.update.rule}, of {sweeps} sweeps"),
            ("timing.settle_s", f"{sweeps} sweeps of the length that the descriptor says"),
        ),
    )
