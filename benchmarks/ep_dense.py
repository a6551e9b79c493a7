"""Gradient of dense equilibrium propagation, ours alternated with the peers' in one run.

784-512-10, 30 free and 2 × 10 nudged steps, float32, one thread, process CPU time. The work is asserted
equal: cosine between gradients above 0.9999. Each peer is matched with its own dynamics: output clipped and
synchronous for Laborieux, linear and asynchronous for Rain.

    python benchmarks/ep_dense.py --python PEERS_PYTHON --laborieux CHECKOUT --rain CHECKOUT
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from peers.agreement_problem import random_problem
from peers.peer_process import PeerProcess
from peers.reference_ep import cosine

from isingeq.backends.simulator import hopfield
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import Step, estimate
from isingeq.learning.network import Network
from isingeq.learning.optimizer import Optimizer, Update
from isingeq.units import Amplitude, Layer

NUDGING = 0.2
LINEAR = Amplitude(-np.inf, np.inf)
OURS = {"laborieux": ("synchronous", Amplitude()), "rain": ("asynchronous", LINEAR)}


class Ours:
    """Our side of one comparison, set up once as a trainer would."""

    def __init__(self, peer: str, problem: dict[str, np.ndarray]) -> None:
        update, output = OURS[peer]
        layers = (Layer("hidden", problem["w1"].shape[1], Amplitude()), Layer("output", 10, output))
        self.network = Network(problem["w1"].shape[0], layers, SquaredError(10))
        self.parameters = self.network.initial(0)
        names = ("input-hidden.weight", "hidden-output.weight", "hidden.bias", "output.bias")
        for name, key in zip(names, ("w1", "w2", "b1", "b2"), strict=True):
            self.parameters[name][:] = problem[key]
        self.x, self.labels = problem["x"], problem["y"].argmax(axis=1)
        self.backend, self.pool = hopfield(update=update), Pool(1)
        self.estimator = Estimator(nudging=NUDGING, free_steps=30, nudged_steps=10, tolerance=0.0)
        self.gradient = self.parameters.like()
        optimizer = Optimizer("adam" if peer == "laborieux" else "sgd", rate=1e-9, momentum=0.0)
        self.update = Update(optimizer, self.parameters)
        self.names = names

    def step(self) -> Step:
        """One gradient."""
        return estimate(
            self.estimator, self.network, self.backend, self.parameters, self.x, self.labels,
            seed=0, schedule=None, pool=self.pool, out=self.gradient,
        )  # fmt: skip

    def train_step(self) -> None:
        """One gradient and one update."""
        self.step()
        self.update.apply(self.gradient, 0.0)

    def blocks(self) -> dict[str, np.ndarray]:
        """The gradient under the peers' names."""
        return dict(
            zip(("dw1", "dw2", "db1", "db2"), (self.gradient[n] for n in self.names), strict=True)
        )


def cpu_times(work, repeat: int) -> list[float]:
    """Process CPU seconds of each of `repeat` calls."""
    times = []
    for _ in range(repeat):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return times


def sgemm_peak() -> float:
    """GF/s of one 1024³ product in float32 on one thread."""
    a = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    return 2 * 1024**3 / min(cpu_times(lambda: a @ a, 5)) / 1e9


def main() -> None:
    """Alternate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--python", type=Path, required=True, help="interpreter of the peers' environment"
    )
    parser.add_argument("--laborieux", type=Path, required=True)
    parser.add_argument("--rain", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    with PeerProcess(options.python, {"laborieux": options.laborieux, "rain": options.rain}) as peers, \
            tempfile.TemporaryDirectory() as folder:  # fmt: skip
        npz, saved = Path(folder, "problem.npz"), Path(folder, "gradient.npz")
        for batch in (48, 49, 512):
            problem = random_problem(batch, seed=batch)
            np.savez(npz, **problem)
            for peer in OURS:
                ours = Ours(peer, problem)
                ours.step()
                peers.ask("load", peer=peer, npz=str(npz), n_free=30, n_nudged=10, nudging=NUDGING)
                peers.ask("gradient", peer=peer, repeat=2, save=str(saved))
                with np.load(saved) as theirs:
                    same = cosine(dict(theirs), ours.blocks())
                assert same > 0.9999, (peer, batch, same)
                for op, work in (("gradient", ours.step), ("train_step", ours.train_step)):
                    own, their = [], []
                    for _ in range(options.rounds):
                        own += cpu_times(work, 5)
                        answer = peers.ask(op, peer=peer, repeat=3)
                        their.append((answer["cpu_s_min"], answer["cpu_s_median"]))
                    best = min(own), min(t for t, _ in their)
                    middle = float(np.median(own)), float(np.median([t for _, t in their]))
                    rows.append({
                        "peer": peer, "batch": batch, "op": op, "cosine": same,
                        "ours_ms": 1e3 * best[0] / batch, "peer_ms": 1e3 * best[1] / batch,
                        "ratio_min": best[1] / best[0], "ratio_median": middle[1] / middle[0],
                    })  # fmt: skip
                    if not options.json:
                        r = rows[-1]
                        print(
                            f"{peer:10s} batch {batch:4d} {op:11s} cosine {same:.7f}  "
                            f"ours {r['ours_ms']:.4f}  peer {r['peer_ms']:.4f} ms per example  "
                            f"ratio {r['ratio_min']:.1f} (min) {r['ratio_median']:.1f} (median)",
                            flush=True,
                        )
    summary = {
        "machine": platform.machine(),
        "load": os.getloadavg()[0],
        "sgemm_gflops": sgemm_peak(),
        "rows": rows,
    }
    print(
        json.dumps(summary)
        if options.json
        else f"sgemm {summary['sgemm_gflops']:.0f} GF/s, load {summary['load']:.1f}"
    )


if __name__ == "__main__":
    main()
