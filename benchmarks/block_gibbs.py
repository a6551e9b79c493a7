"""Block Gibbs against dwave-samplers, thrml, and a model per image.

    python benchmarks/block_gibbs.py [--samples 1000] [--rounds 5] [--thrml PYTHON] [--json]

Layered 512-256-64 with 100 % and 10 % of its couplings, every sample with its own fields, 100 sweeps from random spins.

    anneal    geometric betas, the same on both sides: 0.05 to 1, 0.2 to 3, or those that the backend suggests.
              dwave-samplers' compiled core on prepared lists, one call per sample, against one settle of all samples;
              Metropolis against Metropolis, heat bath against heat bath. The core's time follows its flips: cold is
              cheaper, ours is not
    sample    one beta; thrml (JAX), mapped over samples, against one settle; PYTHON is one that has thrml
    images    784-120-40 as in neal_batch.py: a model per image and phase and neal on it, against one settle per phase

Process CPU time, minima over rounds in which the sides take turns; one thread. Peers get fewer samples, all of their
own time; energies are compared on the samples that both have seen: gaps in percent and in standard errors.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from dwave.samplers.sa.simulated_annealing import simulated_annealing
from neal_batch import HIDDEN, NUDGING, OUT, READS, build, make, sample
from peers.peer_process import PeerProcess

from isingeq.backend import SettleRequest
from isingeq.backends.gibbs import gibbs
from isingeq.couplings import Edges
from isingeq.problem import Problem, lower
from isingeq.schedule import Annealing
from isingeq.terms import LinearNudge
from isingeq.units import Layer, Spin

SIZES, SWEEPS, BETA = (512, 256, 64), 100, 1.0
RULES = {"metropolis": "Metropolis", "heat-bath": "Gibbs"}
Row = dict[str, Any]


def layered(density: float, samples: int) -> Problem:
    """Return Gaussian couplings of unit size between layers, and fields of 0.3."""
    rng, ends = np.random.default_rng(0), np.cumsum((0, *SIZES))
    i, j, J = [], [], []
    for a, b, c in zip(ends, ends[1:], ends[2:], strict=False):
        p, q = np.nonzero(rng.random((b - a, c - b)) < density)
        i.append(a + p)
        j.append(b + q)
        J.append(rng.normal(0, 1 / np.sqrt(density * (c - a) / 2), p.size))
    n = int(ends[-1])
    edges = Edges(n, np.concatenate(i), np.concatenate(j), np.concatenate(J))
    layers = tuple(Layer(f"layer {k}", size, Spin()) for k, size in enumerate(SIZES))
    return Problem(layers, (edges,), rng.normal(0, 0.3, (samples, n)))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do the work; return what it gives and its process CPU time in seconds."""
    start = time.process_time()
    return work(), time.process_time() - start


def compared(ours: list[float], theirs: list[float], gaps: list[np.ndarray]) -> Row:
    """Return milliseconds per sample, their ratio and the relative gap of the energies."""
    gap = np.concatenate(gaps)
    error = max(1e-12, float(gap.std() / np.sqrt(gap.size)))
    return {
        "ours_ms": 1e3 * min(ours),
        "peer_ms": 1e3 * min(theirs),
        "faster": min(theirs) / min(ours),
        "energy_gap_percent": 100 * float(gap.mean()),
        "energy_gap_errors": float(gap.mean()) / error,
    }


def dwave(
    problem: Problem, betas: list[float], rule: str, samples: int, seed: int
) -> tuple[np.ndarray, float]:
    """Return spins (samples, n) of dwave-samplers, and seconds per sample."""
    edges = lower(problem)
    i, j, J = edges.i.tolist(), edges.j.tolist(), edges.J.tolist()
    fields = problem.fields[:samples].tolist()
    spins = np.random.default_rng(seed).choice(np.int8([-1, 1]), (samples, 1, problem.n))

    def work() -> None:
        for row, h in enumerate(fields):
            simulated_annealing(
                1, h, i, j, J, 1, betas, 1000 * seed + row + 1, spins[row], proposal_acceptance_criteria=rule
            )  # fmt: skip

    return spins[:, 0], timed(work)[1] / samples


def anneal(density: float, samples: int, peer_samples: int, rounds: int) -> Row:
    """Anneal on both schedules, by both rules, on both sides."""
    problem = layered(density, samples)
    out: Row = {}
    suggested = gibbs(sweeps=SWEEPS).suggest_schedule(problem)
    schedules = {
        "0.05 to 1": Annealing.geometric(0.05, 1.0, SWEEPS),
        "0.2 to 3": Annealing.geometric(0.2, 3.0, SWEEPS),
        "suggested": suggested,
    }
    for (kind, betas), (rule, name) in product(schedules.items(), RULES.items()):
        backend = gibbs(acceptance=rule, sweeps=SWEEPS)
        assert isinstance(betas, Annealing)
        ours, theirs, gaps = [], [], []
        backend.settle(SettleRequest(problem, schedule=betas))
        for turn in range(rounds):
            request = SettleRequest(problem, schedule=betas, seed=turn)
            answer, seconds = timed(lambda q=request, b=backend: b.settle(q))
            ours.append(seconds / samples)
            spins, seconds = dwave(problem, list(betas.betas), name, peer_samples, turn)
            theirs.append(seconds)
            energy = problem.with_fields(problem.fields[:peer_samples]).energy(
                spins[:, None].astype(float)
            )
            gaps.append(answer.energies[:peer_samples, 0] / energy[:, 0] - 1)
        row = compared(ours, theirs, gaps)
        row["representation"] = answer.provenance.details["representation"]
        out[f"{rule}, {kind}"] = row
    return out


def constant(density: float, samples: int, peer_samples: int, rounds: int, python: Path) -> Row:
    """Sample at one beta with thrml."""
    problem, backend = layered(density, samples), gibbs(beta=BETA, sweeps=SWEEPS)
    edges, colour = lower(problem), np.repeat([0, 1, 0], SIZES)
    ours, theirs, gaps = [], [], []
    server = Path(__file__).parent / "peers" / "thrml_peer.py"
    with tempfile.TemporaryDirectory() as folder, PeerProcess(python, {}, server) as peer:
        npz = Path(folder) / "problem.npz"
        np.savez(
            npz, h=problem.fields[:peer_samples], i=edges.i, j=edges.j, J=edges.J, colour=colour
        )
        peer.ask("load", npz=str(npz), beta=BETA, sweeps=SWEEPS)
        backend.settle(SettleRequest(problem))
        peer.ask("sample", seed=99)
        for turn in range(rounds):
            request = SettleRequest(problem, seed=turn)
            answer, seconds = timed(lambda q=request: backend.settle(q))
            ours.append(seconds / samples)
            told = peer.ask("sample", seed=turn)
            theirs.append(told["cpu_s"] / peer_samples)
            gaps.append(answer.energies[:peer_samples, 0] / np.array(told["energies"]) - 1)
    return compared(ours, theirs, gaps)


def images(count: int, rounds: int) -> Row:
    """Settle both phases of images, against a model per image and phase."""
    problem, force = make(count)
    w = np.asarray(problem.couplings[0].J)
    nudged = problem.with_fields(problem.fields - force)
    backend = gibbs(acceptance="metropolis", sweeps=SWEEPS)
    betas = backend.suggest_schedule(problem)
    assert isinstance(betas, Annealing)
    rng = np.random.default_rng(1)
    ours, theirs, gaps = [], [], []
    backend.settle(SettleRequest(problem, reads=READS, schedule=betas))
    for turn in range(rounds):
        starts: list[Any] = [None] * count
        initial, terms, spent = None, (), [0.0, 0.0]
        for target, schedule in ((problem, betas), (nudged, betas.reverse(0.25))):
            request = SettleRequest(
                problem, terms, reads=READS, schedule=betas, seed=turn, initial=initial
            )
            answer, seconds = timed(lambda q=request: backend.settle(q))
            spent[0] += seconds
            seeds = rng.integers(2**31, size=count)

            def peer(
                h: np.ndarray = target.fields,
                s: Annealing = schedule,
                a: Any = starts,
                k: Any = seeds,
            ) -> Any:
                return sample([build(row, w, False) for row in h], s, a, k)

            sets, seconds = timed(peer)
            spent[1] += seconds
            energies = np.array([s.record.energy.mean() for s in sets])
            gaps.append(answer.energies.mean(axis=1) / energies - 1)
            starts = [np.array([s.first.sample[k] for k in range(HIDDEN + OUT)]) for s in sets]
            initial = np.repeat(np.stack(starts)[:, None], READS, axis=1).astype(np.float32)
            terms = (LinearNudge(force),)
        ours.append(spent[0] / (2 * count))
        theirs.append(spent[1] / (2 * count))
    return {**compared(ours, theirs, gaps), "nudging": NUDGING}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--peer-samples", type=int, default=40)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--thrml", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out: Row = {}
    for density in (1.0, 0.1):
        size = (density, options.samples, options.peer_samples, options.rounds)
        out |= {f"anneal {density:.0%} {kind}": row for kind, row in anneal(*size).items()}
        if options.thrml:
            out[f"sample {density:.0%}"] = constant(*size, options.thrml)
    out["images"] = images(options.images, options.rounds)
    if options.json:
        print(json.dumps(out))
        return
    print(f"load {os.getloadavg()[0]:.1f}")
    for name, row in out.items():
        shown = (f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        print(f"{name:34}", *shown, sep="  ")


if __name__ == "__main__":
    main()
