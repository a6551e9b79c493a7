"""What a settle costs beyond its arithmetic, whether anything compiles while training, and whether memory grows.

python benchmarks/overheads.py
"""

import argparse
import json
import resource
import time

import numpy as np

from isingeq.backend import SettleRequest
from isingeq.backends.simulator import hopfield
from isingeq.kernels import lanes, relax, sparse, update
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer
from isingeq.learning.trainer import Course, Listener, Trainer
from isingeq.tasks import load
from isingeq.units import Amplitude, Layer

LINEAR = Amplitude(-np.inf, np.inf)


def best(work, repeat: int) -> float:
    """Least process CPU seconds of `repeat` calls."""
    times = []
    for _ in range(repeat):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def small_settle() -> dict[str, float]:
    """Milliseconds of a warm settle of 16 samples on 64-32-10, with 1 step and with 101, and the difference."""
    net = Network(
        64, (Layer("hidden", 32, Amplitude()), Layer("output", 10, LINEAR)), SquaredError(10)
    )
    parameters, pool, backend = net.initial(0), Pool(1), hopfield()
    x = np.random.default_rng(0).random((16, 64), dtype=np.float32)
    problem = net.problem(net.couplings(parameters), net.encode(parameters, x, pool))
    times = {}
    for steps in (1, 101):
        request = SettleRequest(problem, tolerance=0.0, max_steps=steps)
        backend.settle(request)
        times[steps] = 1e3 * best(lambda r=request: backend.settle(r), 300)
    per_step = (times[101] - times[1]) / 100
    return {"one_step_ms": times[1], "per_step_ms": per_step, "overhead_ms": times[1] - per_step}


def compiled() -> int:
    """Number of specialisations compiled so far in all kernels."""
    kernels = [
        lanes.relax_layer,
        relax._relax_tiles,
        sparse._rows,
        sparse._by_rows,
        sparse._turned,
        update.adam,
        update.sgd,
    ]
    return sum(len(kernel.signatures) for kernel in kernels)


def long_training(epochs: int) -> dict[str, object]:
    """Compiled specialisations and peak memory after 3 epochs and after `epochs`."""
    marks: dict[int, tuple[int, float]] = {}

    def mark(epoch) -> None:
        if epoch.epoch in (3, epochs):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            marks[epoch.epoch] = (compiled(), peak)

    net = Network(
        64, (Layer("hidden", 128, Amplitude()), Layer("output", 10, LINEAR)), SquaredError(10)
    )
    Trainer(
        net, hopfield(), load("digits"), estimator=Estimator(), optimizer=Optimizer(rate=1e-3),
        course=Course(epochs=epochs), seed=0, pool=Pool(1), gains=(0.5,),
    ).run(Listener(on_epoch=mark))  # fmt: skip
    (first, early), (last, late) = marks[3], marks[epochs]
    return {
        "compiled_at_3": first,
        "compiled_at_end": last,
        "peak_mib_at_3": early,
        "peak_mib_at_end": late,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = small_settle() | long_training(options.epochs)
    print(
        json.dumps(found)
        if options.json
        else "\n".join(f"{key:18s} {value:.4g}" for key, value in found.items())
    )


if __name__ == "__main__":
    main()
