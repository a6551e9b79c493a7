"""Serve the peers' equilibrium propagation to a benchmark in another environment.

Run by the peers' Python with `--laborieux PATH` and/or `--rain PATH`; reads one JSON command a
line on standard input and answers one JSON object a line on standard output. README.md lists them.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dense import PeerNet, read_problem, write_layers
from laborieux_net import LaborieuxNet
from rain_net import RainNet

NETS = {"laborieux": LaborieuxNet, "rain": RainNet}


class Server:
    """Holds one loaded net per peer; each public method answers one command."""

    def __init__(self, checkouts: dict[str, Path]) -> None:
        self._checkouts = checkouts
        self._nets: dict[str, PeerNet] = {}

    def load(
        self, *, peer: str, npz: str, nudging: float, n_free: int = 30, n_nudged: int = 10
    ) -> dict[str, Any]:
        if peer not in self._checkouts:
            raise ValueError(f"no checkout for peer {peer!r}: start me with --{peer} PATH")
        problem = read_problem(Path(npz), n_free=n_free, n_nudged=n_nudged, nudging=nudging)
        self._nets[peer] = NETS[peer](self._checkouts[peer], problem)
        return {"sizes": problem.sizes, "batch": len(problem.x)}

    def gradient(self, *, peer: str, repeat: int, save: str | None = None) -> dict[str, Any]:
        net = self._net(peer)
        net.restore()
        times = _measure(net.gradient, repeat)
        if save:
            write_layers(Path(save), net.gradients(), prefix="d")
        return times

    def train_step(self, *, peer: str, repeat: int, save: str | None = None) -> dict[str, Any]:
        net = self._net(peer)
        net.restore()
        times = _measure(net.train_step, repeat)
        if save:
            write_layers(Path(save), net.weights())
        return times

    def info(self) -> dict[str, Any]:
        processor = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
        fields = dict(
            map(str.strip, line.split(":", 1)) for line in processor.splitlines() if ":" in line
        )
        flags = fields.get("flags", "").split()
        return {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "threads": torch.get_num_threads(),
            "interop_threads": torch.get_num_interop_threads(),
            "torch_capability": torch.backends.cpu.get_cpu_capability(),
            "mkl": torch.backends.mkl.is_available(),
            "processor": fields.get("model name", platform.processor()),
            "extensions": [f for f in flags if f == "avx512f" or f.startswith("amx")],
            "blas_environment": {
                k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS_", "MKL_", "OMP_"))
            },
            "load_average": os.getloadavg()[0],
            "gemm_gflops": _gemm_gflops(),
        }

    def _net(self, peer: str) -> PeerNet:
        if peer not in self._nets:
            raise ValueError(f"peer {peer!r} is not loaded: send load first")
        return self._nets[peer]


def _measure(work: Callable[[], None], repeat: int) -> dict[str, Any]:
    """Run `work` `repeat` times; process CPU time counts every thread."""
    cpu_s = []
    for _ in range(repeat):
        start_ns = time.process_time_ns()
        work()
        cpu_s.append((time.process_time_ns() - start_ns) * 1e-9)
    return {"repeat": repeat, "cpu_s_min": min(cpu_s), "cpu_s_median": statistics.median(cpu_s)}


def _gemm_gflops() -> float:
    """Return the speed of a product of the benchmark's own shape at a batch of 512."""
    a, b = torch.rand(512, 784), torch.rand(784, 512)
    best_s = _measure(lambda: torch.mm(a, b), 50)["cpu_s_min"]
    return 2 * 512 * 784 * 512 / best_s / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in NETS:
        parser.add_argument(f"--{name}", type=Path, metavar="PATH", help="source checkout")
    arguments = vars(parser.parse_args())
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    server = Server({name: path for name, path in arguments.items() if path is not None})
    commands = {c: getattr(server, c) for c in ("load", "gradient", "train_step", "info")}
    # A peer may print: only answers go to standard output.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            request = json.loads(line)
            op = request.pop("op", None)
            if op not in commands:
                raise ValueError(f"unknown op {op!r}; known: {', '.join(commands)}")
            answer = {"ok": True, **commands[op](**request)}
        except Exception as error:  # the benchmark decides what a failed command means
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
