"""Steps to settle: automatic damping against the dissipative updates, on trained and untrained networks.

Networks of one and two hidden layers are trained on the digits first; five hidden layers are taken as drawn.
Steps are those of the slowest sample (and the mean) until the residual of every unit is below the tolerance.

    python benchmarks/settle_steps.py
"""

import argparse
import json

import numpy as np

from isingeq.backend import Backend, SettleRequest
from isingeq.backends.simulator import conjugate, hopfield
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.parameters import Parameters
from isingeq.learning.trainer import Course, Trainer
from isingeq.tasks import load
from isingeq.units import Amplitude, Layer

SAMPLES = 360
MACHINES: dict[str, Backend] = {
    "synchronous": hopfield(update="synchronous"),
    "asynchronous": hopfield(update="asynchronous"),
    "gradient dt 0.75": hopfield(update="gradient", dt=0.75),
    "conjugate auto": conjugate(),
    "conjugate auto, synchronous": conjugate(order="synchronous"),
    "conjugate dt 1.2 damping 2": conjugate(order="asynchronous", dt=1.2, damping="2"),
}


def network(hidden: tuple[int, ...]) -> Network:
    """Return a network of amplitudes in [0, 1] with a linear output."""
    layers = tuple(Layer(f"hidden{k}", size, Amplitude()) for k, size in enumerate(hidden, 1))
    return Network(64, (*layers, Layer("output", 10, Amplitude(-np.inf, np.inf))), SquaredError(10))


def trained(net: Network, pool: Pool, seed: int, epochs: int) -> Parameters:
    """Train on the digits with automatic damping."""
    data = load("digits")
    trainer = Trainer(
        net, conjugate(), data,
        estimator=Estimator(nudging=0.1, free_steps=300, nudged_steps=100),
        optimizer=Optimizer(rate=2e-3, anneal="cosine"), course=Course(epochs=epochs, batch_size=32),
        seed=seed, pool=pool, gains=(0.5,),
    )  # fmt: skip
    trainer.run()
    return trainer.parameters


def main() -> None:
    """Print a table of steps per network, tolerance and machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pool, data, rows = Pool(1), load("digits"), []
    cases = (
        ("64-128-10, trained", (128,), True, 1e-3, 0.5),
        ("64-128-128-10, trained", (128, 128), True, 1e-3, 0.5),
        ("64-128×5-10, untrained", (128,) * 5, False, 1e-6, 1.0),
    )
    for label, hidden, train, tolerance, gain in cases:
        for seed in range(options.seeds):
            net = network(hidden)
            parameters = (
                trained(net, pool, seed, options.epochs) if train else net.initial(seed, (gain,))
            )
            problem = net.problem(
                net.couplings(parameters), net.encode(parameters, data.x_test[:SAMPLES], pool)
            )
            for name, machine in MACHINES.items():
                request = SettleRequest(
                    problem, schedule=machine.suggest_schedule(problem), tolerance=tolerance, max_steps=5000,
                    precision="float64",
                )  # fmt: skip
                found = machine.settle(request)
                assert found.steps is not None
                assert found.settled is not None
                rows.append({
                    "network": label, "seed": seed, "tolerance": tolerance, "machine": name,
                    "worst_steps": int(found.steps.max()), "mean_steps": float(found.steps.mean()),
                    "settled": float(found.settled.mean()), "schedule": str(request.schedule),
                })  # fmt: skip
    if options.json:
        print(json.dumps(rows))
        return
    for label, *_ in cases:
        print(label)
        for name in MACHINES:
            part = [row for row in rows if row["network"] == label and row["machine"] == name]
            worst, mean = ([row[key] for row in part] for key in ("worst_steps", "mean_steps"))
            print(
                f"  {name:28s} slowest {np.mean(worst):7.1f}  mean {np.mean(mean):7.1f}  "
                f"settled {np.mean([row['settled'] for row in part]):.3f}  {part[-1]['schedule']}"
            )


if __name__ == "__main__":
    main()
