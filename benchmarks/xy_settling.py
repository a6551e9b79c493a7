"""Settling of locally connected XY spins: `xy` and `xy-flow` against numpy with scipy's adaptive integrator.

The network of `mnist-windows` (19,044 input couplings, 529 hidden phases, 10 outputs), after an epoch on a few images.
Every machine brings the same images to the same residual from the same starts, on one core; scipy integrates image by
image, the slope being numpy on all phases at once, and is stopped by an event as soon as its residual is as small; with
errors much larger than the default here it would tremble above that residual for ever.

    ISINGEQ_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/xy_settling.py [--images 512] [--scipy 16] [--tolerance 1e-3]
"""

import argparse
import json
import time

import numpy as np
from scipy.integrate import solve_ivp

from isingeq.backend import SettleRequest, residual_of
from isingeq.experiments.build import build
from isingeq.experiments.reading import read_experiment
from isingeq.registry import open_backend

LONGEST = 300.0
"""Time to relax, the published one for MNIST; the event ends it much earlier."""


def integrate(W, h, start, tolerance, rtol):
    """Return the state at which the flow of one image has come to rest, and how often its slope was asked for."""
    hidden = len(W)

    def slope(_, phi):
        c, s = np.cos(phi), np.sin(phi)
        x, y = h[:, 0].copy(), h[:, 1].copy()
        for g, z in ((x, c), (y, s)):
            g[:hidden] -= W @ z[hidden:]
            g[hidden:] -= z[:hidden] @ W
        return x * s - y * c

    def at_rest(t, phi):
        return np.abs(slope(t, phi)).max() - tolerance

    at_rest.terminal = True
    found = solve_ivp(slope, (0, LONGEST), start, rtol=rtol, atol=1e-3 * rtol, events=at_rest)
    return found.y[:, -1], found.nfev


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--scipy", type=int, default=16)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--rtol", type=float, default=1e-6)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    few = ("data.train_size=2000", f"data.test_size={options.images}", "learning.epochs=1")
    built = build(read_experiment("mnist-windows", settings=few))
    trainer = built.trainer
    trainer.run()
    network, parameters = trainer.network, trainer.parameters
    encoded = network.encode(parameters, built.data.x_test, built.pool)
    problem = network.problem(network.couplings(parameters), encoded)
    start = np.random.default_rng(0).uniform(-np.pi, np.pi, (options.images, 1, network.n))
    start = start.astype(np.float32)
    request = SettleRequest(
        problem, initial=start, tolerance=options.tolerance, max_steps=2000, precision="float32"
    )
    rows = []
    for spec in ("xy", f"xy-flow?rtol={options.rtol}"):
        machine = open_backend(spec)
        machine.settle(request)  # compiles
        began = time.process_time()
        found = machine.settle(request)
        each = (time.process_time() - began) / options.images
        rows.append({"machine": spec, "ms_per_image": 1e3 * each, "steps": float(found.steps.mean()),
                     "settled": float(found.settled.mean())})  # fmt: skip
        machine.close()
    W = parameters["conv1-output.weight"].astype(np.float64)
    times, calls, settled = [], 0, 0
    for image in range(options.scipy):
        h, began = problem.fields[image].astype(np.float64), time.process_time()
        state, asked = integrate(
            W, h, start[image, 0].astype(np.float64), options.tolerance, options.rtol
        )
        times.append(time.process_time() - began)
        calls += asked
        one = SettleRequest(problem.with_fields(problem.fields[image : image + 1]))
        settled += float(residual_of(one, state[None, None]).max()) <= 1.1 * options.tolerance
    each = float(np.median(times))
    rows.append({"machine": f"scipy RK45, rtol {options.rtol:g}", "ms_per_image": 1e3 * each,
                 "steps": calls / options.scipy, "settled": settled / options.scipy})  # fmt: skip
    built.close()
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['machine']:24s} {row['ms_per_image']:9.3f} ms per image  {row['steps']:7.1f} steps or slopes  "
              f"settled {row['settled']:.1%}  {each * 1e3 / row['ms_per_image']:.1f}x")  # fmt: skip


if __name__ == "__main__":
    main()
