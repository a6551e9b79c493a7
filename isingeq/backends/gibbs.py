"""Block Gibbs sampling and annealing as a backend."""

import math
from typing import cast

from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.errors import ConfigError
from isingeq.machines.gibbs import Acceptance, Gibbs


def gibbs(
    argument: str = "",
    *,
    sweeps: int = 100,
    beta: float = math.inf,
    acceptance: str = "heat-bath",
    reverse: float = 0.25,
    threads: int = 1,
) -> SpinSimulator:
    """Open block Gibbs; SPEC `gibbs?beta=0.7` samples at beta 0.7, `gibbs?sweeps=200` anneals.

    Raises:
        ConfigError: an argument, or an option out of its range.
    """
    if argument:
        raise ConfigError(f"gibbs takes no argument, got {argument!r}")
    machine = Gibbs(sweeps, beta, cast(Acceptance, acceptance), reverse)
    return SpinSimulator("gibbs", machine, threads)
