"""Chaotic amplitude control, sparse (G22) and dense (WK2000_1), against MindQuantum's.

    python benchmarks/coherent.py --instances DIR [--python-mq PATH] [--reads 64] [--rounds 3] [--json]

DIR holds G22.txt.gz (G-set format) and WK2000_1_upper_bits.npy. Process CPU time, minimum over rounds, one thread each,
sides taking turns. `per step` is time per replica and step at the same number of both. `equal quality` is time per
replica until the mean cut is at least the peer's: with as many steps as the peer, and with the fewest of a few that
still get there. Ours includes reading the problem's energies on the way (the best state is kept, the peer keeps the
last one), laying out and checking. `--best` runs on until the best cut of a batch is within 0.3 % of the best known.
"""

import argparse
import contextlib
import gzip
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from peers.peer_process import PeerProcess
from scipy.sparse import csr_array

from isingeq.backend import SettleRequest
from isingeq.backends.coherent import coherent
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.schedule import Drive
from isingeq.units import Layer, Spin

SERVER = Path(__file__).with_name("peers") / "coherent_peer.py"
BEST_KNOWN = {"G22": 13359, "WK2000_1": 33337}
STEPS = {"G22": 500, "WK2000_1": 100}
"""Steps of both sides: enough for the peer to come within 2 % and 8 % of the best known cut."""

SHARES = (0.3, 0.5, 0.7, 1.0)
"""Shares of the peer's steps that are tried for equal quality."""

Instance = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def instances(folder: Path) -> dict[str, Instance]:
    """Return n, ends and weights of both graphs."""
    words = gzip.decompress((folder / "G22.txt.gz").read_bytes()).split()
    rows = np.array(words[2:], float).reshape(-1, 3)
    sparse = (int(words[0]), rows[:, 0].astype(int) - 1, rows[:, 1].astype(int) - 1, rows[:, 2])
    i, j = np.triu_indices(2000, 1)
    bits = np.unpackbits(np.load(folder / "WK2000_1_upper_bits.npy"))[: i.size]
    return {"G22": sparse, "WK2000_1": (2000, i, j, 2.0 * bits - 1)}


class Own:
    """Our side, one graph."""

    def __init__(self, graph: Instance) -> None:
        n, i, j, self.w = graph
        self.half = csr_array((self.w, (i, j)), shape=(n, n))
        edges = Edges(n, i, j, self.w)
        self.problem = Problem((Layer("spins", n, Spin()),), (edges,), np.zeros((1, n)))
        self.backend = coherent()
        self.schedule = self.backend.suggest_schedule(self.problem)
        assert isinstance(self.schedule, Drive)

    def run(self, reads: int, steps: int, seed: int) -> tuple[float, np.ndarray]:
        """Return CPU seconds and cuts."""
        schedule = replace(self.schedule, sweeps=steps)
        request = SettleRequest(self.problem, reads=reads, schedule=schedule, seed=seed)
        started = time.process_time()
        answer = self.backend.settle(request)
        cpu_s = time.process_time() - started
        spins = answer.states[0].T
        return cpu_s, (self.w.sum() - (spins * (self.half @ spins)).sum(axis=0)) / 2


def compare(own: Own, peer: PeerProcess, reads: int, steps: int, rounds: int) -> dict[str, Any]:
    """Return times per replica and step, and per replica at equal mean cut, the sides taking turns."""
    ours, theirs, shorter = [], [], {share: [] for share in SHARES}
    for seed in range(1, rounds + 1):
        answer = peer.ask("run", reads=reads, steps=steps, seed=seed)
        theirs.append((answer["cpu_s"], (own.w.sum() - np.array(answer["energies"])) / 2))
        ours.append(own.run(reads, steps, seed))
        for share in SHARES:
            shorter[share].append(own.run(reads, round(share * steps), seed))
    mean = float(np.mean([cuts for _, cuts in theirs]))
    enough = next(s for s in SHARES if np.mean([c for _, c in shorter[s]]) >= mean or s == 1)
    times = {
        "own": min(cpu for cpu, _ in ours),
        "peer": min(cpu for cpu, _ in theirs),
        "short": min(cpu for cpu, _ in shorter[enough]),
    }
    found = {
        "reads": reads,
        "steps": steps,
        "own_us_per_step": 1e6 * times["own"] / reads / steps,
        "peer_us_per_step": 1e6 * times["peer"] / reads / steps,
        "ratio_per_step": times["peer"] / times["own"],
        "own_mean_cut": float(np.mean([cuts for _, cuts in ours])),
        "peer_mean_cut": mean,
        "own_best_cut": float(max(cuts.max() for _, cuts in ours)),
        "peer_best_cut": float(max(cuts.max() for _, cuts in theirs)),
        "steps_for_equal_quality": round(enough * steps),
        "ratio_at_equal_quality": times["peer"] / times["short"],
    }
    assert found["own_mean_cut"] >= 0.9995 * mean, "the mean cut is not that of the peer"
    return found


def approach(own: Own, reads: int, known: int) -> dict[str, Any]:
    """Double the steps until the best cut of a batch is within 0.3 % of the best known."""
    steps = 125
    while True:
        cpu_s, cuts = own.run(reads, steps, 1)
        if cuts.max() >= 0.997 * known or steps > 5000:
            return {"steps": steps, "cpu_s": cpu_s, "best": cuts.max(), "mean": cuts.mean()}
        steps *= 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, metavar="DIR")
    parser.add_argument("--python-mq", type=Path, metavar="PATH")
    parser.add_argument("--reads", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = {"load_average": os.getloadavg()[0]}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = None
        if options.python_mq is not None:
            peer = stack.enter_context(PeerProcess(options.python_mq, {}, SERVER))
            results["peer"] = peer.ask("info")
        for name, graph in instances(options.instances).items():
            own = Own(graph)
            own.run(options.reads, 2, 0)  # compiles
            results[name] = {}
            if peer is not None:
                np.savez(folder / "graph.npz", **dict(zip("nijw", graph, strict=True)))
                peer.ask("load", path=str(folder / "graph.npz"))
                results[name] = compare(own, peer, options.reads, STEPS[name], options.rounds)
            if options.best:
                results[name]["best"] = approach(own, options.reads, BEST_KNOWN[name])
            own.backend.close()
    if options.json:
        print(json.dumps(results, default=float))
        return
    for name in BEST_KNOWN:
        print(f"{name}, best known {BEST_KNOWN[name]}")
        for key, value in results[name].items():
            print(f"  {key:26s} {value}")
    print(f"load average {results['load_average']:.2f}, peer {results.get('peer')}")


if __name__ == "__main__":
    main()
