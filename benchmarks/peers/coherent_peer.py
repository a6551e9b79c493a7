"""Server for chaotic amplitude control by others, one JSON object a line in and out; runs in the peer's environment.

    load   path                 .npz with n, i, j, w in our sign, E = Σ w s s
    run    reads, steps, seed   cpu_s of the steps of all reads, energies
    info                        versions

The peer is MindQuantum's CAC with its own parameters, on couplings as its documentation asks for them. It maximises
½ s J s, so J goes in with the other sign, and draws from numpy's global generator. Building is not timed, and neither
is reading energies.
"""

import json
import os
import platform
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from mindquantum.algorithm.qaia import CAC
from scipy.sparse import csr_matrix

STATE: dict[str, Any] = {}


def load(path: str) -> dict[str, Any]:
    with np.load(path) as data:
        n, i, j, w = int(data["n"]), data["i"], data["j"], data["w"].astype(np.float32)
    half = csr_matrix((w, (i, j)), shape=(n, n))
    STATE["J"] = half + half.T
    return {"n": n}


def run(reads: int, steps: int, seed: int) -> dict[str, Any]:
    np.random.seed(seed)  # noqa: NPY002
    solver = CAC(-STATE["J"], n_iter=steps, batch_size=reads)
    started = time.process_time()
    solver.update()
    cpu_s = time.process_time() - started
    return {"cpu_s": cpu_s, "energies": solver.calc_energy().tolist()}


def info() -> dict[str, Any]:
    packages = ("mindquantum", "numpy", "scipy")
    return {
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        **{name: version(name) for name in packages},
    }


def main() -> None:
    commands = {"load": load, "run": run, "info": info}
    # A peer may print: only answers go to standard output.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = {"ok": True, **commands[request.pop("op")](**request)}
        except Exception as error:  # the benchmark decides what a failed command means
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
