"""Does momentum help against noise? Test accuracy when forces, states or couplings are noisy, in training and test.

Gaussian numbers are added to every force at every step (`force_noise`), to every state after every step
(`state_noise`), or every coupling is J (1 + σ ξ), drawn anew for each settle (`weight_noise`).

The stationary variance of a state under noisy forces is in proportion to dt σ² for gradient flow and to dt σ² / γ
with momentum, so damping that is low for speed and barriers is bad for noise: a schedule has it low early, high late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isingeq.experiments.claims.claim import Case, Conclusion, Line, Picture, Record, Table
from isingeq.experiments.claims.intervals import plus_minus, standard_error
from isingeq.experiments.claims.training import accuracies, gained, trained_and_tested

_CONSTANT = "momentum dt 0.5, damping 1"
_LOW = "momentum dt 0.7, damping 0.3"
_SCHEDULE = "momentum dt 0.7, damping 0.3 to 3"
_DISSIPATIVE = {
    "gradient dt 0.5": "hopfield?update=gradient&dt=0.5",
    "synchronous": "hopfield?update=synchronous",
    "asynchronous": "hopfield?update=asynchronous",
}
MACHINES = {
    **_DISSIPATIVE,
    _CONSTANT: "conjugate?order=synchronous&dt=0.5&damping=1",
    _LOW: "conjugate?order=synchronous&dt=0.7&damping=0.3",
    _SCHEDULE: "conjugate?order=synchronous&dt=0.7&damping=0.3&final_damping=3",
}
_BETTER = 1.0
_ALIKE = -1.0


@dataclass(frozen=True)
class NoiseClaim:
    """Accuracy of every machine under every noise.

    Attributes:
        hidden: layers.
        free_steps: of the free phase.
        nudged_steps: of each nudged phase.
        force: standard deviations; the last is that of the verdict, as it is of the two that follow.
        state: standard deviations.
        weight: relative standard deviations.
        epochs: of training.
        train_size: examples; None for all.
        seeds: of networks and noise.
    """

    hidden: tuple[int, ...] = (128,)
    free_steps: int = 20
    nudged_steps: int = 10
    force: tuple[float, ...] = (0.1, 0.2)
    state: tuple[float, ...] = (0.05, 0.1)
    weight: tuple[float, ...] = (0.1, 0.3, 0.6)
    epochs: int = 6
    train_size: int | None = None
    seeds: int = 4

    name: ClassVar[str] = "noise"
    summary: ClassVar[str] = (
        "test accuracy against noise on forces, states and couplings, with damping schedules"
    )
    paper: ClassVar[str] = "training with conjugate variables is more robust against noise."
    setting: ClassVar[str] = (
        "64-128-10 on the 8 × 8 digits, 20 + 10 steps, all of them run; trained and tested under the same Gaussian "
        "noise; centred equilibrium propagation, 6 epochs."
    )
    criterion: ClassVar[str] = (
        "under the strongest noise of each kind, momentum (dt 0.5, damping 1) is at least 1 point better than the best "
        "of gradient flow, synchronous and asynchronous updates (lower end of the 95 % interval, seed by seed). What a "
        "schedule from low to high damping costs and brings is told beside the claim."
    )

    @classmethod
    def quick(cls) -> "NoiseClaim":
        """Return it in small."""
        return cls(
            hidden=(24,),
            force=(0.2,),
            state=(0.1,),
            weight=(0.6,),
            epochs=1,
            train_size=200,
            seeds=2,
        )

    @property
    def noises(self) -> dict[str, tuple[float, ...]]:
        """Strengths of each kind."""
        return {"force": self.force, "state": self.state, "weight": self.weight}

    def cases(self) -> list[Case]:
        """Return every machine without and under every noise, seed after seed."""
        places = [("none", 0.0), *((kind, s) for kind, all_s in self.noises.items() for s in all_s)]
        return [
            Case.of(kind=kind, strength=strength, machine=machine, seed=seed)
            for seed in range(self.seeds)
            for kind, strength in places
            for machine in MACHINES
        ]

    def measure(self, case: Case) -> Record:
        """Return the accuracy."""
        spec = MACHINES[case["machine"]]
        if case["kind"] != "none":
            spec += f"&{case['kind']}_noise={case['strength']!r}"
        return trained_and_tested(
            spec, self.hidden, free_steps=self.free_steps, nudged_steps=self.nudged_steps,
            epochs=self.epochs, train_size=self.train_size, seed=case["seed"],
        )  # fmt: skip

    def conclude(self, found: Mapping[Case, Record]) -> Conclusion:
        """Compare seed by seed."""
        parts, remarks = [], []
        for kind, strengths in self.noises.items():
            at = {
                machine: accuracies(found, kind=kind, strength=strengths[-1], machine=machine)
                for machine in MACHINES
            }
            rival = max(_DISSIPATIVE, key=lambda machine: float(np.mean(at[machine])))
            words = f"noise {strengths[-1]:g} on {kind}"
            parts.append(
                gained(f"{words}, momentum less {rival}", at[_CONSTANT], at[rival], _BETTER)
            )
            beside = (
                ("momentum less gradient flow", _CONSTANT, "gradient dt 0.5", 0.0),
                ("schedule less constant damping", _SCHEDULE, _CONSTANT, _ALIKE),
                ("schedule less low damping", _SCHEDULE, _LOW, 0.0),
            )
            for pair, ours, theirs, goal in beside:
                part = gained(f"{words}, {pair}", at[ours], at[theirs], goal)
                remarks.append(f"Beside the claim, {part.text}.")
        diverged = [case for case, record in found.items() if record["diverged"]]
        if diverged:
            names = sorted(
                {f"{c['machine']} at {c['strength']:g} on {c['kind']}" for c in diverged}
            )
            remarks.append(
                f"{len(diverged)} of {len(found)} trainings diverged and count as chance: {', '.join(names)}."
            )
        tables = tuple(self._table(found, kind) for kind in self.noises)
        pictures = tuple(self._picture(found, kind) for kind in self.noises)
        return Conclusion(tuple(parts), tables, pictures, tuple(remarks))

    def _values(self, found: Mapping[Case, Record], kind: str, machine: str) -> list[list[float]]:
        """Return accuracies without noise, and at each strength."""
        return [
            accuracies(found, kind="none", machine=machine),
            *(
                accuracies(found, kind=kind, strength=strength, machine=machine)
                for strength in self.noises[kind]
            ),
        ]

    def _table(self, found: Mapping[Case, Record], kind: str) -> Table:
        rows = tuple(
            (machine, *(plus_minus(v, 1) for v in self._values(found, kind, machine)))
            for machine in MACHINES
        )
        title = (
            f"test accuracy in % under noise on {kind}, mean ± standard error of {self.seeds} seeds"
        )
        return Table(kind, title, ("machine", "0", *(f"{s:g}" for s in self.noises[kind])), rows)

    def _picture(self, found: Mapping[Case, Record], kind: str) -> Picture:
        lines = []
        for machine in MACHINES:
            values = self._values(found, kind, machine)
            means = tuple(float(np.mean(v)) for v in values)
            spread = tuple(standard_error(v) for v in values)
            lines.append(Line(machine, (0.0, *self.noises[kind]), means, spread))
        title = "bars: standard errors over seeds"
        return Picture(kind, title, f"noise on {kind}", "test accuracy (%)", tuple(lines))
