"""Backend `bifurcation`: simulated bifurcation on spins."""

from typing import cast

from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.errors import ConfigError
from isingeq.machines.bifurcation import Bifurcation, Keep, Variant


def bifurcation(
    argument: str = "",
    *,
    variant: str = "discrete",
    sweeps: int = 1000,
    dt: float = 0.0,
    keep: str = "best",
    heat: float = 0.0,
    threads: int = 1,
) -> SpinSimulator:
    """Open simulated bifurcation; SPEC `bifurcation?variant=ballistic&sweeps=500`.

    Args:
        argument: none is taken.
        variant: discrete, ballistic or adiabatic.
        sweeps: of the schedule suggested.
        dt: its time step; 0 chooses one within the stability bound.
        keep: best seen on the way, or final.
        heat: γ, friction turned round.
        threads: reads are split over them.

    Raises:
        ConfigError: an argument, or an option out of its range.
    """
    if argument:
        raise ConfigError(f"bifurcation takes no argument, got {argument!r}")
    machine = Bifurcation(
        cast(Variant, variant), sweeps=sweeps, dt=dt, keep=cast(Keep, keep), heat=heat
    )
    return SpinSimulator("bifurcation", machine, threads)
