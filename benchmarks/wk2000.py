"""WK2000_1, 2000 spins, every pair coupled by ±1: simulated bifurcation against its peers.

    python benchmarks/wk2000.py --instances DIR [--python-sb PATH] [--python-mq PATH] [--rounds 3] [--best] [--json]

DIR holds WK2000_1_upper_bits.npy: bits of w > 0 over the upper triangle, row by row. E = Σ w s s, cut = (Σ w − E) / 2,
best known 33337. Time to a target is process CPU time per read · ln 0.01 / ln(1 − p), p the share of reads that reach
it, or the time of one read where p ≥ 0.99: quality is part of every figure, and cuts are counted here for everybody.
All reads run to their fixed length. One thread each, sides taking turns. Peers have their own environments (`peers/`).
Those of simulated bifurcation get the steps and the step size that serve them best; dwave-samplers runs once on its
default range of betas and once on a range tuned by us.

`--best` looks for 33337 with long reads instead.
"""

import argparse
import contextlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from dwave.samplers import SimulatedAnnealingSampler
from peers.peer_process import PeerProcess

from isingeq.backend import SettleRequest
from isingeq.backends.bifurcation import bifurcation
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.units import Layer, Spin

N, TARGET, BEST_KNOWN = 2000, 33000, 33337
SERVER = Path(__file__).with_name("peers") / "bifurcation_peers.py"
TUNED = (0.5 / math.sqrt(N), 8 / math.sqrt(N))
"""Range of betas that suits dwave-samplers here."""

PEER_STEPS = {
    "simulated-bifurcation": (("ballistic", 1000), ("discrete", 1000)),
    "mindquantum": (("ballistic", 300), ("discrete", 100)),
}
"""Steps that serve the peers best; too few for MindQuantum's discrete variant, which is there for its speed alone."""

Side = Callable[[int], tuple[float, np.ndarray]]
"""From a seed to CPU seconds and the energies of some reads."""


def instance(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ends and the weights of all edges."""
    i, j = np.triu_indices(N, 1)
    bits = np.unpackbits(np.load(folder / "WK2000_1_upper_bits.npy"))[: i.size]
    w = np.where(bits > 0, 1, -1).astype(np.int8)
    assert w.sum() == -1040, "this is not WK2000_1"
    return i, j, w


def own(problem: Problem, reads: int, **options: Any) -> Side:
    """Return a side that settles by a backend of ours, once warmed up."""
    backend = bifurcation(**options)
    schedule = backend.suggest_schedule(problem)
    backend.settle(SettleRequest(problem, schedule=schedule))

    def run(seed: int) -> tuple[float, np.ndarray]:
        request = SettleRequest(problem, reads=reads, schedule=schedule, seed=seed)
        started = time.process_time()
        answer = backend.settle(request)
        return time.process_time() - started, answer.energies[0]

    return run


def peer(process: PeerProcess, reads: int, **arguments: Any) -> Side:
    """Return a side that runs in a peer's environment."""

    def run(seed: int) -> tuple[float, np.ndarray]:
        answer = process.ask("run", reads=reads, seed=seed, **arguments)
        return answer["cpu_s"], np.array(answer["energies"])

    return run


def annealed(
    i: np.ndarray,
    j: np.ndarray,
    w: np.ndarray,
    reads: int,
    sweeps: int,
    betas: tuple[float, float] | None,
) -> Side:
    """Return a side that anneals with dwave-samplers, its model built beforehand; betas None are its defaults."""
    import dimod

    model = dimod.BQM.from_numpy_vectors(np.zeros(N), (i, j, w.astype(float)), 0.0, "SPIN")

    def run(seed: int) -> tuple[float, np.ndarray]:
        started = time.process_time()
        found = SimulatedAnnealingSampler().sample(
            model, num_reads=reads, num_sweeps=sweeps, beta_range=betas, seed=seed
        )
        return time.process_time() - started, np.asarray(found.record.energy)

    return run


@contextlib.contextmanager
def opened(python: Path | None, w: np.ndarray) -> Iterator[PeerProcess | None]:
    """Start a peer's process, where there is one, and give it the couplings."""
    if python is None:
        yield None
        return
    J = np.zeros((N, N), np.int8)
    J[np.triu_indices(N, 1)] = w
    with tempfile.TemporaryDirectory() as folder, PeerProcess(python, {}, server=SERVER) as process:
        path = Path(folder) / "J.npy"
        np.save(path, J + J.T)
        process.ask("load", path=str(path))
        yield process


def time_to_target(p: float, read_s: float) -> float:
    """Return seconds until the target is met with 99 %."""
    if p >= 0.99:
        return read_s
    return read_s * math.log(0.01) / math.log1p(-p) if p > 0 else math.inf


def measure(sides: dict[str, tuple[int, Side]], rounds: int, target: int) -> dict[str, Any]:
    """Let the sides take turns; return per side what a read costs and how often it meets the target."""
    spent: dict[str, list[tuple[float, np.ndarray]]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name, (_, run) in sides.items():
            spent[name].append(run(1000 + turn))
    out = {}
    for name, (steps, _) in sides.items():
        cuts = (-1040 - np.concatenate([energies for _, energies in spent[name]])) / 2
        read_s = min(seconds / len(energies) for seconds, energies in spent[name])
        p = float((cuts >= target).mean())
        out[name] = {
            "steps": steps, "reads": len(cuts), "read_ms": 1e3 * read_s, "steps_per_s": steps / read_s,
            "mean_cut": float(cuts.mean()), "best_cut": float(cuts.max()), "p": p,
            "tts99_s": time_to_target(p, read_s),
        }  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--python-sb", type=Path)
    parser.add_argument("--python-mq", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    i, j, w = instance(options.instances)
    problem = Problem(
        (Layer("s", N, Spin()),), (Edges(N, i, j, w.astype(float)),), np.zeros((1, N))
    )
    ours = "isingeq discrete"
    with opened(options.python_sb, w) as torch, opened(options.python_mq, w) as mind:
        if options.best:
            steps = 8000
            sides = {ours: (steps, own(problem, 200, sweeps=steps))}
        else:
            sides = {
                ours: (1000, own(problem, 100)),
                "isingeq ballistic": (300, own(problem, 32, variant="ballistic", sweeps=300)),
                "dwave-samplers, defaults": (1000, annealed(i, j, w, 2, 1000, None)),
                "dwave-samplers, tuned": (600, annealed(i, j, w, 4, 600, TUNED)),
            }
            for process, name in ((torch, "simulated-bifurcation"), (mind, "mindquantum")):
                for variant, steps in PEER_STEPS[name]:
                    if process is not None:
                        side = peer(process, 16, peer=name, variant=variant, steps=steps, dt=1.0)
                        sides[f"{name} {variant}"] = (steps, side)
        table = measure(sides, options.rounds, BEST_KNOWN if options.best else TARGET)
    out = {
        "target": BEST_KNOWN if options.best else TARGET,
        "load": os.getloadavg()[0],
        "sides": table,
    }
    if options.json:
        print(json.dumps(out))
        return
    print(f"cut {out['target']} at 99 %, process CPU seconds on one thread, load {out['load']:.1f}")
    heads = [
        ("", 32),
        ("steps", 7),
        ("reads", 7),
        ("mean", 9),
        ("best", 7),
        ("p", 7),
        ("ms/read", 10),
    ]
    heads += [("steps/s", 11), ("TTS s", 10), ("x", 7)]
    print("".join(f"{head:>{width}}" for head, width in heads))
    for name, row in table.items():
        print(
            f"{name:32}{row['steps']:7}{row['reads']:7}{row['mean_cut']:9.0f}{row['best_cut']:7.0f}{row['p']:7.3f}"
            f"{row['read_ms']:10.2f}{row['steps_per_s']:11.0f}{row['tts99_s']:10.4f}"
            f"{row['tts99_s'] / table[ours]['tts99_s']:7.0f}"
        )


if __name__ == "__main__":
    main()
