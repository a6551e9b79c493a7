"""Simulated bifurcation: a network of oscillators with E as its potential, driven through its bifurcation.

    H(x, y, t) = ½ a0 Σ y² + ½ (a0 − a(t)) Σ x² + c0 V(x)          |x| ≤ 1, walls inelastic          ballistic
    H(x, y, t) = ½ Δ Σ y² + Σ [ ¼ K x⁴ + ½ (Δ − a(t)) x² ] + c0 V(x)                                 adiabatic
    V(x) = Σ h x + Σ_(i<j) J x x,       a0 = Δ = K = 1,       spins are signs of x

The pump a rises on a line; symplectic Euler follows the motion. The ballistic force is −c0 (h + J x). The discrete
variant takes −c0 (h + J sign x), which no longer comes from H: it leaves local minima of H, and ends in one of E. Its
oscillators are up to 5 % slower than a0, each by another share: alike, two of a pair would flip in step for ever.
Heating adds γ dt y to every momentum after its step.

Goto, Tatsumura & Dixon 2019, Sci. Adv. 5, eaav2372 (adiabatic); Goto et al. 2021, Sci. Adv. 7, eabe7953 (ballistic,
discrete); Kanao & Goto 2022, Commun. Phys. 5, 153 (heated). They write E = −½ Σ J s s − Σ h s: their J and h are ours
with the other sign.

A symplectic Euler step is stable while dt ω < 2. The stiffest mode has ω² = a0 − a + c0 λ, λ the largest eigenvalue
of J, which the largest row sum bounds from above: where that is not enough, λ is estimated.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from scipy import sparse

from isingeq.backend import Claim, Trace
from isingeq.errors import ConfigError, DivergenceError
from isingeq.kernels.ballistic import swing
from isingeq.kernels.bifurcate import Drive as Steps
from isingeq.kernels.bifurcate import Found, bifurcate
from isingeq.kernels.events import Rows
from isingeq.kernels.lanes import LANES
from isingeq.machines.graph import Floats, Graph
from isingeq.machines.representation import Representation, entries, followed
from isingeq.machines.spinning import Outcome, Task
from isingeq.schedule import Drive

Variant = Literal["adiabatic", "ballistic", "discrete"]
Keep = Literal["best", "final"]

STRENGTH = {"adiabatic": 0.5, "ballistic": 0.5, "discrete": 0.55}
"""c0 times the root mean square of the field on a spin, Σ_j J_ij s_j + h_i, over random states."""

LONGEST = {"adiabatic": 0.5, "ballistic": 1.25, "discrete": 1.25}
"""Longest time step suggested, whatever the linear bound, which knows neither walls nor x³."""

MARGIN = 0.75
"""Share of the stability bound that suggested steps keep to: closer, too many spins flip to and fro (G22, G81)."""

LANCZOS = 16
"""Steps of the estimate of λ, good to a few per cent even at the dense edge of a random spectrum."""

DENSE = 0.3
"""Density from which J x is taken over whole rows (measured: the two meet near 0.3)."""


@dataclass(frozen=True)
class Bifurcation:
    """Simulated bifurcation.

    Attributes:
        variant: of the dynamics.
        sweeps: of the schedule suggested.
        dt: time step of the schedule suggested; 0 for 1 (adiabatic: ½), or 95 % of the stability bound if that is less.
        keep: the state of lowest energy seen on the way, or the one at the end.
        heat: γ.
        substeps: M of the adiabatic variant.
    """

    variant: Variant = "discrete"
    sweeps: int = 1000
    dt: float = 0.0
    keep: Keep = "best"
    heat: float = 0.0
    substeps: int = 2

    def __post_init__(self) -> None:
        if self.variant not in STRENGTH or self.keep not in ("best", "final"):
            raise ConfigError(
                f"bifurcation is {', '.join(STRENGTH)} and keeps best or final, got {self.variant!r} and {self.keep!r}"
            )
        if (
            self.sweeps < 1
            or self.substeps < 1
            or not (0 <= self.dt < np.inf)
            or not (0 <= self.heat < np.inf)
        ):
            raise ConfigError(
                f"bifurcation needs sweeps >= 1, substeps >= 1, dt >= 0 and heat >= 0, got {self.sweeps}, "
                f"{self.substeps}, {self.dt:g} and {self.heat:g}"
            )

    @property
    def claim(self) -> Claim:
        """Low energies."""
        return Claim.GROUND_STATE

    @property
    def schedule_kind(self) -> type:
        """A drive."""
        return Drive

    @property
    def split_invariant(self) -> bool:
        """True: sums do not depend on what else is in a tile."""
        return True

    @property
    def warm_start(self) -> bool:
        """False: below the bifurcation a start is forgotten."""
        return False

    def suggest(self, graph: Graph, h: Floats) -> Drive:
        """Return a linear pump from 0 to 1, with feedback in proportion to the spread of the fields on a spin.

        The spread is √(n rms² + mean h²), rms over all n² ordered pairs (`Graph.rms`).
        """
        spread = float(np.sqrt(graph.n * graph.rms**2 + (np.mean(h**2) if np.size(h) else 0.0)))
        c0 = STRENGTH[self.variant] / spread if spread > 0 else 1.0
        drive = Drive(self.sweeps, self.dt or LONGEST[self.variant], (0.0, 1.0), (c0, c0))
        if self.dt:
            return drive
        return replace(drive, dt=min(drive.dt, MARGIN * self._stability_bound(graph, drive)))

    def run(self, task: Task) -> Outcome:
        """Run a task; arithmetic is in float32 throughout, save for real fields that follow flips.

        Raises:
            ConfigError: a time step beyond the stability bound.
            DivergenceError: an adiabatic oscillator ran away.
        """
        schedule, graph = task.schedule, task.graph
        assert isinstance(schedule, Drive)
        if schedule.dt > (bound := self._stability_bound(graph, schedule)):
            raise ConfigError(
                f"dt {schedule.dt:g} is beyond the stability bound {bound:.3g} of these couplings: lower dt or feedback"
            )
        b, n = task.h.shape
        history = (b * task.reads, 4, schedule.sweeps) if task.trace else (0, 4, 0)
        found = Found(np.empty((b * task.reads, n), np.int8), np.empty(history, np.float32))
        layout = self._layout(graph)
        h = (task.h / layout.unit).astype(np.float32, order="C")
        steps, seed = _steps(schedule, layout.unit, self.heat), np.uint64(task.seed % 2**64)
        best = self.keep == "best"
        if not n:
            pass
        elif self.variant == "discrete":
            task.pool.split(
                len(found.spins),
                lambda first, last: bifurcate(
                    first, last, layout.form, layout.rest, layout.own, h, steps, seed, best, found
                ),
            )
        else:
            substeps = self.substeps if self.variant == "adiabatic" else 0
            task.pool.split(
                -(-len(found.spins) // LANES),
                lambda first, last: swing(
                    first, last, layout.form, h, substeps, steps, seed, best, found
                ),
            )
        if not found.spins.all():
            raise DivergenceError(
                f"bifurcation ran away at dt {schedule.dt:g}: lower dt or feedback"
            )
        details = {"representation": layout.name, "arithmetic": "float32"}
        trace = _trace(found, layout.unit, b) if task.trace else None
        return Outcome(found.spins.reshape(b, task.reads, n), details, trace)

    @cached_property
    def _prepared(self) -> WeakKeyDictionary[Graph, Representation]:
        return WeakKeyDictionary()

    @cached_property
    def _stiffest(self) -> WeakKeyDictionary[Graph, float]:
        return WeakKeyDictionary()

    def _layout(self, graph: Graph) -> Representation:
        """Return the couplings as the kernel wants them, made once per graph."""
        if graph not in self._prepared:
            if self.variant == "discrete":
                layout = followed(graph)
            elif graph.density > DENSE:
                layout = Representation("matrix", Rows(graph.dense), 1.0, np.zeros(0), 0.0)
            else:
                layout = Representation("entries", entries(graph), 1.0, np.zeros(0), 0.0)
            self._prepared[graph] = layout
        return self._prepared[graph]

    def _stability_bound(self, graph: Graph, drive: Drive) -> float:
        """Return a time step up to which the motion is stable: the longest, or one that `drive` keeps well within."""
        if (bound := _bound(drive, float(graph.reach.max(initial=0.0)))) * MARGIN >= drive.dt:
            return bound
        if graph not in self._stiffest:
            self._stiffest[graph] = stiffest(graph)
        return _bound(drive, self._stiffest[graph])


def _bound(drive: Drive, stiffest: float) -> float:
    """Return 2 / ω for a largest eigenvalue; both ends of the drive count, between them ω² is a line."""
    ends = zip(drive.pump, drive.feedback, strict=True)
    most = max(1 - pump + max(0.0, feedback * stiffest) for pump, feedback in ends)
    return 2 / float(np.sqrt(most)) if most > 0 else np.inf


def stiffest(graph: Graph) -> float:
    """Return the largest eigenvalue of J: exact up to LANCZOS spins, from below by a few per cent beyond."""
    if graph.n <= LANCZOS:
        return float(np.linalg.eigvalsh(graph.dense.astype(np.float64)).max(initial=0.0))
    J = sparse.csr_array((graph.values, graph.neighbours, graph.starts), shape=(graph.n,) * 2)
    basis = np.zeros((LANCZOS + 1, graph.n))
    basis[0] = 1.0 + np.cos(
        np.arange(graph.n) ** 2
    )  # no symmetry of J, and all of the uniform mode
    basis[0] /= np.linalg.norm(basis[0])
    projected = np.zeros((LANCZOS, LANCZOS))
    for k in range(LANCZOS):
        following = J @ basis[k]
        for _ in range(2):  # once more for what rounding left
            along = basis[: k + 1] @ following
            following -= along @ basis[: k + 1]
            projected[: k + 1, k] += along
        if (size := np.linalg.norm(following)) <= 1e-6 * np.abs(projected).max():
            break
        basis[k + 1] = following / size
    return float(np.linalg.eigvalsh(projected, UPLO="U").max())


def _steps(schedule: Drive, unit: float, heat: float) -> Steps:
    """Return the coefficients of every step."""
    pump = np.linspace(*schedule.pump, schedule.sweeps)
    feedback = np.linspace(*schedule.feedback, schedule.sweeps)
    return Steps(
        ((pump - 1) * schedule.dt).astype(np.float32),
        (-feedback * schedule.dt * unit).astype(np.float32),
        schedule.dt,
        heat * schedule.dt,
    )


def _trace(found: Found, unit: float, b: int) -> Trace:
    """Return the history, mean over reads."""
    energy, best, amplitude, kinetic = (
        found.history.astype(np.float64)
        .reshape(b, -1, *found.history.shape[1:])
        .mean(axis=1)
        .transpose(1, 2, 0)
    )
    return Trace(
        unit * energy, kinetic=kinetic, details={"best_energy": unit * best, "amplitude": amplitude}
    )
