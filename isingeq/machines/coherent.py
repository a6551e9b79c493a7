"""The coherent Ising machine: pulses in a ring, amplified by their phase, each fed what the others weigh.

    dx_i/dt = (p − 1) x_i − x_i³ − ε e_i (Σ_j J_ij x_j + √a h_i)             x: amplitude, s = sign x
    de_i/dt = b (a − x_i²) e_i                                              e: error variable

in units of the signal's decay time, J and h in the problem's sign (papers have −J). The pump p (threshold 1) and the
feedback ε follow the schedule's straight lines. A field couples like one more pulse at the amplitude aimed at, √a.

- Mean field: b = 0, so e = 1, and a = 1. While the pump stays this is descent on the energy of `flow`.
- AHC, amplitude-heterogeneity correction (Leleu, Yamamoto, McMahon & Aihara 2019): a = a₀ − 2 ε E(s) / n, what the
  feedback gives to equal pulses, renewed at every look and never below a₀.
- CAC, chaotic amplitude control (Leleu et al. 2021; as CIM-CAC Reifenstein et al. 2021): a on a straight line and
  |x| ≤ 1.5 √a, the wall of published code, which AHC gets too.

Under measurement feedback (Kako et al. 2020, Gaussian model, x = g μ), a share j of the signal goes to homodyne
detection and the machine knows x̃ alone. ξ is white noise in Ito's sense, one and the same in all three lines:

    x̃ = x + g / (2 √j) ξ                              what is fed back, compared with a, and read out
    dx = [(p − 1 − j) x − x³ − ε e (Σ J x̃ + √a h)] dt + g √j (V − ½) ξ dt
    dV/dt = 2 (p − 1 − j − 3 x²) V − 2 j (V − ½)² + 1 + j + 2 x²            V: variance of a pulse, ½ in vacuum

Steps are Euler's, with noise Euler–Maruyama's; a variance decays implicitly, so that it stays positive. Where couplings
or a sample's fields ask for shorter steps than the schedule has (a trainer freezes it, and they grow), each is made in
sub-steps.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Claim, Trace
from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.coherent import Course, Found, Tile, drive
from isingeq.kernels.gaussian import normal_rows
from isingeq.machines.amplitude_control import PRESETS, Control, Variant
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Outcome, Task
from isingeq.machines.stability import Pulse, longest_step
from isingeq.machines.tiles import Lanes, aligned, bonds_of, tiles
from isingeq.schedule import Drive

Floats = NDArray[np.floating]


LONGEST = 0.3
"""Longest time step suggested: beyond it chaos is coarse."""

MOST = 16
"""Sub-steps to a step of the schedule at most: beyond that it was not made for these couplings."""

START = 0.01
"""Standard deviation of the first amplitudes."""


@dataclass(frozen=True, slots=True)
class Coherent:
    """A coherent Ising machine.

    Attributes:
        variant: mean-field, ahc or cac.
        sweeps: of the schedule suggested.
        dt: time step of the schedule suggested; None for nine tenths of what is stable, at most `LONGEST`.
        keep: the lowest state seen, or the final one.
        noise: g, square root of the saturation; 0 for no quantum noise and no loss to the measurement.
        outcoupling: j, loss to the measurement, where there is noise.
        look: sweeps from one look at the energies to the next.
    """

    variant: Variant = "cac"
    sweeps: int = 1000
    dt: float | None = None
    keep: Literal["best", "final"] = "best"
    noise: float = 0.0
    outcoupling: float = 0.5
    look: int = 20

    def __post_init__(self) -> None:
        if self.variant not in PRESETS:
            raise ConfigError(f"variant {self.variant!r} is not one of {', '.join(PRESETS)}")
        if self.keep not in ("best", "final"):
            raise ConfigError(f"keep {self.keep!r} is neither best nor final")
        if self.sweeps < 1 or self.look < 1 or not (self.dt is None or self.dt > 0):
            raise ConfigError(
                f"sweeps {self.sweeps} and look {self.look} must be >= 1, dt {self.dt} > 0"
            )
        if not (0 <= self.noise < np.inf and self.outcoupling > 0):
            raise ConfigError(
                f"noise {self.noise} must be >= 0 and outcoupling {self.outcoupling} > 0"
            )

    @property
    def claim(self) -> Claim:
        """Low energies under chaotic control without noise; nothing where amplitudes settle, or noise moves them."""
        chaotic = self.variant == "cac" and self.noise == 0
        return Claim.GROUND_STATE if chaotic else Claim.NONE

    @property
    def schedule_kind(self) -> type:
        """`Drive`."""
        return Drive

    @property
    def warm_start(self) -> bool:
        """True: pulses start at the target's root, with the signs given."""
        return True

    @property
    def split_invariant(self) -> bool:
        """True: every lane sums in the order of its couplings."""
        return True

    @property
    def tap(self) -> float:
        """Loss to the measurement."""
        return self.outcoupling if self.noise > 0 else 0.0

    @property
    def control(self) -> Control:
        """How amplitudes are held."""
        return PRESETS[self.variant].control

    def suggest(self, graph: Graph, h: Floats) -> Drive:
        """Return the variant's pump, the feedback on the scale of the fields (b, n), and a step that is stable."""
        preset = PRESETS[self.variant]
        scale = np.sqrt(
            graph.n * graph.rms**2 + np.square(h, dtype=np.float64).sum() / max(1, h.size)
        )
        feedback = float(preset.feedback * np.sqrt(2.0) / scale) if scale > 0 else preset.feedback
        pump = (preset.pump[0] + self.tap, preset.pump[1] + self.tap)
        drive = Drive(self.sweeps, LONGEST, pump, (feedback, feedback))
        dt = self.dt or min(LONGEST, 0.9 * self._longest(graph, h, drive))
        return replace(drive, dt=dt)

    def run(self, task: Task) -> Outcome:
        """Run a task.

        Raises:
            ConfigError: a time step beyond stability, even in sub-steps.
            DivergenceError: an amplitude is no longer finite.
        """
        assert isinstance(task.schedule, Drive)
        schedule, pieces = task.schedule, self._sub_steps(task, task.schedule)
        kind: np.dtype[np.floating] = np.dtype(
            np.float64 if task.precision == "float64" else np.float32
        )
        name, bonds = bonds_of(task.graph, kind)
        courses = {int(k): self._course(schedule, int(k), task.graph.n) for k in np.unique(pieces)}
        spins = np.empty((task.h.shape[0], task.reads, task.graph.n), np.int8)
        traces = np.empty((5, schedule.sweeps if task.trace else 0, *spins.shape[:2]))
        parts = [
            (k, lanes)
            for k in courses
            for lanes in tiles(np.flatnonzero(pieces == k), task.reads, task.pool.threads)
        ]

        def work(first: int, last: int) -> None:
            for k, lanes in parts[first:last]:
                course = courses[k]
                seen, tile = self._tile(task, lanes, course.dt, kind)
                found = Found(
                    np.full(lanes.width, np.inf),
                    np.ones(seen.size, np.int8),
                    np.empty((5, k * traces.shape[1], lanes.width)),
                )
                final = drive(seen, aligned(seen.size, kind), tile, bonds, course, found)
                if not np.isfinite(final).all():
                    raise DivergenceError(
                        f"a coherent machine diverged (dt {course.dt:g}): lower dt, pump or feedback"
                    )
                kept = np.copysign(1.0, final) if self.keep == "final" else found.spins
                where = lanes.samples[: lanes.count], lanes.reads[: lanes.count]
                spins[where] = kept.reshape(-1, lanes.width).T[: lanes.count]
                traces[:, :, *where] = found.trace[:, k - 1 :: k, : lanes.count]

        task.pool.split(len(parts), work)
        details = {
            "representation": name,
            "lanes": parts[0][1].width,
            "sub_steps": int(pieces.max()),
            "control": asdict(self.control),
        }
        trace = self._trace(traces) if task.trace else None
        return Outcome(spins, details, trace)

    def _sub_steps(self, task: Task, schedule: Drive) -> NDArray[np.int64]:
        """Return how many pieces each step is made in, sample by sample, so that none depends on others (b,).

        Couplings decide first: where steps have to be cut at all, fields as large as what these make may come on top.
        A sample with larger fields has its own number.
        """
        longest = self._longest(task.graph, np.zeros(0), schedule)
        if schedule.dt > longest:
            longest = self._longest(task.graph, task.graph.reach, schedule)
        pieces = np.full(len(task.h), max(1, np.ceil(schedule.dt / longest)))
        if schedule.dt / pieces.max(initial=1) > self._longest(task.graph, task.h, schedule):
            each = [self._longest(task.graph, h, schedule) for h in task.h]
            pieces = np.maximum(pieces, np.ceil(schedule.dt / np.array(each)))
        if pieces.max(initial=1) > MOST:
            raise ConfigError(
                f"dt {schedule.dt:g} of a coherent machine must be at most "
                f"{MOST * schedule.dt / pieces.max():.3g} for these couplings, fields, pump and feedback: "
                f"beyond it Euler steps are unstable even in {MOST} pieces; lower dt, or leave it out"
            )
        return pieces.astype(np.int64)

    def _course(self, schedule: Drive, pieces: int, n: int) -> Course:
        """Return the coefficients of every step, each in so many pieces."""
        control = self.control
        schedule = replace(schedule, sweeps=pieces * schedule.sweeps, dt=schedule.dt / pieces)
        dt = schedule.dt
        pump, feedback, target = (
            np.linspace(*line, schedule.sweeps)
            for line in (schedule.pump, schedule.feedback, control.target)
        )
        return Course(
            gain=dt * (pump - 1 - self.tap),
            feed=dt * feedback,
            target=target,
            follow=(2 / max(1, n)) * feedback * control.follows,
            dt=dt,
            rate=dt * control.rate,
            ceiling=control.ceiling,
            wall=control.wall,
            blur=self._blur(dt),
            kick=self.noise * np.sqrt(self.outcoupling * dt),
            tap=self.tap,
            look=pieces * self.look
            if self.keep == "best" or control.follows
            else schedule.sweeps + 1,
        )

    def _tile(
        self, task: Task, lanes: Lanes, dt: float, kind: np.dtype[np.floating]
    ) -> tuple[Floats, Tile]:
        """Return what is first fed back, and the state of a tile at the start."""
        n, width, keys = task.graph.n, lanes.width, lanes.keys(task.seed)
        x, e = aligned(n * width, kind), aligned(n * width, kind)
        e[:] = 1.0
        h = np.zeros(width, kind)
        if task.h.any():
            h = aligned(n * width, kind)
            h.reshape(n, width)[:] = task.h[lanes.samples].T
        if task.start is None:
            normal_rows(keys, 0, START, x)
        else:
            root = np.sqrt(self.control.target[0])
            x.reshape(n, width)[:] = root * task.start[lanes.samples, lanes.reads].T
        if self.noise == 0:
            none = np.zeros(0, kind)
            return x, Tile(none, none, e, h, keys)
        seen, variance = aligned(x.size, kind), aligned(x.size, kind)
        normal_rows(keys, 1, self._blur(dt), seen)
        seen += x
        variance[:] = 0.5
        return seen, Tile(x, variance, e, h, keys)

    def _blur(self, dt: float) -> float:
        """Return the standard deviation of one measurement."""
        return float(self.noise / (2 * np.sqrt(self.outcoupling * dt)))

    def _longest(self, graph: Graph, h: Floats, schedule: Drive) -> float:
        """Return the longest stable time step, over both ends of the schedule."""
        held = max(self.control.target) if self.control.rate > 0 else None
        field = float(np.abs(h).max(initial=0.0))
        ends = [
            Pulse(pump - 1 - self.tap, feedback, field, held, self.control.follows)
            for pump, feedback in zip(schedule.pump, schedule.feedback, strict=True)
        ]
        return longest_step(graph, ends, schedule.dt)

    def _trace(self, rows: Floats) -> Trace:
        """Return the means over reads of (5, sweeps, b, r)."""
        energy, lowest, amplitude, spread, error = rows.mean(axis=-1)
        details = {
            "present_energy": energy,
            "best_energy": lowest,
            "amplitude": amplitude,
            "heterogeneity": spread,
            "error": error,
        }
        return Trace(energy if self.keep == "final" else lowest, details=details)
