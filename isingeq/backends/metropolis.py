"""Metropolis and heat-bath annealing on our own kernels, as a backend."""

import math
from typing import cast

from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.errors import ConfigError
from isingeq.machines.metropolis import Acceptance, Keep, Metropolis, Numbers


def metropolis(
    argument: str = "",
    *,
    sweeps: int = 1000,
    beta: float = math.inf,
    acceptance: str = "",
    reverse: float = 0.25,
    keep: str = "final",
    numbers: str = "exact",
    threads: int = 1,
) -> SpinSimulator:
    """Open the annealer; SPEC `metropolis?sweeps=200` anneals, `metropolis?beta=0.7` samples at beta 0.7.

    Left open, the acceptance is the heat bath for a finite beta and Metropolis otherwise.

    Raises:
        ConfigError: an argument, or an option out of its range.
    """
    if argument:
        raise ConfigError(f"metropolis takes no argument, got {argument!r}")
    rule = acceptance or ("heat-bath" if math.isfinite(beta) else "metropolis")
    machine = Metropolis(
        sweeps=sweeps,
        beta=beta,
        acceptance=cast(Acceptance, rule),
        reverse=reverse,
        keep=cast(Keep, keep),
        numbers=cast(Numbers, numbers),
    )
    return SpinSimulator("metropolis", machine, threads)
