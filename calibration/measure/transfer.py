"""Transfer curves: the mean of a unit against its field, and what their shape tells.

    ⟨s⟩ = −(1 − 2ε) E_ν tanh β (h + ν)          ν ~ N(0, σ²), anew in each read

At weak fields noise looks like a lower β, and only far out the two differ: σ and the β without it are fitted to the
mean curve of all units. σ takes in whatever shifts fields from read to read or from unit to unit: offsets of couplers
to neighbours that move, and what is left of the units' own gains and offsets.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from calibration.measure.faults import Faults
from calibration.measure.point import Point
from calibration.measure.probe import Probe
from calibration.measure.quantity import Quantity

Reals = NDArray[np.float64]
_POINTS = 8
_REACH = 2.5
"""Strongest field over that of the working point."""
_PATTERNS = 8
_SEEN = 9.0
"""Fall of χ² by which noise counts as seen: three standard errors."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """What was found.

    Attributes:
        field: added to what takes offsets out (k,).
        mean: of every unit (k, n).
        curve: mean of all units that work (k,).
        error: of that (k,).
        noise: σ.
        beta: as it would be without noise.
    """

    field: Reals
    mean: Reals
    curve: Reals
    error: Reals
    noise: Quantity
    beta: Quantity


def measure_transfer(
    probe: Probe, point: Point, faults: Faults, trim: Reals, *, reads: int
) -> Transfer:
    """Measure the curves.

    Args:
        probe: of the backend.
        point: working point.
        faults: units that do not work, and readout errors.
        trim: fields that take offsets out (n,).
        reads: per unit and field.
    """
    probe.procedure = "transfer curves"
    n = probe.graph.n
    sizes = _sizes(probe, point, trim)
    rng = np.random.default_rng((probe.seed, 3))
    half = rng.choice([-1, 1], (_PATTERNS // 2, n))
    signs = np.concatenate([half, -half])
    h = (sizes[:, None, None] * signs + trim).reshape(-1, n)
    each = max(1, -(-2 * reads // _PATTERNS))
    states = probe.settle(np.zeros(probe.graph.num_edges), h, reads=each, schedule=point.schedule)
    means = states.mean(axis=1, dtype=np.float64).reshape(len(sizes), _PATTERNS, n)
    up, down = (np.where(signs == way, means, 0).sum(axis=1) / (_PATTERNS // 2) for way in (1, -1))
    field = np.concatenate([-sizes[::-1], sizes])
    mean = np.concatenate([down[::-1], up])
    odd = (down - up)[:, faults.works] / 2
    curve = odd.mean(axis=1)
    error = np.sqrt(np.maximum(1 - curve**2, 1e-4) / (_PATTERNS * each * faults.works.sum()))
    noise, beta = _fit(sizes, curve, error, float(faults.kept.value[faults.works].mean()), point)
    whole = np.concatenate([curve[::-1], -curve])
    return Transfer(field, mean, whole, np.concatenate([error[::-1], error]), noise, beta)


def reads_planned(reads: int) -> int:
    """Return how many reads `measure_transfer` makes in all."""
    return _POINTS * _PATTERNS * -(-2 * reads // _PATTERNS)


def _sizes(probe: Probe, point: Point, trim: Reals) -> Reals:
    """Return fields to measure at, on steps and within the range beside the trim."""
    limits, step = probe.field_levels
    most = _REACH * point.field[1]
    if limits is not None:
        most = min(most, limits[1] - float(trim.max()), float(trim.min()) - limits[0])
    sizes = np.linspace(most / _POINTS, most, _POINTS)
    if step:
        sizes = np.unique(np.maximum(step, np.floor(sizes / step) * step))
    return sizes


def _fit(
    h: Reals, curve: Reals, error: Reals, kept: float, point: Point
) -> tuple[Quantity, Quantity]:
    """Return σ and β from the mean curve at fields h (k,)."""
    x, w = np.polynomial.hermite_e.hermegauss(24)
    w = w / w.sum()

    def off(logs: Reals) -> Reals:
        beta, sigma = logs
        expected = kept * np.tanh(beta * (h[:, None] + sigma * x)) @ w
        return (expected - curve) / error

    start = point.field_response / point.field[1]
    plain = least_squares(lambda b: off(np.array([b[0], 0.0])), [start])
    fitted = least_squares(
        off, [plain.x[0] * 1.05, 0.3 / start], bounds=([0, 0], [np.inf, np.inf]), x_scale=[start, 1 / start]
    )  # fmt: skip
    seen = 2 * (plain.cost - fitted.cost) > _SEEN and len(h) > 2
    if not seen:
        unit = float(1 / np.sqrt((plain.jac**2).sum()))
        why = "no noise is seen"
        none = Quantity.one(0.0, np.nan, "units of fields", good=False, why=why)
        return none, Quantity.one(float(plain.x[0]), unit, "per unit of field")
    covariance = np.linalg.pinv(fitted.jac.T @ fitted.jac)
    errors = np.sqrt(np.diag(covariance))
    return (
        Quantity.one(float(fitted.x[1]), float(errors[1]), "units of fields"),
        Quantity.one(float(fitted.x[0]), float(errors[0]), "per unit of field"),
    )
