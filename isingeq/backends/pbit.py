"""Probabilistic bits as a backend."""

import math
from typing import cast

from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.errors import ConfigError
from isingeq.machines.block_sweeps import Order
from isingeq.machines.pbit import PBit


def p_bit(
    argument: str = "",
    *,
    sweeps: int = 100,
    beta: float = math.inf,
    order: str = "coloured",
    tanh_bits: int = 0,
    tanh_range: float = 4.0,
    random_bits: int = 0,
    reverse: float = 0.25,
    threads: int = 1,
) -> SpinSimulator:
    """Open p-bits; SPEC `p-bit?beta=0.7` samples, `p-bit?tanh_bits=8&random_bits=16` anneals in finite precision.

    Raises:
        ConfigError: an argument, or an option out of its range.
    """
    if argument:
        raise ConfigError(f"p-bit takes no argument, got {argument!r}")
    machine = PBit(
        sweeps=sweeps,
        beta=beta,
        order=cast(Order, order),
        tanh_bits=tanh_bits,
        tanh_range=tanh_range,
        random_bits=random_bits,
        reverse=reverse,
    )
    return SpinSimulator("p-bit", machine, threads)
