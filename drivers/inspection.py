"""What a board says of itself, as data and as lines for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from drivers.board import Board
from drivers.descriptor import Descriptor, Integers
from drivers.wire.constants import FaultBit, Opcode
from drivers.wire.replies import Condition, Counts, Welcome
from drivers.wire.requests import Nothing


@dataclass(frozen=True, slots=True)
class Inspection:
    """A board at a moment.

    Attributes:
        url: where it is.
        kind: real, emulated or simulated.
        welcome: its answer to HELLO.
        descriptor: what it is.
        condition: where it stands.
        counts: what it went through since its last reset.
        link: what the host's end of the line went through.
    """

    url: str
    kind: str
    welcome: Welcome
    descriptor: Descriptor
    condition: Condition
    counts: Counts
    link: Mapping[str, int]

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON."""
        w, d, c = self.welcome, self.descriptor, self.condition
        sizes = [{"spins": n, "slots": d.slots(n), "rows": d.rows(n)} for n in _sizes(d)]
        return {
            "url": self.url,
            "kind": self.kind,
            "uid": f"{w.uid:#x}",
            "boot": f"{w.boot:#x}",
            "reset_cause": w.cause.name.lower(),
            "protocol": w.version,
            "descriptor": asdict(d),
            "sizes": sizes,
            "state": c.state.name.lower(),
            "faults": _faults(c),
            "num_spins": c.num_spins,
            "digest": f"{c.digest:#010x}",
            "counters": {k: v for k, v in asdict(self.counts).items() if k != "boot"},
            "link": dict(self.link),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return what it is, in words."""
        d, w, c = self.descriptor, self.welcome, self.condition
        limits, schedule, latency = d.limits, d.schedule, d.latency
        coldest = schedule.most_gain * schedule.beta_unit
        sign = "+" if d.update.energy_sign > 0 else "-"
        features = [name for name, has in asdict(d.features).items() if has]
        slots = "; ".join(f"{n} spins: {d.slots(n)} slots, {d.rows(n)} rows" for n in _sizes(d))
        seeded = "seeded" if d.update.seeded else "not seeded"
        lattice = f" {d.topology.rows} x {d.topology.columns}" if d.topology.rows else ""
        num_pairs = d.topology.num_pairs(d.units.most)
        return [
            ("device", f"{d.maker.vendor} {d.maker.model}, firmware {d.maker.firmware}, {self.kind}"),
            ("uid, boot", f"{w.uid:#x}, {w.boot:#x} (last reset: {w.cause.name.lower()})"),
            ("protocol", f"{w.version}; frames of {w.longest_frame} bytes, window {w.window_bytes}"),
            ("units", f"{d.units.most} {d.units.state}s of {d.units.bits} bit"),
            ("couplings", f"{d.topology.kind}{lattice}, {num_pairs}, {_integers(d.coupling)}"),
            ("fields", _integers(d.field)),
            ("energy", f"{sign}(sum h s + sum J s s)"),
            ("update", f"{d.update.rule}, {d.update.random}, {seeded}"),
            ("schedule", f"beta to {coldest:g} per count, {schedule.legs} legs of {schedule.most_sweeps} sweeps"
                + (", reverse" if schedule.reverse else "")),
            ("limits", f"{slots}; {limits.reads} reads"),
            ("features", ", ".join([*features, *(["correlations"] if limits.sums else [])]) or "none"),
            ("latency", f"boot {latency.boot_s:g} s, request {latency.command_s:g} s, "
                f"spin update {latency.sweep_s:g} s"),
            ("imperfections", _imperfections(d)),
            ("calibration", f"{d.calibration.id} of {d.calibration.date}" if d.calibration.id else "none"),
            ("state", f"{c.state.name.lower()}, {c.num_spins} spins loaded, faults: "
                + (", ".join(_faults(c)) or "none")),
            ("counters", _counted(asdict(self.counts))),
            ("this link", _counted(self.link)),
        ]  # fmt: skip


def inspect(board: Board) -> Inspection:
    """Ask a board who it is and how it does.

    Raises:
        DeviceError: it does not answer.
    """
    session = board.session
    condition, counts = session.ask_all(
        [(Opcode.STATUS, Nothing()), (Opcode.COUNTERS, Nothing())], reply_bytes=33
    )
    link = {**asdict(session.link.counters), **session.link.faults}
    return Inspection(
        session.transport.url, session.transport.kind, session.welcome, session.descriptor,
        condition, counts, link,
    )  # fmt: skip


def _sizes(d: Descriptor) -> list[int]:
    return sorted({max(1, d.units.most // part) for part in (1, 2, 4)}, reverse=True)


def _integers(numbers: Integers) -> str:
    return f"{numbers.low} to {numbers.high} in {numbers.bits} bits"


def _faults(condition: Condition) -> list[str]:
    return [bit.name.lower() for bit in FaultBit if condition.faults & bit]


def _counted(counts: Mapping[str, int]) -> str:
    met = {k.replace("_", " "): v for k, v in counts.items() if v and k != "boot"}
    return ", ".join(f"{value} {name}" for name, value in met.items()) or "nothing yet"


def _imperfections(d: Descriptor) -> str:
    wrong = d.imperfections
    said = [
        (wrong.gain_sigma, f"couplings spread by {wrong.gain_sigma:.1%}"),
        (wrong.offset_sigma, f"fields off by {wrong.offset_sigma:g} counts"),
        (wrong.noise_sigma, f"noise of {wrong.noise_sigma:g} counts"),
        (wrong.drift_s, f"drifting within {wrong.drift_s or 0:g} s"),
        (wrong.readout_error, f"{wrong.readout_error:.2%} read wrongly"),
        (wrong.stuck_spins, f"{len(wrong.stuck_spins)} stuck spins"),
        (wrong.dead_couplers, f"{len(wrong.dead_couplers)} dead couplers"),
    ]
    return ", ".join(text for met, text in said if met) or "none"
