"""What can a network learn when there is little time to settle? Test accuracy against the steps of both phases.

The tolerance is 0, so that every phase runs all its steps, settled or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isingeq.experiments.claims.claim import Case, Conclusion, Line, Part, Picture, Record, Table
from isingeq.experiments.claims.intervals import plus_minus, standard_error
from isingeq.experiments.claims.training import accuracies, gained, trained_and_tested

MACHINES = {
    "gradient dt 0.3": "hopfield?update=gradient&dt=0.3",
    "gradient dt 0.5": "hopfield?update=gradient&dt=0.5",
    "synchronous": "hopfield?update=synchronous",
    "asynchronous": "hopfield?update=asynchronous",
    "momentum dt 1, damping 0.7": "conjugate?order=synchronous&dt=1&damping=0.7",
    "momentum dt 0.7, damping 0.3": "conjugate?order=synchronous&dt=0.7&damping=0.3",
    "momentum, automatic": "conjugate?order=synchronous",
    "over-relaxed, automatic": "conjugate?order=asynchronous",
}
_OURS, _GRADIENT, _ASYNCHRONOUS = "momentum dt 1, damping 0.7", "gradient dt 0.5", "asynchronous"
_SCARCE = 10
_BETTER = 1.0
_ALIKE = -1.0


@dataclass(frozen=True)
class Budget:
    """Accuracy of every machine at every budget.

    Attributes:
        hidden: layers.
        free_steps: of the free phase.
        nudged_steps: of each nudged phase, as many numbers.
        epochs: of training.
        train_size: examples; None for all.
        seeds: of networks.
    """

    hidden: tuple[int, ...] = (128, 128, 128)
    free_steps: tuple[int, ...] = (5, 10, 20, 60)
    nudged_steps: tuple[int, ...] = (3, 5, 10, 20)
    epochs: int = 12
    train_size: int | None = None
    seeds: int = 4

    name: ClassVar[str] = "budget"
    summary: ClassVar[str] = "test accuracy against the steps that a settle may take"
    paper: ClassVar[str] = (
        "with conjugate variables equilibria are reached faster, and deep networks learn about as well as by "
        "backpropagation."
    )
    setting: ClassVar[str] = (
        "64-128-128-128-10 on the 8 × 8 digits, centred equilibrium propagation, 12 epochs; steps of the free and of "
        "each nudged phase (5, 3), (10, 5), (20, 10), (60, 20), all of them run; every machine from the same weights "
        "and the same order of examples."
    )
    criterion: ClassVar[str] = (
        "with at most 10 free steps, momentum (dt 1, damping 0.7) is at least 1 point better than gradient flow "
        "(dt 0.5) and not more than 1 point worse than asynchronous updates; with the most steps it is not more than "
        "1 point worse than gradient flow (lower ends of 95 % intervals of the mean difference, seed by seed)."
    )

    @classmethod
    def quick(cls) -> "Budget":
        """Return it in small."""
        return cls(
            hidden=(24, 24),
            free_steps=(5, 20),
            nudged_steps=(3, 10),
            epochs=1,
            train_size=200,
            seeds=2,
        )

    def cases(self) -> list[Case]:
        """Return every machine at every budget, seed after seed."""
        return [
            Case.of(machine=machine, free_steps=steps, seed=seed)
            for seed in range(self.seeds)
            for steps in self.free_steps
            for machine in MACHINES
        ]

    def measure(self, case: Case) -> Record:
        """Return the accuracy."""
        nudged = dict(zip(self.free_steps, self.nudged_steps, strict=True))
        return trained_and_tested(
            MACHINES[case["machine"]], self.hidden, free_steps=case["free_steps"],
            nudged_steps=nudged[case["free_steps"]], epochs=self.epochs, train_size=self.train_size, seed=case["seed"],
        )  # fmt: skip

    def conclude(self, found: Mapping[Case, Record]) -> Conclusion:
        """Compare seed by seed."""
        parts = []
        for steps in (steps for steps in self.free_steps if steps <= _SCARCE):
            parts += [
                self._part(found, steps, _GRADIENT, _BETTER),
                self._part(found, steps, _ASYNCHRONOUS, _ALIKE),
            ]
        parts.append(self._part(found, self.free_steps[-1], _GRADIENT, _ALIKE))
        diverged = sum(record["diverged"] for record in found.values())
        remarks = (f"{diverged} of {len(found)} trainings diverged.",) if diverged else ()
        return Conclusion(tuple(parts), (self._table(found),), (self._picture(found),), remarks)

    def _part(self, found: Mapping[Case, Record], steps: int, other: str, goal: float) -> Part:
        ours, theirs = (
            accuracies(found, machine=machine, free_steps=steps) for machine in (_OURS, other)
        )
        return gained(f"{steps} free steps, momentum less {other}", ours, theirs, goal)

    def _table(self, found: Mapping[Case, Record]) -> Table:
        budgets = [f"({a}, {b})" for a, b in zip(self.free_steps, self.nudged_steps, strict=True)]
        rows = tuple(
            (
                machine,
                *(
                    plus_minus(accuracies(found, machine=machine, free_steps=steps), 1)
                    for steps in self.free_steps
                ),
            )
            for machine in MACHINES
        )
        title = f"test accuracy in %, mean ± standard error of {self.seeds} seeds"
        return Table("accuracy", title, ("machine", *budgets), rows)

    def _picture(self, found: Mapping[Case, Record]) -> Picture:
        lines = []
        for machine in MACHINES:
            values = [
                accuracies(found, machine=machine, free_steps=steps) for steps in self.free_steps
            ]
            means = tuple(float(np.mean(v)) for v in values)
            words = tuple(str(steps) for steps in self.free_steps)
            lines.append(Line(machine, words, means, tuple(standard_error(v) for v in values)))
        title = "bars: standard errors over seeds"
        return Picture("accuracy", title, "steps of the free phase", "test accuracy (%)", tuple(lines))  # fmt: skip
