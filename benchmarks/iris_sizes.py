"""Iris on lattices of XY spins of growing size: test accuracy, parameters and CPU time of `iris-lattice`.

OMP_NUM_THREADS=1 python benchmarks/iris_sizes.py --lattices kings square complete --sizes 4 5 6 7 8

The four measures are held at sites spread over the first row, the three outputs sit at sites spread over the last.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from isingeq.experiments.build import build
from isingeq.experiments.reading import read_experiment
from isingeq.experiments.run import train


def settings(lattice: str, size: int) -> list[str]:
    """Keys of one lattice of size × size sites."""
    inputs = np.linspace(0, size - 1, 4).round().astype(int)
    outputs = size * (size - 1) + np.linspace(0, size - 1, 3).round().astype(int)
    return [
        f"network.lattice={lattice}",
        f"network.sites=[{size}, {size}]",
        f"network.inputs={inputs.tolist()}",
        f"network.outputs={outputs.tolist()}",
        *(["network.leaps=[]"] if lattice == "complete" else []),
    ]


def row(lattice: str, size: int, seeds: int) -> str:
    """Train with every seed, and return a line of the table."""
    found, seconds, parameters = [], [], 0
    for seed in range(seeds):
        experiment = read_experiment(
            "iris-lattice", settings=settings(lattice, size), overrides={"seed": seed}
        )
        built = build(experiment)
        parameters = built.trainer.parameters.vector.size
        built.close()
        with TemporaryDirectory() as folder:
            started = time.process_time()
            record = train(experiment, out=Path(folder) / "run", plots=False)
            seconds.append(time.process_time() - started)
        found.append(100 * record["test_accuracy"])
    each = ", ".join(f"{accuracy:.1f}" for accuracy in found)
    error = np.std(found, ddof=1) / np.sqrt(seeds) if seeds > 1 else 0.0
    return (
        f"| {lattice}, {size} × {size} | {parameters} | **{np.mean(found):.1f} ± {error:.1f}** ({each}) | "
        f"{np.median(seconds):.1f} s |"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lattices", nargs="+", default=["kings", "square", "complete"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 5, 6, 7, 8])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print("| lattice | parameters | test accuracy, % | CPU, median |\n|---|---|---|---|")
    for lattice in options.lattices:
        for size in options.sizes:
            print(row(lattice, size, options.seeds), flush=True)


if __name__ == "__main__":
    main()
