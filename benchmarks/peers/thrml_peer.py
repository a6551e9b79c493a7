"""Serve thrml's block Gibbs sampler to a benchmark in another environment.

Run by a Python with `thrml`; reads one JSON command a line on standard input and answers one JSON object a line:

    load    npz: fields h (b, n), edges i, j and J (m,) in dimod's sign, colour (n,); beta, sweeps
    sample  seed: all samples from random spins, process CPU seconds and mean energies (b,)
    info    versions and devices

thrml has no schedule of temperatures, so it samples at one beta. Biases differ per sample: the program is built on
traced biases inside one compiled function, mapped over the batch; couplings are constants of it.
"""

import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
from jax import numpy as jnp
from thrml import Block, SamplingSchedule, SpinNode, sample_states
from thrml.models import IsingEBM, IsingSamplingProgram


class Server:
    """Holds one loaded problem; each public method answers one command."""

    def load(self, *, npz: str, beta: float, sweeps: int) -> dict[str, Any]:
        with np.load(npz) as data:
            self._h, i, j, self._J, colour = (data[k] for k in ("h", "i", "j", "J", "colour"))
        self._edges = i, j
        nodes = [SpinNode() for _ in range(self._h.shape[1])]
        edges = [(nodes[a], nodes[b]) for a, b in zip(i.tolist(), j.tolist(), strict=True)]
        blocks = [
            Block([nodes[k] for k in np.flatnonzero(colour == c)]) for c in range(colour.max() + 1)
        ]
        weights = jnp.asarray(-self._J, jnp.float32)
        # The state returned is the one after the warm-up.
        schedule = SamplingSchedule(n_warmup=sweeps, n_samples=1, steps_per_sample=1)

        def one(key: Any, biases: Any) -> Any:
            model = IsingEBM(nodes, edges, biases, weights, jnp.float32(beta))
            program = IsingSamplingProgram(model, blocks, [])
            start, rest = jax.random.split(key)
            keys = jax.random.split(start, len(blocks))
            spins = [
                jax.random.bernoulli(k, shape=(len(b),)) for k, b in zip(keys, blocks, strict=True)
            ]
            return sample_states(rest, program, schedule, spins, [], [Block(nodes)])[0][0]

        biases = jnp.asarray(-self._h, jnp.float32)
        started = time.perf_counter()
        keys = jax.random.split(jax.random.key(0), len(biases))
        self._run = jax.jit(jax.vmap(one)).lower(keys, biases).compile()
        self._biases = biases
        return {"compile_s": time.perf_counter() - started}

    def sample(self, *, seed: int) -> dict[str, Any]:
        keys = jax.random.split(jax.random.key(seed), len(self._biases))
        started = time.process_time()
        up = np.asarray(self._run(keys, self._biases))
        cpu_s = time.process_time() - started
        s = 2.0 * up - 1.0
        i, j = self._edges
        energies = (s * self._h).sum(axis=1) + (s[:, i] * s[:, j]) @ self._J
        return {"cpu_s": cpu_s, "energies": energies.tolist()}

    def info(self) -> dict[str, Any]:
        from importlib.metadata import version

        return {
            **{name: version(name) for name in ("thrml", "jax", "numpy")},
            "devices": [str(device) for device in jax.devices()],
        }


def main() -> None:
    server = Server()
    commands = {name: getattr(server, name) for name in ("load", "sample", "info")}
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
