"""What energy is reached from many starts, and what becomes of the gradient when phases end in different basins?

Networks and glasses are settled from random states, all over the box. What counts is the energy of the amplitudes
themselves, above the lowest that any machine found for the same sample, in percent of how far a typical start lies
above it.

All machines have the same step, dt² = 1.5 / (stiffness + largest coupling eigenvalue + ramp), within the stability
bounds 2 of the gradient flow x ← clip(x + dt² f) and 4 of momentum. Where there is a ramp it makes the energy convex
at the start.

Equilibrium propagation contrasts a free state with nudged ones of the *same* basin. Here the nudged phases start at
the free state, as they should, and at random, as they should not; the gradients of both are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Equilibrium, SettleRequest
from isingeq.experiments.claims.basins import Nudging, distinct, gradients
from isingeq.experiments.claims.claim import Case, Conclusion, Line, Part, Picture, Record, Table
from isingeq.experiments.claims.digit_networks import network, trained
from isingeq.experiments.claims.intervals import mean, plus_minus
from isingeq.experiments.claims.landscapes import glass_problem
from isingeq.kernels.pool import Pool
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.tasks import load

_GRADIENT, _MOMENTUM = "gradient", "momentum"
_MACHINES = {
    _GRADIENT: "damping=inf",
    _MOMENTUM: "damping=0.2&final_damping=2",
    "momentum, random momenta": "damping=0.2&final_damping=2&momentum=1",
    f"{_GRADIENT} + ramp": "damping=inf",
    f"{_MOMENTUM} + ramp": "damping=0.2&final_damping=2",
}
_KINDS = {
    "as drawn": "network as drawn",
    "trained": "trained network",
    "glass": "glass",
}
_GOAL = 1.0
_STEP = 1.5
_AT_REST = 1e-3


@dataclass(frozen=True)
class Starts:
    """Energies reached from many starts.

    Attributes:
        seeds: networks and glasses of each kind.
        reads: starts per sample.
        samples: per network.
        hidden: layers of the networks.
        gain: of networks as drawn; large ones have several minima.
        glass_size: amplitudes of a glass.
        coupling: of the glasses: their strongest attraction over the stiffness.
        epochs: of training.
        train_size: examples; None for all.
        steps: of a settle.
    """

    seeds: int = 8
    reads: int = 32
    samples: int = 16
    hidden: tuple[int, ...] = (128, 128)
    gain: float = 3.0
    glass_size: int = 200
    coupling: float = 2.0
    epochs: int = 15
    train_size: int | None = None
    steps: int = 600

    name: ClassVar[str] = "starts"
    summary: ClassVar[str] = "energy reached from many starts; gradients across basins"
    paper: ClassVar[str] = (
        "dissipative relaxation ends in local minima that depend on the start; conjugate variables reach lower "
        "energies."
    )
    setting: ClassVar[str] = (
        "networks 64-128-128-10 as drawn (gain 3, so that they have several minima) and trained on the 8 × 8 digits, "
        "glasses of 200 amplitudes; 32 random starts for each sample and 600 steps, the same for all machines "
        "(damping 0.2, rising to 2). Energies above the lowest found, in percent of that of the starts."
    )
    criterion: ClassVar[str] = (
        "momentum ends lower than gradient flow by at least 1 % of the energy of the starts (lower end of the 95 % "
        "interval of the mean difference over networks or glasses), without ramp, and with ramp against ramped "
        "gradient flow; on networks as drawn, on trained ones and on glasses."
    )

    @classmethod
    def quick(cls) -> "Starts":
        """Return it in small."""
        return cls(
            seeds=2, reads=8, samples=6, hidden=(24, 24), glass_size=40, epochs=1, train_size=200, steps=200
        )  # fmt: skip

    def cases(self) -> list[Case]:
        """Return every kind, seed after seed."""
        return [Case.of(kind=kind, seed=seed) for seed in range(self.seeds) for kind in _KINDS]

    def measure(self, case: Case) -> Record:
        """Return energies, how many minima were found, and how gradients fare."""
        kind, seed = case["kind"], case["seed"]
        nudging = None if kind == "glass" else self._nudging(kind, seed)
        problem = (
            nudging.problem if nudging else glass_problem(self.glass_size, self.coupling, seed)
        )
        start = self._start(problem, seed)
        scale = problem.energy(start).mean(axis=1)
        machines = specs(problem)
        ends = {
            label: self._settled(spec, problem, start, seed) for label, spec in machines.items()
        }
        energies = {label: problem.energy(end.states) for label, end in ends.items()}
        best = np.min([e.min(axis=1) for e in energies.values()], axis=0)
        height = scale - best
        record: Record = {"machines": {}}
        for label, end in ends.items():
            above = 100 * (energies[label] - best[:, None]) / height[:, None]
            assert end.residual is not None
            rests = [rows[r < _AT_REST] for rows, r in zip(end.states, end.residual, strict=True)]
            record["machines"][label] = {
                "above": float(above.mean()),
                "quantiles": np.quantile(above, np.linspace(0, 1, 21)).tolist(),
                "minima": float(np.mean([distinct(rows) for rows in rests])),
                "unsettled": float((end.residual >= _AT_REST).mean()),
            }
        if nudging is not None:
            record["gradients"] = gradients(nudging, start, machines[_GRADIENT], self.steps)
        return record

    def conclude(self, found: Mapping[Case, Record]) -> Conclusion:
        """Compare over networks and glasses."""
        parts, remarks, tables, pictures = [], [], [], []
        for kind, words in _KINDS.items():
            records = [record for case, record in found.items() if case["kind"] == kind]
            above = {label: [r["machines"][label]["above"] for r in records] for label in _MACHINES}
            for ramp in ("", " + ramp"):
                one, other = above[_GRADIENT + ramp], above[_MOMENTUM + ramp]
                lower = mean([a - b for a, b in zip(one, other, strict=True)])
                parts.append(
                    Part(f"{words}: gradient{ramp} less momentum{ramp}, percent of the starts", lower, _GOAL)
                )  # fmt: skip
            tables.append(_table(kind, words, above, records))
            pictures.append(_picture(kind, words, records))
            if kind != "glass":
                remarks.append(_of_gradients(words, [r["gradients"] for r in records]))
        return Conclusion(tuple(parts), tuple(tables), tuple(pictures), tuple(remarks))

    def _nudging(self, kind: str, seed: int) -> Nudging:
        data = load("digits", train_size=self.train_size)
        net, pool = network(self.hidden), Pool(1)
        if kind == "trained":
            backend = open_backend("conjugate")
            parameters, _ = trained(self.hidden, backend, data, epochs=self.epochs, seed=seed)
            backend.close()
        else:
            parameters = net.initial(seed, (self.gain,))
        return Nudging.of(
            net, parameters, data.x_test[: self.samples], data.y_test[: self.samples], pool
        )

    def _start(self, problem: Problem, seed: int) -> NDArray[np.float64]:
        """Return states all over the boxes, and within ± 1 where there is no wall (b, r, n)."""
        low, high = (np.clip(bound, -1.0, 1.0) for bound in problem.bounds)
        rng = np.random.default_rng([seed, 4])
        return rng.uniform(low, high, (problem.batch, self.reads, problem.n))

    def _settled(
        self, spec: str, problem: Problem, start: NDArray[np.float64], seed: int
    ) -> Equilibrium:
        backend = open_backend(spec)
        try:
            return backend.settle(
                SettleRequest(
                    problem, reads=self.reads, schedule=backend.suggest_schedule(problem), seed=seed,
                    initial=start, tolerance=0.0, max_steps=self.steps,
                )
            )  # fmt: skip
        finally:
            backend.close()


def specs(problem: Problem) -> dict[str, str]:
    """Return SPECs by label, with the step and ramp that fit a problem of stiffness 1."""
    matrix = np.sum([coupling.field(np.eye(problem.n)) for coupling in problem.couplings], axis=0)
    largest = float(np.abs(np.linalg.eigvalsh(matrix)).max())
    found = {}
    for label, options in _MACHINES.items():
        ramp = max(largest - 1, 0.0) if label.endswith("ramp") else 0.0
        dt = np.sqrt(_STEP / (1 + largest + ramp))
        found[label] = f"conjugate?order=synchronous&{options}&dt={dt:.9g}&ramp={ramp:.9g}"
    return found


def _table(kind: str, words: str, above: Mapping[str, list[float]], records: list[Record]) -> Table:
    rows = tuple(
        (
            label,
            plus_minus(values),
            plus_minus([r["machines"][label]["quantiles"][-2] for r in records]),
            plus_minus([r["machines"][label]["minima"] for r in records], 1),
            f"{100 * np.mean([r['machines'][label]['unsettled'] for r in records]):.1f}",
        )
        for label, values in above.items()
    )
    title = f"{words}: energy above the lowest, % of the starts; mean ± standard error of {len(records)} seeds"
    columns = (
        "machine",
        "mean",
        "95th percentile",
        "distinct minima per sample",
        "not at rest (%)",
    )
    return Table(kind.replace(" ", "-"), title, columns, rows)


def _picture(kind: str, words: str, records: list[Record]) -> Picture:
    shares = tuple(np.linspace(0, 100, 21).tolist())
    lines = tuple(
        Line(
            label,
            shares,
            tuple(np.mean([r["machines"][label]["quantiles"] for r in records], axis=0).tolist()),
            marks=False,
        )
        for label in _MACHINES
    )
    title = f"{words}: quantiles over starts and samples, mean over seeds"
    return Picture(
        kind.replace(" ", "-"),
        title,
        "share of the starts (%)",
        "above the lowest energy (%)",
        lines,
    )


def _of_gradients(words: str, records: list[Record]) -> str:
    def told(name: str, digits: int, factor: float = 1.0) -> str:
        return plus_minus([factor * record[name] for record in records], digits)

    return (
        f"Gradients of a {words}: nudged phases from the free state, {told('same_basin_warm', 1, 100)} % stay in its "
        f"basin, cosine with the limit of small nudging {told('cosine_warm', 3)}; from random states, "
        f"{told('same_basin_cold', 1, 100)} % and cosine {told('cosine_cold', 3)}."
    )
