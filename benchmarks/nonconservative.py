"""Equilibrium propagation where forces have no energy: gradients against the adjoint, and learning curves.

    python benchmarks/nonconservative.py gradients
    python benchmarks/nonconservative.py curves digits-feedforward digits-recurrent digits-skew --seeds 5
    python benchmarks/nonconservative.py curves mnist-feedforward --estimators asymmetric backprop --seeds 2

Gradients are of networks drawn at random, in double precision; their errors are relative to the adjoint. Curves are
test accuracies after the first and the last epoch (and --marks), mean over seeds with its standard error. Seconds are
CPU seconds of training.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isingeq.backends.rate import rate
from isingeq.couplings import Window
from isingeq.experiments.build import build
from isingeq.experiments.reading import read_experiment
from isingeq.kernels.pool import Pool
from isingeq.learning.adjoint import asymmetry
from isingeq.learning.cost import SquaredError
from isingeq.learning.directed_links import full_link, layered_links
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import Step, estimate
from isingeq.learning.parameters import Parameters
from isingeq.learning.rate_network import RateNetwork
from isingeq.learning.trainer import Listener
from isingeq.units import Amplitude, Layer

ESTIMATORS = ("plain", "vector_field", "asymmetric", "dyadic", "adjoint")
NUDGINGS = (0.1, 0.02, 0.004)
POOL = Pool(1)
INPUTS, CLASSES, BATCH = 8, 4, 128
Case = tuple[RateNetwork, Parameters]


def layers_of(sizes: tuple[int, ...]) -> tuple[Layer, ...]:
    """Return layers of these sizes."""
    return tuple(Layer(f"l{k}", n, Amplitude(-np.inf, np.inf)) for k, n in enumerate(sizes))


def cases(seed: int) -> Iterator[tuple[str, Case]]:
    """Give networks by name: 30 tanh units with matrices of one norm, a feedforward net, and one of images."""
    rng = np.random.default_rng(seed)
    layers = layers_of((26, CLASSES))
    for name, even, odd in (
        ("W symmetric", 1, 0),
        ("W mixed, mostly symmetric", 1, 0.5),
        ("W mixed, mostly antisymmetric", 0.5, 1),
        ("W antisymmetric", 0, 1),
    ):
        net = RateNetwork(INPUTS, layers, SquaredError(CLASSES), (full_link(30, "tanh"),))
        parameters = exact(net, seed)
        W = rng.normal(size=(30, 30))
        W = even * (W + W.T) + odd * (W - W.T)
        parameters["recurrent.weight"][:] = 0.8 * W / np.linalg.norm(W, 2)
        yield name, (net, parameters)
    sizes = (12, 10, CLASSES)
    links = layered_links(["l0", "l1", "l2"], sizes, "tanh", "none")
    net = RateNetwork(INPUTS, layers_of(sizes), SquaredError(CLASSES), links)
    yield "feedforward 8-12-10-4", (net, exact(net, seed))
    windows = (Window((6, 6, 1), 4, 3, padding=1, pool=2), Window((3, 3, 4), 6, 2))
    sizes = (36, 24, CLASSES)
    links = layered_links(["l0", "l1", "l2"], sizes, "tanh", "none", windows)
    net = RateNetwork(36, layers_of(sizes), SquaredError(CLASSES), links, windows=windows)
    yield "convolutions, pooled, 6×6", (net, exact(net, seed))


def exact(net: RateNetwork, seed: int) -> Parameters:
    """Return initial parameters in double precision."""
    parameters = net.initial(seed)
    return parameters.like(parameters.vector.astype(np.float64))


@dataclass
class Bench:
    """One network with a batch of its own, and the adjoint of it."""

    net: RateNetwork
    parameters: Parameters
    seed: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 1])
        self.x = rng.normal(size=(BATCH, self.net.inputs))
        self.labels = rng.integers(0, CLASSES, BATCH)
        self.backend = rate()
        self.couplings = self.net.couplings(self.parameters)
        encoded = self.net.encode(self.parameters, self.x, POOL)
        self.schedule = self.backend.suggest_schedule(self.net.problem(self.couplings, encoded))
        step = self.step("adjoint", 1.0)
        self.sure, self.states = step.gradient.vector, step.free.mean()

    def step(self, method: str, nudging: float, tolerance: float = 1e-13) -> Step:
        """Return one gradient."""
        estimator = Estimator(
            method, nudging, free_steps=5000, nudged_steps=5000, tolerance=tolerance, precision="float64"
        )  # fmt: skip
        return estimate(
            estimator, self.net, self.backend, self.parameters, self.x, self.labels,
            seed=0, schedule=self.schedule, pool=POOL, out=self.parameters.like(),
        )  # fmt: skip

    def off(self, method: str, nudging: float) -> float:
        """Return the error relative to the adjoint."""
        found = self.step(method, nudging).gradient.vector
        return float(np.linalg.norm(found - self.sure) / np.linalg.norm(self.sure))

    def row(self) -> list[float]:
        """Return the numbers of one line of the table."""
        field = self.step("vector_field", 0.004).gradient.vector
        cosine = field @ self.sure / np.linalg.norm(field) / np.linalg.norm(self.sure)
        row = [asymmetry(self.couplings, self.states), self.off("plain", 0.004)]
        row += [self.off("vector_field", 0.004), float(cosine)]
        row += [self.off("asymmetric", nudging) for nudging in NUDGINGS]
        row += [max(self.off("dyadic", nudging) for nudging in (0.5, *NUDGINGS))]
        for method in ("asymmetric", "dyadic"):
            times = []
            for _ in range(20):
                step = self.step(method, 0.1, 1e-7)
                times.append(step.nudged.timing.host_s)
            row += [1e3 * min(times), float(step.nudged.steps.mean())]
        return row


def gradients(seeds: int) -> None:
    """Print relative errors, and steps of the nudged phases and milliseconds of their settle."""
    head = ["case", "asymmetry", "plain", "vector_field (cosine)"]
    head += [f"asymmetric {b:g}" for b in NUDGINGS] + ["dyadic, worst of 0.5 to 0.004"]
    head += ["asymmetric, ms (steps)", "dyadic, ms (steps)"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    rows: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        for name, case in cases(seed):
            rows.setdefault(name, []).append(Bench(*case, seed).row())
    for name, found in rows.items():
        m = np.mean(found, axis=0)
        cells = [f"{m[0]:.2f}", f"{m[1]:.2f}", f"{m[2]:.2f} ({m[3]:.3f})"]
        cells += [f"{e:.1e}" for e in m[4:8]]
        cells += [f"{m[8]:.1f} ({m[9]:.0f})", f"{m[10]:.1f} ({m[11]:.0f})"]
        print("| " + " | ".join([name, *cells]) + " |")


def curve(name: str, settings: list[str], seed: int, marks: list[int]) -> tuple[list[float], float]:
    """Return test accuracies after the epochs marked and CPU seconds of training; NaN once it has run away."""
    experiment = read_experiment(name, settings=settings, overrides={"seed": seed})
    built, found = build(experiment), []
    trainer, seconds = built.trainer, 0.0

    def mark(epoch) -> None:
        nonlocal seconds
        seconds += epoch.cpu_s
        if epoch.epoch in marks or epoch.epoch == experiment.learning.epochs:
            found.append(float((trainer.predict(built.data.x_test) == built.data.y_test).mean()))

    trainer.run(Listener(on_epoch=mark))
    built.close()
    return found, seconds


def curves(
    names: list[str], estimators: list[str], settings: list[str], seeds: int, marks: list[int]
) -> None:
    """Print mean test accuracies in percent with their standard errors."""
    for name in names:
        for estimator in estimators:
            every = [f"learning.estimator={estimator}", *settings]
            done = [curve(name, every, seed, marks) for seed in range(seeds)]
            table = 100 * np.array([accuracies for accuracies, _ in done])
            spread = table.std(axis=0, ddof=1) / np.sqrt(seeds) if seeds > 1 else 0 * table[0]
            cells = [f"{m:.2f} ± {s:.2f}" for m, s in zip(table.mean(axis=0), spread, strict=True)]
            seconds = np.mean([s for _, s in done])
            print(f"| {name} | {estimator} | {' | '.join(cells)} | {seconds:.1f} s |", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("gradients", "curves"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--estimators", nargs="+", default=list(ESTIMATORS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--marks", type=int, nargs="+", default=[1])
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    if options.what == "gradients":
        gradients(options.seeds)
    elif not options.names:
        sys.exit("curves of which experiments? name some, such as digits-feedforward")
    else:
        curves(options.names, options.estimators, options.settings, options.seeds, options.marks)


if __name__ == "__main__":
    main()
