"""Spin nets on dwave-neal: one binary quadratic model per image and phase, against one settle call.

    python benchmarks/neal_batch.py [--images 32] [--rounds 5] [--json]

784-120-40 with random weights, as published by Laydevant, Marković & Grollier (2024): 10 reads of
100 sweeps in the free phase, then the nudged phase in reverse from the best read (149 sweeps). Both
sides get the same fields, betas and starts. Process CPU time, the sides taking turns; one thread.
`loop` builds its model from dictionaries, `clip` also clips every coupling on the way, as the
published code does; `sample` is the library's sampler on such a model.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import dimod
import neal
import numpy as np

from isingeq.backend import SettleRequest
from isingeq.backends.annealing import neal as open_neal
from isingeq.couplings import Dense
from isingeq.problem import Problem
from isingeq.schedule import Annealing
from isingeq.terms import LinearNudge
from isingeq.units import Layer, Spin

HIDDEN, OUT, READS, NUDGING = 120, 40, 10, 5.0
Starts = list[np.ndarray | None]


def make(images: int) -> tuple[Problem, np.ndarray]:
    """Return a batch with fields from sparse images, and the force of its nudge (b, n)."""
    rng = np.random.default_rng(0)
    x = rng.random((images, 784)) * (rng.random((images, 784)) < 0.19)
    w0 = rng.uniform(-1, 1, (784, HIDDEN)) * 0.5 * np.sqrt(3 / 784)
    w1 = rng.uniform(-1, 1, (HIDDEN, OUT)) * 0.25 * np.sqrt(3 / HIDDEN)
    fields = np.concatenate([x @ w0, rng.uniform(-0.1, 0.1, (images, OUT))], axis=1)
    target = np.where(np.arange(OUT) // 4 == rng.integers(0, 10, images)[:, None], 1.0, -1.0)
    force = np.concatenate([np.zeros((images, HIDDEN)), NUDGING * target], axis=1)
    layers = (Layer("hidden", HIDDEN, Spin()), Layer("out", OUT, Spin()))
    n = HIDDEN + OUT
    return Problem(layers, (Dense((0, HIDDEN), (HIDDEN, n), w1),), fields), force


def build(h: np.ndarray, w: np.ndarray, clip: bool) -> dimod.BinaryQuadraticModel:
    """Return the model of one image, coupling by coupling."""
    linear = {k: float(value) for k, value in enumerate(h)}
    quadratic = {}
    for p in range(HIDDEN):
        for q in range(OUT):
            quadratic[p, HIDDEN + q] = w[p, q].clip(-1, 1) if clip else w[p, q]
    return dimod.BinaryQuadraticModel.from_ising(linear, quadratic, 0.0)


def sample(
    models: list[dimod.BinaryQuadraticModel], betas: Annealing, starts: Starts, seeds: np.ndarray
) -> list[dimod.SampleSet]:
    """Return the reads of each model by the library's own sampler."""
    sampler = neal.SimulatedAnnealingSampler()
    return [
        sampler.sample(
            model,
            num_reads=READS,
            beta_schedule_type="custom",
            beta_schedule=betas.array,
            initial_states=None if start is None else (start, range(HIDDEN + OUT)),
            initial_states_generator="random" if start is None else "tile",
            seed=int(seed),
        )
        for model, start, seed in zip(models, starts, seeds, strict=True)
    ]


def timed(work: Callable[[], Any], log: list[float]) -> Any:
    """Do the work and log its process CPU time in seconds."""
    start = time.process_time()
    out = work()
    log.append(time.process_time() - start)
    return out


def measure(images: int, rounds: int) -> dict[str, float]:
    """Return milliseconds of CPU per image and phase, ratios, and how far energies differ."""
    problem, force = make(images)
    rng = np.random.default_rng(1)
    w = np.asarray(problem.couplings[0].J)
    nudged = problem.with_fields(problem.fields - force)
    logs: dict[str, list[float]] = {key: [] for key in ("loop", "clip", "sample", "isingeq")}
    backend = open_neal()
    betas = backend.suggest_schedule(problem)
    assert isinstance(betas, Annealing)
    gaps: dict[str, list[np.ndarray]] = {"free": [], "nudged": []}
    for turn in range(rounds):
        starts: Starts = [None] * images
        initial, terms = None, ()
        for phase, target, schedule in (
            ("free", problem, betas),
            ("nudged", nudged, betas.reverse(0.25)),
        ):
            for kind in ("clip", "loop"):
                rows = target.fields
                models = timed(
                    lambda r=rows, k=kind: [build(h, w, k == "clip") for h in r], logs[kind]
                )
            seeds = rng.integers(2**31, size=images)
            arguments = (models, schedule, starts, seeds)
            theirs = timed(lambda a=arguments: sample(*a), logs["sample"])
            request = SettleRequest(
                problem, terms, reads=READS, schedule=betas, seed=turn, initial=initial
            )
            ours = timed(lambda q=request: backend.settle(q), logs["isingeq"])
            energies = np.array([s.record.energy.mean() for s in theirs])
            gaps[phase].append(ours.energies.mean(axis=1) / energies - 1)
            starts = [s.first.sample for s in theirs]
            starts = [np.array([s[k] for k in range(HIDDEN + OUT)]) for s in starts]
            initial = np.repeat(np.stack(starts)[:, None], READS, axis=1).astype(np.float32)
            terms = (LinearNudge(force),)
    ms = {k: 1e3 * statistics.median(v) / images for k, v in logs.items()}
    out = {f"{key}_ms": value for key, value in ms.items()}
    for kind in ("loop", "clip"):
        out[f"faster_than_{kind}"] = (ms[kind] + ms["sample"]) / ms["isingeq"]
    for phase, values in gaps.items():
        gap = np.concatenate(values)
        error = max(1e-9, float(gap.std() / np.sqrt(gap.size)))  # 1e-9 where every read is the same
        out[f"{phase}_energy_gap_percent"] = 100 * float(gap.mean())
        out[f"{phase}_energy_gap_errors"] = errors = float(gap.mean() / error)
        assert abs(errors) < 5, f"the {phase} phases did different work: {errors:.1f} errors apart"
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    out = measure(options.images, options.rounds)
    if options.json:
        print(json.dumps(out))
        return
    for key, value in out.items():
        print(f"{key:28}{value:10.2f}")


if __name__ == "__main__":
    main()
