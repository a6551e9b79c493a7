"""Oscillator Ising machine: phases that pull at each other, and a second harmonic that makes two of them.

    E = Σ_(i<j) J_ij cos(φ_i − φ_j) + Σ_i (h_x cos φ_i + h_y sin φ_i) − ½ pump Σ_i cos 2φ_i        the problem's sign
    dφ_i/dt = ω_i − ∂E/∂φ_i + √(2 T) ξ_i(t)

Kuramoto's model with injection locking (Wang & Roychowdhury 2019; equation and gradients of its learning: Gower 2025,
who writes −J and −h). As a solver of spins the pump is ramped up while the phases cool, and s = sign cos φ. Time is in
units of 1 / J. Where couplings ask for shorter steps than the schedule has (a chip's are not what it was told, and a
trainer's grow under a schedule that stays), the solver makes each in sub-steps.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from isingeq.backend import Claim, Trace
from isingeq.errors import ConfigError
from isingeq.kernels.panels import Batch, fixed, no_pulls
from isingeq.kernels.phases import Flow, Found
from isingeq.kernels.pool import Pool
from isingeq.kernels.streams import frequencies, scatter, streams
from isingeq.machines.graph import Graph
from isingeq.machines.spinning import Outcome, Task
from isingeq.machines.wiring import Wiring
from isingeq.schedule import Drive

Floats = NDArray[np.floating]

STRAY = 0.1
"""Radians by which a start strays from its spins: exactly at 0 and π no phase feels a force."""

MOST = 16
"""Sub-steps to a step of the schedule at most: beyond that it was not made for these couplings."""


@dataclass(frozen=True, slots=True)
class Oscillator:
    """Phase oscillators as they are, integrated by Euler–Maruyama.

    Attributes:
        dt: time step, in units of 1 / J.
        spread: standard deviation of the oscillators' own frequencies ω, drawn once per unit from the seed.
        noise: temperature T of the phase noise.
    """

    dt: float = 0.1
    spread: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.dt < np.inf and 0 <= self.spread < np.inf and 0 <= self.noise < np.inf):
            raise ConfigError(
                f"oscillators need finite dt > 0, spread >= 0 and noise >= 0, got {self}"
            )

    @property
    def ideal(self) -> bool:
        """True without noise and frequency spread: only then they come to rest where the energy does."""
        return self.noise == 0 and self.spread == 0

    @property
    def carries(self) -> bool:
        """False: phases have no velocity."""
        return False

    def flow(self, wiring: Wiring, steps: int, *, tolerance: float, seed: int) -> Flow:
        """Return how phases move while a problem is settled as it stands."""
        constant = np.full(steps, self.noise)
        flow = self.driven(wiring, np.ones(steps), np.zeros(steps), constant, seed)
        return flow._replace(tolerance=tolerance if self.ideal else 0.0)

    def settle(
        self, wiring: Wiring, batch: Batch, steps: int, *, tolerance: float, seed: int, pool: Pool
    ) -> Found:
        """Move a batch, to rest where there is any; see `PhaseMachine`."""
        return wiring.move(self.flow(wiring, steps, tolerance=tolerance, seed=seed), batch, pool)

    def driven(self, wiring: Wiring, gain: Floats, pump: Floats, noise: Floats, seed: int) -> Flow:
        """Return how phases move under a gain of the couplings, a pump and a temperature, each (steps,)."""
        n, kind = wiring.circuit.K.size, wiring.circuit.K.dtype
        drift = self.dt * self.spread * frequencies(seed, n) if self.spread else np.zeros(n)
        return Flow(
            gain=gain,
            pump=pump,
            drift=drift.astype(kind),
            dt=self.dt,
            keep=-1.0,
            stiff=0.0,
            sigma=np.sqrt(2 * noise * self.dt),
            tolerance=0.0,
            first=0,
        )


@dataclass(frozen=True, slots=True)
class OscillatorSolver:
    """Oscillators that end in spins: the pump of the schedule makes two phases of many.

    Attributes:
        sweeps: steps of the schedule that it suggests.
        injection: pump at the end of that schedule, whose couplings make a typical field of 1.
        dt: time step of that schedule.
        spread: standard deviation of the frequencies.
        noise: temperature T of the phase noise.
        heat: temperature that is added at the first step, falling linearly to 0 at the last.
    """

    sweeps: int = 1000
    injection: float = 0.5
    dt: float = 0.4
    spread: float = 0.0
    noise: float = 0.0
    heat: float = 0.4
    claim: ClassVar[Claim] = Claim.GROUND_STATE
    schedule_kind: ClassVar[type] = Drive
    warm_start: ClassVar[bool] = True
    split_invariant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        Oscillator(self.dt, self.spread, self.noise)
        if self.sweeps < 1 or not np.isfinite(self.injection) or not 0 <= self.heat < np.inf:
            raise ConfigError(
                f"an oscillator machine needs sweeps >= 1, a finite injection and heat >= 0, got {self}"
            )

    def suggest(self, graph: Graph, h: Floats) -> Drive:
        """Return a ramp of the pump from 0, with couplings scaled so that the typical field on a phase is 1."""
        field = np.sqrt(graph.rms**2 * graph.n + float(np.square(h).mean()))
        gain = 1.0 / field if field > 0 else 1.0
        return Drive(self.sweeps, self.dt, (0.0, self.injection), (gain, gain))

    def run(self, task: Task) -> Outcome:
        """Run a task; see `SpinMachine.run`.

        Raises:
            ConfigError: a time step beyond stability, even in sub-steps.
        """
        assert isinstance(task.schedule, Drive)
        pieces = _sub_steps(task.graph, task.schedule)
        drive = replace(
            task.schedule, sweeps=pieces * task.schedule.sweeps, dt=task.schedule.dt / pieces
        )
        dtype = np.dtype(task.precision).type
        wiring = Wiring.of_graph(task.graph, dtype)
        gain, pump, noise = (
            np.linspace(*ends, drive.sweeps)
            for ends in (drive.feedback, drive.pump, (self.noise + self.heat, self.noise))
        )
        machine = Oscillator(drive.dt, self.spread)
        flow = machine.driven(wiring, gain, pump, noise, task.seed)
        batch = _batch(task, dtype)
        trace = None
        if task.trace:
            trace = _traced(task, wiring, flow, batch, pieces)
        else:
            wiring.move(flow, batch, task.pool)
        details = {"kernel": wiring.kernel, "sub_steps": pieces}
        return Outcome(_spins(task, batch.phases), details, trace)


def _sub_steps(graph: Graph, drive: Drive) -> int:
    """Return how many pieces each step is made in, for couplings and pump alone: no sample depends on others.

    A step is stable up to 2 / rate, the rate being that of the random couplings' fastest mode and the pump's.
    """
    rate = max(map(abs, drive.feedback)) * graph.rms * np.sqrt(graph.n) + 2 * max(drive.pump)
    pieces = max(1, int(np.ceil(drive.dt * rate / 2)))
    if pieces > MOST:
        raise ConfigError(
            f"dt {drive.dt:g} of an oscillator machine must be at most {2 * MOST / rate:.3g} for these couplings, pump "
            f"and feedback: beyond it steps are unstable even in {MOST} pieces; lower dt, pump or feedback"
        )
    return pieces


def _batch(task: Task, dtype: type) -> Batch:
    """Return fields on the cosines, streams and starting phases of every read."""
    samples, n = task.h.shape
    rows = samples * task.reads
    fields = np.zeros((rows, n, 2), dtype)
    fields[..., 0] = np.repeat(task.h, task.reads, axis=0)
    keys = streams(task.seed, samples, task.reads)
    phases = np.empty((rows, n), dtype)
    scatter(keys, phases)
    if task.start is not None:
        phases *= STRAY / np.pi
        phases += np.pi * (task.start.reshape(rows, n) < 0)
    return Batch(
        fixed(fields.reshape(rows, -1)),
        keys,
        no_pulls(rows, dtype),
        phases,
        np.zeros((0, n), dtype),
    )


def _spins(task: Task, phases: Floats) -> NDArray[np.int8]:
    """Return sign cos φ (b, r, n), +1 where it is 0."""
    spins = np.where(np.cos(phases) >= 0, np.int8(1), np.int8(-1))
    return spins.reshape(len(task.h), task.reads, task.graph.n)


def _traced(task: Task, wiring: Wiring, flow: Flow, batch: Batch, pieces: int) -> Trace:
    """Run step by step and write down the energy of the rounded spins and how far phases agree and are binary.

    Args:
        task: that is run.
        wiring: of its couplings.
        flow: of all sub-steps.
        batch: moved.
        pieces: sub-steps to a step.
    """
    graph, energies, order, binary = task.graph, [], [], []
    shape = (len(task.h), task.reads)
    matrix = sparse.csr_array((graph.values, graph.neighbours, graph.starts), (graph.n, graph.n))
    for t in range(0, flow.gain.size, pieces):
        step = slice(t, t + pieces)
        now = flow._replace(
            gain=flow.gain[step], pump=flow.pump[step], sigma=flow.sigma[step], first=t
        )
        wiring.move(now, batch, task.pool)
        spins = _spins(task, batch.phases).astype(np.float64)
        pull = (matrix @ spins.reshape(-1, graph.n).T).T.reshape(spins.shape)
        energies.append((spins * (0.5 * pull + task.h[:, None])).sum(axis=-1).mean(axis=1))
        order.append(np.abs(np.exp(1j * batch.phases).mean(axis=-1)).reshape(shape).mean(axis=1))
        binary.append(np.abs(np.cos(batch.phases)).mean(axis=-1).reshape(shape).mean(axis=1))
    return Trace(
        np.array(energies),
        details={"order": np.array(order), "mean |cos|": np.array(binary)},
    )
