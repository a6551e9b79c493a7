"""What the peers' servers share: one JSON command a line in, one JSON answer a line out, and how work is timed."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch


def one_thread() -> None:
    """Hold torch to one thread."""
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)


def measure(work: Callable[[], None], repeat: int) -> dict[str, Any]:
    """Run `work` `repeat` times; process CPU time counts every thread."""
    cpu_s = []
    for _ in range(repeat):
        start_ns = time.process_time_ns()
        work()
        cpu_s.append((time.process_time_ns() - start_ns) * 1e-9)
    return {"repeat": repeat, "cpu_s_min": min(cpu_s), "cpu_s_median": statistics.median(cpu_s)}


def info() -> dict[str, Any]:
    """Return versions, threads, processor, BLAS environment, load, and the speed of one product."""
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


def serve(commands: Mapping[str, Callable[..., dict[str, Any]]]) -> None:
    """Answer commands until standard input ends."""
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


def _gemm_gflops() -> float:
    """Return the speed of a product of the dense benchmark's own shape at a batch of 512."""
    a, b = torch.rand(512, 784), torch.rand(784, 512)
    best_s = measure(lambda: torch.mm(a, b), 50)["cpu_s_min"]
    return 2 * 512 * 784 * 512 / best_s / 1e9
