"""Backends `oscillator`, `xy` and `xy-flow`: phases, as a solver of spins or as they settle."""

from isingeq.backends.phase_simulator import PhaseSimulator
from isingeq.backends.spin_simulator import SpinSimulator
from isingeq.errors import ConfigError
from isingeq.machines.gradient_flow import GradientFlow
from isingeq.machines.oscillator import Oscillator, OscillatorSolver
from isingeq.machines.polished import Polished
from isingeq.machines.xy import XY


def oscillator(
    argument: str = "", *, readout: str = "spin", threads: int = 1, spread: float = 0.0, dt: float = 0.0,
    noise: float = 0.0, sweeps: int = 1000, injection: float = 0.5, heat: float = 0.4,
    start: str = "random", readout_bits: int = 0,
) -> SpinSimulator | PhaseSimulator:  # fmt: skip
    """Open the oscillator Ising machine: `oscillator` solves for spins, `oscillator?readout=phase` settles phases.

    Args:
        argument: none is taken.
        readout: "spin" (ground states of spins) or "phase" (fixed points of phases).
        threads: reads and samples are split over them.
        spread: standard deviation of the oscillators' own frequencies.
        dt: time step; 0 for 0.4 (spins) or 0.1 (phases).
        noise: temperature of the phase noise.
        sweeps: of spins alone, steps of the suggested schedule.
        injection: of spins alone, pump at its end.
        heat: of spins alone, temperature added at its beginning, falling to 0 at its end.
        start: of phases alone, "random" or an angle.
        readout_bits: of phases alone, 0 reads them exactly.

    Raises:
        ConfigError: an option out of its range or of the other readout, or an argument.
    """
    _no_argument("oscillator", argument)
    if readout == "spin":
        if start != "random" or readout_bits:
            raise ConfigError("oscillator takes start and readout_bits with readout=phase only")
        solver = OscillatorSolver(sweeps, injection, dt or 0.4, spread, noise, heat)
        return SpinSimulator("oscillator", solver, threads)
    if readout != "phase":
        raise ConfigError(f"readout {readout!r} of oscillator must be spin or phase")
    if (sweeps, injection, heat) != (1000, 0.5, 0.4):
        raise ConfigError(
            "oscillator takes sweeps, injection and heat with readout=spin only: phases have the steps of the "
            "request and the injection of the problem"
        )
    machine = Oscillator(dt or 0.1, spread, noise)
    return PhaseSimulator("oscillator", machine, start, readout_bits, threads)


def xy(
    argument: str = "", *, momentum: float = 0.8, dt: float = 1.5, polish: bool = False, start: str = "random",
    readout_bits: int = 0, threads: int = 1,
) -> PhaseSimulator:  # fmt: skip
    """Open the XY machine; SPEC `xy?momentum=0.9`, or `xy?polish` for rest to many digits.

    Raises:
        ConfigError: an option out of its range, or an argument.
    """
    _no_argument("xy", argument)
    ball = XY(momentum, dt)
    return PhaseSimulator("xy", Polished(ball) if polish else ball, start, readout_bits, threads)


def xy_flow(
    argument: str = "", *, rtol: float = 1e-4, start: str = "random", readout_bits: int = 0, threads: int = 1
) -> PhaseSimulator:  # fmt: skip
    """Open the XY machine as gradient flow with adaptive steps; SPEC `xy-flow?rtol=1e-6`.

    Raises:
        ConfigError: an option out of its range, or an argument.
    """
    _no_argument("xy-flow", argument)
    return PhaseSimulator("xy-flow", GradientFlow(rtol), start, readout_bits, threads)


def _no_argument(name: str, argument: str) -> None:
    if argument:
        raise ConfigError(
            f"backend {name!r} takes no argument, got {argument!r}: give options as {name}?key=value"
        )
