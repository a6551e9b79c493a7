"""Server for simulated bifurcation by others, one JSON object a line in and out; runs in the peer's environment.

    load   path                                   .npy of J (n, n) int8 in our sign, E = ½ s J s
    run    peer, variant, reads, steps, dt, seed  cpu_s of the steps of all reads, energies
    info                                          versions

`peer` is simulated-bifurcation (torch) or mindquantum, which draws from numpy's global generator. Both maximise
½ s J s, so J goes in with the other sign; both get a pump that rises to its end with the last step. Building their
problem is not timed, and neither is reading energies.
"""

import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

STATE: dict[str, Any] = {}


def load(path: str) -> dict[str, Any]:
    STATE["J"] = np.load(path)
    return {"n": len(STATE["J"])}


def by_torch(
    variant: str, reads: int, steps: int, dt: float, seed: int
) -> tuple[float, np.ndarray]:
    import simulated_bifurcation as sb
    import torch
    from simulated_bifurcation.core import Ising

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    sb.set_env(time_step=float(dt), pressure_slope=1 / (dt * steps))
    model = Ising(torch.from_numpy(-STATE["J"].astype(np.float32)), dtype=torch.float32)
    started = time.process_time()
    spins = model.minimize(
        agents=reads, max_steps=steps, mode=variant, early_stopping=False, verbose=False
    )
    return time.process_time() - started, np.asarray(spins).T


def by_mindquantum(
    variant: str, reads: int, steps: int, dt: float, seed: int
) -> tuple[float, np.ndarray]:
    from mindquantum.algorithm.qaia import ASB, BSB, DSB

    np.random.seed(seed)  # noqa: NPY002
    kind = {"adiabatic": ASB, "ballistic": BSB, "discrete": DSB}[variant]
    if "sparse" not in STATE:
        from scipy.sparse import csr_matrix

        STATE["sparse"] = csr_matrix(-STATE["J"].astype(np.float64))
    solver = kind(STATE["sparse"], n_iter=steps, batch_size=reads, dt=dt)
    started = time.process_time()
    solver.update()
    return time.process_time() - started, np.sign(solver.x).T


def run(peer: str, variant: str, reads: int, steps: int, dt: float, seed: int) -> dict[str, Any]:
    runner = {"simulated-bifurcation": by_torch, "mindquantum": by_mindquantum}[peer]
    cpu_s, spins = runner(variant, reads, steps, dt, seed)
    s = spins.astype(np.float32).reshape(reads, -1)
    energies = 0.5 * ((s @ STATE["J"].astype(np.float32)) * s).sum(axis=1, dtype=np.float64)
    return {"cpu_s": cpu_s, "energies": energies.tolist()}


def info() -> dict[str, Any]:
    found = {}
    for name in ("simulated-bifurcation", "torch", "mindquantum", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"versions": found, "load": os.getloadavg()[0]}


OPERATIONS = {"load": load, "run": run, "info": info}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what peers print goes to standard error
    for line in sys.stdin:
        arguments = json.loads(line)
        try:
            answer = {"ok": True, **OPERATIONS[arguments.pop("op")](**arguments)}
        except Exception as error:
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
