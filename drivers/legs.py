"""Inverse temperatures as the legs of a device: stretches along which its gain goes in a straight line.

    β_t = (g_t / 2^shift) β_unit        g_t = first ± floor(|last − first| t / (N − 1))

Gains are whole numbers, so a schedule is met but for rounding; one that is curved (geometric) is met by chords, with
as many legs as the device has. How far off is reported, and more than one hundredth is refused.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.descriptor import Schedules
from isingeq.errors import CapabilityError

Reals = NDArray[np.float64]
MOST_DEVIATION = 0.01
_TOLERANCES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, MOST_DEVIATION)


@dataclass(frozen=True, slots=True)
class Legs:
    """A schedule as a device takes it.

    Attributes:
        table: gain first, gain last, sweeps; (l, 3).
        shift: power of two that gains are divided by.
        sweeps: of all legs.
        deviation: largest |β of the device − β asked for|, as a part of the latter (of the largest where it is 0).
    """

    table: NDArray[np.int64]
    shift: int
    sweeps: int
    deviation: float


def legs_of(betas: Reals, schedules: Schedules) -> Legs:
    """Return the legs for betas (sweeps,), per count of energy.

    Raises:
        CapabilityError: colder than the device goes, or not met within a hundredth by the legs it has.
    """
    coldest = float(betas.max())
    most = schedules.most_gain * schedules.beta_unit
    if coldest > most:
        raise CapabilityError(
            f"beta {coldest:g} per count of energy, the device goes to {most:g}: "
            "scale the problem up, or let mapping=auto do so"
        )
    shift = schedules.most_shift
    while shift and coldest / schedules.beta_unit * 2.0**shift > schedules.most_gain:
        shift -= 1
    wanted = betas / schedules.beta_unit * 2.0**shift
    for tolerance in _TOLERANCES:
        # Both ends of a leg are rounded to half a step, and what lies between is rounded down.
        near = np.maximum(tolerance * wanted, 1.5)
        table = _fit(wanted, near, schedules.most_sweeps, schedules.legs)
        if table is not None:
            reached = np.concatenate([gains(leg) for leg in table])
            scale = np.where(wanted > 0, wanted, max(1.0, wanted.max()))
            return Legs(table, shift, len(wanted), float((np.abs(reached - wanted) / scale).max()))
    raise CapabilityError(
        f"{len(betas)} betas would need more than the {schedules.legs} straight legs that the device holds: "
        "give a schedule that is linear in stretches"
    )


def gains(leg: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the gain of every sweep of a leg."""
    first, last, sweeps = (int(value) for value in leg)
    if sweeps == 1:
        return np.array([last])
    rise = abs(last - first) * np.arange(sweeps) // (sweeps - 1)
    return first + (rise if last >= first else -rise)


def _fit(wanted: Reals, near: Reals, most_sweeps: int, most_legs: int) -> NDArray[np.int64] | None:
    """Return legs that stay near the gains wanted, each as long as it can be; None where that takes too many."""
    rounded = np.rint(wanted).astype(np.int64)
    legs: list[tuple[int, int, int]] = []
    at = 0
    while at < len(wanted):
        if len(legs) == most_legs:
            return None
        last = _farthest(wanted, near, rounded, at, min(len(wanted), at + most_sweeps))
        legs.append((int(rounded[at]), int(rounded[last]), last - at + 1))
        at = last + 1
    return np.array(legs, dtype=np.int64)


def _farthest(wanted: Reals, near: Reals, rounded: NDArray[np.int64], at: int, end: int) -> int:
    """Return the last sweep of the longest leg from `at` on, doubling and then halving the step."""

    def fits(last: int) -> bool:
        leg = np.array([rounded[at], rounded[last], last - at + 1])
        part = slice(at, last + 1)
        return bool((np.abs(gains(leg) - wanted[part]) <= near[part]).all())

    last, step = at, 1
    while last + step < end and fits(last + step):
        last, step = last + step, 2 * step
    while step := step // 2:
        if last + step < end and fits(last + step):
            last += step
    return last
