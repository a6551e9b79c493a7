"""The descriptor: what a device says of itself, as data.

It travels as JSON in ASCII, keys sorted, no spaces; a firmware keeps it as bytes and never reads it. The same
tables in TOML are a profile (`drivers.profile`), from which that of a reference firmware is made.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NoReturn

from drivers.record import record_from
from drivers.topology import Topology
from drivers.wire.cobs import longest
from drivers.wire.constants import LONGEST_FRAME, SHORT_FRAME
from drivers.wire.packing import packed_bytes
from isingeq.errors import ConfigError, DeviceError

SCHEMA = 1
MOST_BYTES = 65535
RULES = ("sequential gibbs", "chromatic gibbs", "analog")
STATES = ("spin", "phase", "amplitude")


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made what.

    Attributes:
        vendor: of the board.
        model: of the board; the name of its profile where it has one.
        firmware: version of the firmware.
    """

    vendor: str
    model: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Units:
    """The units.

    Attributes:
        most: number of spins.
        state: spin, phase or amplitude.
        bits: of one unit read out.
    """

    most: int
    state: str = "spin"
    bits: int = 1


@dataclass(frozen=True, slots=True)
class Integers:
    """A range of whole numbers, in steps of one count.

    Attributes:
        bits: of storage, the sign included.
        low: lowest value.
        high: highest value.
    """

    bits: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Update:
    """How spins are updated.

    Attributes:
        rule: sequential gibbs (one by one in order), chromatic gibbs (one colour at a time) or analog.
        random: name of the generator, or `physical`.
        seeded: the same seed, sample and read give the same row.
        energy_sign: +1 where E = +Σ h s + Σ J s s is minimised, −1 where E = −Σ h s − Σ J s s.
    """

    rule: str
    random: str
    seeded: bool
    energy_sign: int


@dataclass(frozen=True, slots=True)
class Schedules:
    """What schedules there are: legs along which the gain goes in a straight line.

    Attributes:
        beta_unit: inverse temperature, per count of energy, at gain 1 and shift 0.
        most_gain: highest gain.
        most_shift: highest power of two that gains are divided by.
        legs: that the table holds.
        most_sweeps: of one leg.
        reverse: takes legs along which the gain falls, and starts from a given state.
    """

    beta_unit: float
    most_gain: int
    most_shift: int
    legs: int
    most_sweeps: int
    reverse: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What fits.

    Attributes:
        frame: bytes of header, payload and check.
        window: bytes of stuffed frames that may be under way to the device.
        slots: most slots.
        field_memory: fields of all slots together.
        state_memory: bytes of all start states together.
        row_memory: bytes of the rows of a run.
        sums: of a correlation; 0 where there is none.
        reads: most rows per slot.
    """

    frame: int
    window: int
    slots: int
    field_memory: int
    state_memory: int
    row_memory: int
    sums: int
    reads: int


@dataclass(frozen=True, slots=True)
class Features:
    """What else it can do: hold spins, send rows as events, end itself."""

    clamp: bool
    stream: bool
    shutdown: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things take, for timeouts and estimates; the line's own time comes on top.

    Attributes:
        boot_s: from reset to the first answer.
        command_s: of a request that only writes or reads memory.
        byte_s: more per byte of payload.
        commit_s: of COMMIT with all couplings.
        sweep_s: of one sweep of one spin.
    """

    boot_s: float
    command_s: float
    byte_s: float
    commit_s: float
    sweep_s: float


@dataclass(frozen=True, slots=True)
class Imperfections:
    """How far a device is from its description; all at rest in an ideal one.

    Attributes:
        gain_sigma: spread of couplings, of their own size.
        offset_sigma: spread of fields, in counts.
        noise_sigma: of fields, anew in each sweep, in counts.
        drift_s: time constant of offsets; None where they stay.
        readout_error: chance that a spin is read wrongly.
        stuck_spins: spins that do not move.
        dead_couplers: edges that do nothing.
    """

    gain_sigma: float = 0.0
    offset_sigma: float = 0.0
    noise_sigma: float = 0.0
    drift_s: float | None = None
    readout_error: float = 0.0
    stuck_spins: tuple[int, ...] = ()
    dead_couplers: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """The measurement that the imperfections come from; an empty id where there was none."""

    id: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """All of it; each attribute is a table of the same name."""

    maker: Maker
    units: Units
    topology: Topology
    coupling: Integers
    field: Integers
    update: Update
    schedule: Schedules
    limits: Limits
    features: Features
    latency: Latency
    imperfections: Imperfections = Imperfections()
    calibration: Calibration = Calibration()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        for fine, message in self._rules():
            if not fine:
                raise ConfigError(f"descriptor of {self.maker.model}: {message}")
        self.topology.check(self.units.most)

    def slots(self, num_spins: int) -> int:
        """Return how many slots there are for problems of this size."""
        limits = self.limits
        states = limits.state_memory // packed_bytes(num_spins)
        return min(limits.slots, limits.field_memory // num_spins, states)

    def rows(self, num_spins: int) -> int:
        """Return how many rows a run may have at this size."""
        return self.limits.row_memory // packed_bytes(num_spins)

    def _rules(self) -> list[tuple[bool, str]]:
        """What must hold, and what to say where it does not."""
        most, limits, wrong = self.units.most, self.limits, self.imperfections
        times = asdict(self.latency).values()
        memories = (limits.field_memory, limits.state_memory, limits.row_memory, limits.sums)
        sigmas = (wrong.gain_sigma, wrong.offset_sigma, wrong.noise_sigma)
        return [
            (self.schema == SCHEMA, f"schema {self.schema}, {SCHEMA} is understood"),
            (all(map(str.isprintable, asdict(self.maker).values())), "names must be printable"),
            (1 <= most <= 65535, f"{most} spins, 1 to 65535 are possible"),
            (
                self.units.state in STATES,
                f"state {self.units.state!r}, not one of {', '.join(STATES)}",
            ),
            (1 <= self.units.bits <= 16, f"{self.units.bits} bits per unit, 1 to 16 are possible"),
            (self.units.state != "spin" or self.units.bits == 1, "a spin is read out as one bit"),
            *[
                (
                    _fits(r),
                    f"{n} from {r.low} to {r.high} in {r.bits} bits: 0 within, 16 bits at most",
                )
                for n, r in (("coupling", self.coupling), ("field", self.field))
            ],
            (
                self.update.rule in RULES,
                f"rule {self.update.rule!r}, not one of {', '.join(RULES)}",
            ),
            (self.update.energy_sign in (-1, 1), "energy_sign must be -1 or 1"),
            (0 < self.schedule.beta_unit < math.inf, "beta_unit must be positive and finite"),
            (1 <= self.schedule.most_gain <= 65535, "most_gain must be 1 to 65535"),
            (0 <= self.schedule.most_shift <= 15, "most_shift must be 0 to 15"),
            (1 <= self.schedule.legs <= 65535, "legs must be 1 to 65535"),
            (1 <= self.schedule.most_sweeps <= 65535, "most_sweeps must be 1 to 65535"),
            (
                SHORT_FRAME + 4 <= limits.frame <= LONGEST_FRAME,
                f"frames of {limits.frame} bytes, {SHORT_FRAME + 4} to {LONGEST_FRAME} are possible",
            ),
            (
                longest(limits.frame) + 2 <= limits.window <= 65535,
                "no longest frame fits the window",
            ),
            (1 <= limits.slots <= 65535, "slots must be 1 to 65535"),
            (max(memories) < 1 << 32, "memories must be counted in 32 bits"),
            (limits.sums >= 0, "sums must not be negative"),
            (1 <= limits.reads <= 65535, "reads must be 1 to 65535"),
            (
                self.slots(max(most, 1)) >= 1,
                "not even one slot of all spins fits into its memories",
            ),
            (self.rows(max(most, 1)) >= 1, "not even one row of all spins fits into row_memory"),
            (all(0 <= t < math.inf for t in times), "latencies must be finite and not negative"),
            (all(0 <= s < math.inf for s in sigmas), "spreads must be finite and not negative"),
            (wrong.drift_s is None or 0 < wrong.drift_s < math.inf, "drift_s must be positive"),
            (0 <= wrong.readout_error <= 0.5, "readout_error must be 0 to 0.5"),
            (all(0 <= i < most for i in wrong.stuck_spins), "a stuck spin does not exist"),
            (all(0 <= i < j < most for i, j in wrong.dead_couplers), "a dead coupler needs i < j"),
        ]


def _fits(numbers: Integers) -> bool:
    if not 1 <= numbers.bits <= 16:
        return False
    half = 1 << (numbers.bits - 1)
    return -half <= numbers.low <= 0 <= numbers.high < half and numbers.low < numbers.high


def descriptor_from(data: Mapping[str, object], where: str = "descriptor") -> Descriptor:
    """Return the descriptor in plain data.

    Raises:
        ConfigError: a key or value that makes no sense.
    """
    return record_from(Descriptor, data, where)


def encode_descriptor(descriptor: Descriptor) -> bytes:
    """Return the bytes that a firmware holds.

    Raises:
        ConfigError: too many.
    """
    text = json.dumps(asdict(descriptor), sort_keys=True, separators=(",", ":"), allow_nan=False)
    if len(text) > MOST_BYTES:
        raise ConfigError(
            f"a descriptor of {len(text)} bytes, {MOST_BYTES} are allowed: shorten names and lists"
        )
    return text.encode("ascii")


def decode_descriptor(data: bytes) -> Descriptor:
    """Return the descriptor in the bytes that a device sent.

    Raises:
        DeviceError: too long, no JSON, or a descriptor that makes no sense.
    """
    if len(data) > MOST_BYTES:
        raise DeviceError(f"descriptor of {len(data)} bytes, {MOST_BYTES} are allowed")
    try:
        return descriptor_from(
            json.loads(data.decode("ascii"), parse_constant=_refuse, object_pairs_hook=_once)
        )
    except (ValueError, RecursionError, ConfigError) as error:
        raise DeviceError(f"the descriptor of the device is not usable: {error}") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)
