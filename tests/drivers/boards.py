"""Boards to test against, and problems that fit them."""

import os
import shutil

import numpy as np
import pytest

from isingeq.backend import SettleRequest
from isingeq.couplings import Edges
from isingeq.problem import Problem
from isingeq.registry import open_backend
from isingeq.units import Layer, Spin

TARGETS = {
    "model": ("model://ref-arm192?baud=115200", None),
    "native": ("model://ref-arm192?native&baud=115200", "cc"),
    "lm3s": ("emulator://lm3s?", "qemu-system-arm"),
}


def url_of(target, *options):
    """Return the SPEC of a target; without its program the test is skipped, or fails where every tool is a must."""
    url, program = TARGETS[target]
    if program and shutil.which(program) is None:
        reason = f"{target} needs {program}, which is not on the path"
        (pytest.fail if os.environ.get("ISINGEQ_EVERY_TOOL") else pytest.skip)(reason)
    return "&".join([url, *options]).replace("?&", "?").rstrip("?")


def whole_numbers(n=24, batch=12, *, seed=0):
    """A problem of whole numbers on all pairs."""
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(n, 1)
    edges = Edges(n, i, j, rng.integers(-20, 21, len(i)).astype(np.float32))
    fields = rng.integers(-30, 31, (batch, n)).astype(np.float32)
    return Problem((Layer("s", n, Spin()),), (edges,), fields)


def settled(url, problem=None, *, settles=2, reads=4):
    """Return the states of some settles, of so many rows that they come as events, and what the link went through."""
    backend = open_backend(url)
    try:
        found = [
            backend.settle(SettleRequest(problem or whole_numbers(), seed=seed, reads=reads))
            for seed in range(settles)
        ]
    finally:
        backend.close()
    return np.stack([e.states for e in found]), found[-1].provenance.details["link"]
