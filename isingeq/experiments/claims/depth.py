"""Does momentum settle faster, the deeper the network? Steps to a residual against the number of hidden layers.

A step updates every layer once and costs the same in all machines: each coupling is multiplied with once in each
direction. Steps are means over samples; a sample that does not come to rest counts with the most steps allowed, so
that such means are lower bounds, marked ≥.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isingeq.backend import SettleRequest
from isingeq.experiments.claims.claim import Case, Conclusion, Line, Part, Picture, Record, Table
from isingeq.experiments.claims.digit_networks import network, trained
from isingeq.experiments.claims.intervals import geometric_mean, plus_minus, standard_error
from isingeq.kernels.pool import Pool
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.tasks import load

_GRADIENT = {f"gradient dt {dt:g}": f"hopfield?update=gradient&dt={dt:g}" for dt in (0.5, 0.75)}
_SLOWER = "gradient dt 0.5"
_OTHERS = {
    "synchronous": "hopfield?update=synchronous",
    "asynchronous": "hopfield?update=asynchronous",
    "over-relaxed, automatic": "conjugate?order=asynchronous",
}
_AUTOMATIC = "momentum, automatic"
_MOMENTUM = {
    f"momentum, damping {g:g}": f"conjugate?order=synchronous&dt=1&damping={g:g}"
    for g in (0.15, 0.3, 0.6, 1.0, 1.5, 2.0)
}
_MACHINES = {**_GRADIENT, **_OTHERS, _AUTOMATIC: "conjugate?order=synchronous", **_MOMENTUM}
_BEST = "momentum, best damping"
_DEEP = 3
_GOAL = 2.0


@dataclass(frozen=True)
class Depth:
    """Steps of every machine on networks as drawn and trained.

    Attributes:
        depths: hidden layers.
        trained_depth: most layers of networks that are trained; deeper ones do not learn in so few epochs.
        width: units of each.
        seeds: of networks.
        samples: settled at once.
        epochs: of training.
        train_size: examples; None for all.
        max_steps: of a settle.
        tolerances: residuals; the middle one is that of the verdict.
    """

    depths: tuple[int, ...] = (1, 2, 3, 4, 5)
    trained_depth: int = 3
    width: int = 128
    seeds: int = 6
    samples: int = 32
    epochs: int = 15
    train_size: int | None = None
    max_steps: int = 2000
    tolerances: tuple[float, ...] = (1e-3, 1e-4, 1e-6)

    name: ClassVar[str] = "depth"
    summary: ClassVar[str] = "steps to a residual against the number of hidden layers"
    paper: ClassVar[str] = (
        "relaxation with conjugate variables converges faster than dissipative relaxation."
    )
    setting: ClassVar[str] = (
        "networks on the 8 × 8 digits with 1 to 5 hidden layers as drawn (gain 1), and 1 to 3 trained; steps until the "
        "largest residual of a sample is below a tolerance, mean over test samples. Momentum is critically damped for "
        "the smallest curvature of each network, as `conjugate?order=synchronous` does by itself; gradient flow has "
        "the better of two steps for each network."
    )
    criterion: ClassVar[str] = (
        "on networks of 3 hidden layers and more, momentum needs at most half the steps of gradient flow to a "
        "residual of 1e-4 (lower end of the 95 % interval of the geometric mean ratio >= 2), as drawn and trained; "
        "and fewer than asynchronous updates, which are dissipative too (lower end >= 1)."
    )

    @classmethod
    def quick(cls) -> "Depth":
        """Return it in small."""
        return cls(
            depths=(1, 3), width=32, seeds=2, samples=16, epochs=1, train_size=200, max_steps=500
        )

    def cases(self) -> list[Case]:
        """Return every network, seed after seed."""
        return [
            Case.of(depth=depth, trained=is_trained, seed=seed)
            for seed in range(self.seeds)
            for depth in self.depths
            for is_trained in (False, True)
            if depth in self._depths(is_trained)
        ]

    def measure(self, case: Case) -> Record:
        """Return steps by machine and tolerance, and how far all machines agree where they all come to rest."""
        problem, accuracy = self._problem(case["depth"], case["trained"], case["seed"])
        steps: dict[str, list[float]] = {}
        unsettled: dict[str, list[float]] = {}
        rests = []
        for label, spec in _MACHINES.items():
            backend = open_backend(spec)
            schedule = backend.suggest_schedule(problem)
            steps[label], unsettled[label] = [], []
            for tolerance in self.tolerances:
                found = backend.settle(
                    SettleRequest(
                        problem, schedule=schedule, tolerance=tolerance, max_steps=self.max_steps,
                        precision="float64",
                    )
                )  # fmt: skip
                assert found.steps is not None
                assert found.settled is not None
                steps[label].append(float(found.steps.mean()))
                unsettled[label].append(float(1 - found.settled.mean()))
                last = np.where(found.settled[..., None], found.states, np.nan)
            rests.append(last)
            backend.close()
        states = np.array(rests)
        with np.errstate(invalid="ignore"):
            apart = np.abs(states - states[:1]).max(axis=(0, 2, 3))
        together = apart[np.isfinite(apart)]
        return {
            "accuracy": accuracy,
            "steps": steps,
            "unsettled": unsettled,
            "same_state": float((together < 1e-3).mean()) if together.size else None,
        }

    def conclude(self, found: Mapping[Case, Record]) -> Conclusion:
        """Compare over networks."""
        at = len(self.tolerances) // 2
        parts: list[Part] = []
        remarks: list[str] = []
        for is_trained, words in ((False, "as drawn"), (True, "trained")):
            deep = [
                with_best(found[case]["steps"], at)
                for case in found
                if case["depth"] >= _DEEP and case["trained"] == is_trained
            ]
            better = [min(steps[label][at] for label in _GRADIENT) for steps in deep]
            slow = [steps[_SLOWER][at] for steps in deep]
            ours = [steps[_AUTOMATIC][at] for steps in deep]
            part = _part(f"{words}, {_SLOWER} over {_AUTOMATIC}", slow, ours, _GOAL)
            remarks.append(f"Beside the claim, {part.text}.")
            for label in (_AUTOMATIC, _BEST):
                ours = [steps[label][at] for steps in deep]
                other = [steps["asynchronous"][at] for steps in deep]
                pair = (
                    _part(f"{words}, gradient over {label}", better, ours, _GOAL),
                    _part(f"{words}, asynchronous over {label}", other, ours, 1.0),
                )
                if label == _AUTOMATIC:
                    parts += pair
                else:
                    remarks += [f"Beside the claim, {part.text}." for part in pair]
        same = [r["same_state"] for r in found.values() if r["same_state"] is not None]
        learnt = [100 * r["accuracy"] for r in found.values() if r["accuracy"] is not None]
        remarks.append(f"Test accuracy of the trained networks: {plus_minus(learnt, 1)} %.")
        if same:
            remarks.append(
                "Where every machine comes to rest, all end in the same state (to 0.001) in "
                f"{100 * np.mean(same):.1f} % of the samples."
            )
        return Conclusion(
            tuple(parts),
            tuple(self._table(found, number) for number in range(len(self.tolerances))),
            tuple(self._picture(found, at, is_trained) for is_trained in (False, True)),
            tuple(remarks),
        )

    def _problem(self, depth: int, is_trained: bool, seed: int) -> tuple[Problem, float | None]:
        data, hidden = load("digits", train_size=self.train_size), (self.width,) * depth
        net, pool = network(hidden), Pool(1)
        parameters, accuracy = net.initial(seed), None
        if is_trained:
            backend = open_backend("conjugate")
            parameters, accuracy = trained(hidden, backend, data, epochs=self.epochs, seed=seed)
            backend.close()
        encoded = net.encode(parameters, data.x_test[: self.samples], pool)
        return net.problem(net.couplings(parameters), encoded), accuracy

    def _depths(self, is_trained: bool) -> tuple[int, ...]:
        most = self.trained_depth if is_trained else max(self.depths)
        return tuple(depth for depth in self.depths if depth <= most)

    def _table(self, found: Mapping[Case, Record], number: int) -> Table:
        tolerance = self.tolerances[number]
        heads = [
            (depth, is_trained)
            for is_trained in (False, True)
            for depth in self._depths(is_trained)
        ]
        rows = []
        for label in (*_MACHINES, _BEST):
            row = [label]
            for depth, is_trained in heads:
                records = _of(found, depth, is_trained)
                values = [with_best(r["steps"], number)[label][number] for r in records]
                missed = [r["unsettled"].get(label, [0] * 9)[number] for r in records]
                row.append(("≥ " if max(missed) > 0 else "") + plus_minus(values, 0))
            rows.append(tuple(row))
        names = (f"{d} {'trained' if is_trained else 'as drawn'}" for d, is_trained in heads)
        return Table(
            f"steps-to-{tolerance:g}",
            f"steps to a residual of {tolerance:g} by hidden layers, mean ± standard error of {self.seeds} networks",
            ("machine", *names),
            tuple(rows),
        )

    def _picture(self, found: Mapping[Case, Record], number: int, is_trained: bool) -> Picture:
        lines = []
        for label in (*_GRADIENT, *_OTHERS, _AUTOMATIC, _BEST):
            values = [
                [
                    with_best(r["steps"], number)[label][number]
                    for r in _of(found, depth, is_trained)
                ]
                for depth in self._depths(is_trained)
            ]
            means = tuple(float(np.mean(v)) for v in values)
            lines.append(
                Line(
                    label, self._depths(is_trained), means, tuple(standard_error(v) for v in values)
                )
            )
        words = "trained" if is_trained else "as drawn"
        title = f"{words}, to {self.tolerances[number]:g}; bars: standard errors over networks"
        name = f"steps-{words.replace(' ', '-')}"
        return Picture(name, title, "hidden layers", "steps", tuple(lines), log=True)


def with_best(steps: Mapping[str, list[float]], number: int) -> dict[str, list[float]]:
    """Return the steps with those of the damping that is best for this network and tolerance."""
    return {**steps, _BEST: min((steps[label] for label in _MOMENTUM), key=lambda s: s[number])}


def _of(found: Mapping[Case, Record], depth: int, is_trained: bool) -> list[Record]:
    return [
        record
        for case, record in found.items()
        if (case["depth"], case["trained"]) == (depth, is_trained)
    ]


def _part(words: str, above: list[float], below: list[float], goal: float) -> Part:
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return Part(f"{words}, steps", geometric_mean(ratios), goal)
