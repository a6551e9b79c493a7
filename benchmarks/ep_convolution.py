"""Settle steps and gradients of convolutional equilibrium propagation, ours alternated with the peers' in one run.

float32, one thread, process CPU time, 2 × 2 max pooling. The work is asserted equal: states after the same number
of free steps from the same start, and the gradient of a whole estimate. Where the two largest sums of a pool agree to
rounding, either side may choose either, and units of the source then differ until that is forgotten: all but a
thousandth of the states have to agree to 1e-4 after two steps, all but a hundredth after all of them.

Each peer is matched with its own dynamics: output clipped and synchronous for Laborieux, linear and asynchronous for
Rain. `--torch` adds torch at its best, which is no peer: the same net without autograd, channels last, choices of the
pools kept, inputs convolved once.

    python benchmarks/ep_convolution.py --net net28 --python PEERS_PYTHON --laborieux CHECKOUT --rain CHECKOUT
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from peers.convolutional_problem import NETS, Arrays, Shape, random_problem
from peers.peer_process import PeerProcess

from isingeq.backend import SettleRequest
from isingeq.backends.simulator import hopfield
from isingeq.kernels.pool import Pool
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.gradient import Step, estimate
from isingeq.learning.images import stack_windows
from isingeq.learning.network import Network
from isingeq.units import Amplitude, Layer

SERVER = Path(__file__).parent / "peers" / "ep_convolution_peer.py"
NUDGING = 0.25
# States that differ by more than the tolerance: at most these shares of them, after two steps and after all.
TOLERANCE, APART = 1e-4, (1e-3, 1e-2)
LINEAR = Amplitude(-np.inf, np.inf)
OURS = {
    "laborieux": ("synchronous", Amplitude()),
    "rain": ("asynchronous", LINEAR),
    "torch": ("asynchronous", LINEAR),
}


def build(shape: Shape, output: Amplitude) -> Network:
    """Return the network of a shape."""
    windows = stack_windows(
        shape.source, shape.channels, kernel=(shape.kernel,), padding=(shape.padding,), pool=(2,)
    )
    layers = [
        Layer(f"conv{k}", int(np.prod(w.target)), Amplitude()) for k, w in enumerate(windows, 1)
    ]
    layers.append(Layer("output", 10, output))
    return Network(int(np.prod(shape.source)), tuple(layers), SquaredError(10), windows=windows)


def multiplications(network: Network) -> float:
    """Return multiply-adds of one free step and sample, as convolutions are written: both ways of every link."""
    count = 0.0
    for window in network.windows[1:]:
        count += 2 * np.prod(window.swept[:2]) * np.prod(window.shape)
    return count + 2 * network.layers[-2].size * network.layers[-1].size


class Ours:
    """Our side of one comparison, set up once as a trainer would."""

    def __init__(self, peer: str, shape: Shape, problem: Arrays, free: int, nudged: int) -> None:
        update, output = OURS[peer]
        self.network = build(shape, output)
        self.parameters = self.network.initial(0)
        names = [layer.name for layer in self.network.layers]
        weights = [self.network.input_name, *self.network.link_names]
        self.names = {f"w{i}": name for i, name in enumerate(weights, 1)}
        self.names |= {f"b{i}": f"{name}.bias" for i, name in enumerate(names, 1)}
        for key, name in self.names.items():
            self.parameters[name][:] = problem[key]
        self.x = np.ascontiguousarray(problem["x"].reshape(len(problem["x"]), -1))
        self.labels = problem["labels"]
        self.start = problem["start"][:, None]
        self.backend, self.pool = hopfield(update=update), Pool(1)
        self.estimator = Estimator(
            nudging=NUDGING, free_steps=free, nudged_steps=nudged, tolerance=0.0
        )
        self.couplings = self.network.couplings(self.parameters)
        self.gradient = self.parameters.like()
        self.states = np.zeros(())

    def settle(self, steps: int) -> None:
        """Run free steps, from inputs to states: the convolution of the inputs included."""
        encoded = self.network.encode(self.parameters, self.x, self.pool)
        problem = self.network.problem(self.couplings, encoded)
        request = SettleRequest(problem, initial=self.start, tolerance=0.0, max_steps=steps)
        self.states = self.backend.settle(request).states[:, 0]

    def step(self) -> Step:
        """One gradient."""
        return estimate(
            self.estimator, self.network, self.backend, self.parameters, self.x, self.labels,
            seed=0, schedule=None, pool=self.pool, out=self.gradient, initial=self.start,
        )  # fmt: skip

    def blocks(self) -> Arrays:
        """The gradient under the peers' names."""
        return {f"d{key}": self.gradient[name] for key, name in self.names.items()}


def cosine(a: Arrays, b: Arrays) -> float:
    """Return the cosine between two sets of arrays, each as one vector, in float64."""
    u, v = (np.concatenate([x[k].ravel().astype(np.float64) for k in sorted(a)]) for x in (a, b))
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))


def cpu_times(work: Callable[[], object], repeat: int) -> list[float]:
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


def alternated(
    work: Callable[[], object], peer: Callable[[], dict[str, float]], rounds: int, per: float
) -> dict[str, float]:
    """Return least and median ms of both sides, divided by `per`, and the two ratios."""
    own, least, median = [], [], []
    for _ in range(rounds):
        own += cpu_times(work, 2)
        answer = peer()
        least.append(answer["cpu_s_min"])
        median.append(answer["cpu_s_median"])
    best, middle = (min(own), min(least)), (float(np.median(own)), float(np.median(median)))
    return {
        "ours_ms": 1e3 * best[0] / per, "peer_ms": 1e3 * best[1] / per,
        "ours_median_ms": 1e3 * middle[0] / per, "peer_median_ms": 1e3 * middle[1] / per,
        "ratio_min": best[1] / best[0], "ratio_median": middle[1] / middle[0],
    }  # fmt: skip


def main() -> None:
    """Alternate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=NETS, required=True)
    parser.add_argument(
        "--python", type=Path, required=True, help="interpreter of the peers' environment"
    )
    parser.add_argument("--laborieux", type=Path)
    parser.add_argument("--rain", type=Path)
    parser.add_argument("--torch", action="store_true", help="torch at its best as well")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=30, help="free steps that are timed")
    parser.add_argument("--free", type=int, default=30, help="free steps of a gradient")
    parser.add_argument("--nudged", type=int, default=10, help="steps of each nudged phase")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    checkouts = {
        name: path for name in ("laborieux", "rain") if (path := getattr(options, name)) is not None
    }
    shape, rows = NETS[options.net], []
    with PeerProcess(options.python, checkouts, SERVER) as peers, \
            tempfile.TemporaryDirectory() as folder:  # fmt: skip
        npz, saved = Path(folder, "problem.npz"), Path(folder, "found.npz")
        problem = random_problem(shape, options.batch, seed=1)
        np.savez(npz, **problem)
        for peer in [*checkouts, *(["torch"] if options.torch else [])]:
            ours = Ours(peer, shape, problem, options.free, options.nudged)
            peers.ask(
                "load", peer=peer, npz=str(npz), nudging=NUDGING,
                n_free=options.free, n_nudged=options.nudged,
            )  # fmt: skip
            for steps in (2, options.steps):
                ours.settle(steps)
                peers.ask("settle", peer=peer, steps=steps, repeat=1, save=str(saved))
                with np.load(saved) as theirs:
                    gaps = np.abs(theirs["states"] - ours.states)
                    same = cosine(dict(theirs), {"states": ours.states})
                apart = float((gaps > TOLERANCE).mean())
                assert same > 0.9999, (peer, steps, same)
                assert apart <= APART[steps > 2], (peer, steps, apart)
            ours.step()
            peers.ask("gradient", peer=peer, repeat=1, save=str(saved))
            with np.load(saved) as theirs:
                alike = cosine(dict(theirs), ours.blocks())
            assert alike > 0.999, (peer, "gradient", alike)  # pools that change their choice
            work = {
                "settle step": (
                    lambda ours=ours: ours.settle(options.steps),
                    lambda peer=peer: peers.ask("settle", peer=peer, steps=options.steps, repeat=2),
                    options.steps * options.batch,
                ),
                "gradient": (
                    ours.step,
                    lambda peer=peer: peers.ask("gradient", peer=peer, repeat=2),
                    options.batch,
                ),
            }  # fmt: skip
            for name, (own, their, per) in work.items():
                row = {
                    "net": options.net, "peer": peer, "batch": options.batch, "work": name,
                    "apart": apart, "largest_gap": float(gaps.max()), "states_cosine": same, "gradient_cosine": alike,
                    **alternated(own, their, options.rounds, per),
                }  # fmt: skip
                if name == "settle step":
                    flops = 2 * multiplications(ours.network)
                    row |= {
                        f"{who}_gflops": flops / row[f"{who}_ms"] / 1e6 for who in ("ours", "peer")
                    }
                rows.append(row)
                if not options.json:
                    tell(row)
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


def tell(row: dict[str, object]) -> None:
    """Print one line."""
    speed = "".join(
        f"  {who} {row[f'{who}_gflops']:.0f} GF/s"
        for who in ("ours", "peer")
        if f"{who}_gflops" in row
    )
    print(
        f"{row['net']} {row['peer']:10s} batch {row['batch']:4d} {row['work']:11s} "
        f"states apart {row['apart']:.0e} (at most {row['largest_gap']:.0e}), "
        f"cosine {row['states_cosine']:.7f}, of gradients {row['gradient_cosine']:.7f}  "
        f"ours {row['ours_ms']:.4f} ({row['ours_median_ms']:.4f})  "
        f"peer {row['peer_ms']:.4f} ({row['peer_median_ms']:.4f}) ms per example  "
        f"ratio {row['ratio_min']:.2f} (min) {row['ratio_median']:.2f} (median){speed}",
        flush=True,
    )


if __name__ == "__main__":
    main()
