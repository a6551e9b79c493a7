"""Noise spectrum and drift: the same settle again and again, offsets followed over time.

    D(τ) = ½ ⟨[o(t + τ) − o(t)]²⟩ = σ² (1 − e^(−τ/τ₀))          of an Ornstein-Uhlenbeck process

averaged over units, the noise of counting taken off. A time constant shows where measurements last as long as it;
drift that is slower shows as a D that still grows. The spectrum is the periodogram of the offsets, averaged over units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from calibration.measure.faults import Faults
from calibration.measure.log_odds import field_of
from calibration.measure.point import Point
from calibration.measure.probe import Probe
from calibration.measure.quantity import Quantity

Reals = NDArray[np.float64]
SETTLES = 64
_SIGMAS = 4.0
_LONGEST = 1 / 3
"""Time constants up to this share of the time measured are known."""
_UNSURE = 0.5
"""Relative error of a time constant from which on it is not told."""


@dataclass(frozen=True, eq=False)
class Drift:
    """What was found.

    Attributes:
        lag_s: τ (k,), on the device's clock where it has one, else on the host's.
        moved: D at these, in squared units of fields (k,).
        error: standard errors (k,).
        frequency_hz: of the spectrum (f,).
        power: per frequency, in squared units of fields per hertz (f,).
        power_of_counting: what counting alone would give.
        spread: σ, or how far offsets moved within the time measured.
        time_s: τ₀.
    """

    lag_s: Reals
    moved: Reals
    error: Reals
    frequency_hz: Reals
    power: Reals
    power_of_counting: float
    spread: Quantity
    time_s: Quantity


def measure_drift(
    probe: Probe, point: Point, faults: Faults, trim: Reals, *, reads: int, beta: float
) -> Drift:
    """Follow all units.

    Args:
        probe: of the backend.
        point: working point.
        faults: units that do not work, and readout errors.
        trim: fields that take offsets out (n,).
        reads: of one settle.
        beta: response per unit of field.
    """
    probe.procedure = "drift"
    J = np.zeros(probe.graph.num_edges)
    sums, times = [], []
    for _ in range(SETTLES):
        states = probe.settle(J, trim[None], reads=reads, schedule=point.schedule)
        sums.append(states.sum(axis=(0, 1), dtype=np.float64))
        times.append(probe.clock_s)
    found = field_of(np.array(sums), reads, faults.kept)
    works = faults.works & np.isfinite(found.value).all(axis=0)
    offsets = found.value[:, works] / beta
    counting = float(found.variance[:, works].mean()) / beta**2
    step_s = (times[-1] - times[0]) / (SETTLES - 1)
    lags = np.exp2(np.arange(int(np.log2(SETTLES)))).astype(np.intp)
    each = np.array([((offsets[k:] - offsets[:-k]) ** 2).mean(axis=0) / 2 for k in lags])
    moved = (each.mean(axis=1) - counting).astype(np.float64)
    spread_of = np.maximum(each.var(axis=1), each.mean(axis=1) ** 2 / SETTLES)
    error = np.sqrt(spread_of / works.sum()).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(offsets - offsets.mean(axis=0), axis=0)) ** 2
    power = np.asarray(spectrum.mean(axis=1)[1:] * 2 * step_s / SETTLES, np.float64)
    frequency = np.fft.rfftfreq(SETTLES, max(step_s, 1e-12))[1:].astype(np.float64)
    lag_s = np.asarray(lags * step_s, np.float64)
    spread, time_s = _fit(lag_s, moved, _covariance(each, error))
    return Drift(lag_s, moved, error, frequency, power, 2 * step_s * counting, spread, time_s)


def _covariance(each: Reals, error: Reals) -> Reals:
    """Return the covariance of D at different lags, of the same settles all; from units (k, n), which are apart."""
    k, n = each.shape
    if n < 4 * k:
        return np.diag(error**2)
    covariance: Reals = np.cov(each).astype(np.float64) / n
    return covariance


def _fit(lag: Reals, moved: Reals, covariance: Reals) -> tuple[Quantity, Quantity]:
    """Return σ and τ₀, as far as they show."""
    error = np.sqrt(np.diag(covariance))
    if not (moved > _SIGMAS * error).any():
        most = float(np.sqrt(max(0.0, float(moved[-1])) + 2 * error[-1]))
        why = f"no drift is seen in {lag[-1]:.3g} s, of more than {most:.3g}"
        return (
            Quantity.one(0.0, most, "units of fields", good=False, why=why),
            Quantity.one(np.nan, np.nan, "seconds", good=False, why=why),
        )
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))

    def off(logs: Reals) -> Reals:
        return whiten @ (np.exp(2 * logs[0]) * -np.expm1(-lag / np.exp(logs[1])) - moved)

    start = np.log([np.sqrt(moved.max()), lag[len(lag) // 2]])
    fitted = least_squares(off, start)
    sigma, tau = np.exp(np.minimum(fitted.x, 300))
    errors = np.sqrt(np.diag(np.linalg.pinv(fitted.jac.T @ fitted.jac)))
    if tau > _LONGEST * 2 * lag[-1] or errors[1] > _UNSURE:
        why = f"cannot be told in the {2 * lag[-1]:.3g} s that were measured"
        size, at = float(np.sqrt(moved.max())), int(np.argmax(moved))
        return (
            Quantity.one(size, float(error[at] / 2 / size), "units of fields"),
            Quantity.one(np.nan, np.nan, "seconds", good=False, why=why),
        )
    return (
        Quantity.one(float(sigma), float(sigma * errors[0]), "units of fields"),
        Quantity.one(float(tau), float(tau * errors[1]), "seconds"),
    )
