"""Coupling gain and offset of every edge by the two-spin method.

    ¼ ln (p₊₊ p₋₋ / p₊₋ p₋₊) = −β [(1 + g_ij) J_ij + p_ij]

Many disjoint pairs are coupled at once, at either of two levels drawn anew in every round: the difference of both is
the gain, what they have in common the offset. Offsets p of couplers between pairs, which are there although nothing
was asked of them, take β² Σ_k p_ik p_kj off it to first order; that is put back with the offsets found, as
far as they are known, and what is left of it is in the error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calibration.measure.faults import Faults
from calibration.measure.log_odds import coupling_of
from calibration.measure.matchings import matchings
from calibration.measure.pairs import count, placed
from calibration.measure.point import Point
from calibration.measure.probe import Probe
from calibration.measure.quantity import Quantity
from isingeq.connectivity import Connectivity
from isingeq.errors import CalibrationError

Reals = NDArray[np.float64]
ROUNDS = 2
_MOST_ROUNDS = 6
_SLACK = 1.2
"""How far nine in ten may be above the precision: strong couplers and large offsets cost counts."""
_DEAD = 0.25
"""Gain 1 + g below which a coupler is dead."""
_WORST = 0.5
"""Relative error of a gain from which on nothing is known of it."""
_FEWEST = 1
"""Counts in the emptiest cell of a pair; where one is empty, its log odds are what half a count makes them."""
_CLEAR = 0.1
"""Error of a gain from which on a coupler is not called dead."""


@dataclass(frozen=True, eq=False)
class Couplings:
    """What was found.

    Attributes:
        gain: g, relative.
        offset: p, in units of couplings.
        beta: mean response to a coupling: β times the mean of 1 + g.
        dead: couplers of working units that do nothing (m,).
        known: β p as far as it is known, the rest being noise (m,).
        left: variance of β p that remains (m,).
    """

    gain: Quantity
    offset: Quantity
    beta: Quantity
    dead: NDArray[np.bool_]
    known: Reals
    left: Reals


def measure_couplings(
    probe: Probe, point: Point, faults: Faults, trim: Reals, *, reads: int, precision: float, most: float
) -> Couplings:  # fmt: skip
    """Measure all edges between units that work.

    Args:
        probe: of the backend.
        point: working point, with couplings.
        faults: units that do not work, and readout errors.
        trim: fields that take offsets out (n,).
        reads: per edge, at either level.
        precision: standard error of gains to reach; further rounds are made until nine in ten are near it.
        most: reads in all that `probe` may have made by then.
    """
    probe.procedure = "couplings"
    graph = probe.graph
    working = np.flatnonzero(faults.works[graph.i] & faults.works[graph.j])
    groups = matchings(graph, working)
    rng = np.random.default_rng((probe.seed, 2))
    counts = np.zeros((2, 2, 2, graph.num_edges))
    assert point.coupling is not None
    for done in range(1, _MOST_ROUNDS + 1):
        for edges in groups:
            signs = rng.choice(np.array([-1, 1], np.int8), edges.size)
            for way in (1, -1):
                J = placed(graph, edges, point.coupling, way * signs)
                states = probe.settle(
                    J, trim[None], reads=-(-reads // ROUNDS), schedule=point.schedule
                )
                cells = count(states[0], graph, edges)
                level = (way * signs > 0).astype(np.intp)
                counts[level, :, :, edges] += np.moveaxis(cells, 2, 0)
        found = _found(graph, point, counts, faults, working, done * len(groups))
        errors = found.gain.error[found.gain.good]
        reached = not errors.size or np.quantile(errors, 0.9) < _SLACK * precision
        cost = 2 * len(groups) * -(-reads // ROUNDS)
        if done >= ROUNDS and (reached or probe.reads + cost > most):
            break
    return found


def _found(
    graph: Connectivity, point: Point, counts: Reals, faults: Faults, working: NDArray[np.intp], draws: float
) -> Couplings:  # fmt: skip
    """Return estimates from counts (level, 2, 2, m); `draws` of signs that other pairs had, times matchings."""
    assert point.coupling is not None
    first, second = faults.kept.at(graph.i), faults.kept.at(graph.j)
    low, high = (coupling_of(counts[k], first, second) for k in (0, 1))
    width = point.coupling[1] - point.coupling[0]
    slope = (high.value - low.value) / width
    slope_error = np.sqrt(high.variance + low.variance) / width
    to_high = -point.coupling[0] / width
    at_zero = to_high * high.value + (1 - to_high) * low.value
    at_zero_error = np.sqrt(to_high**2 * high.variance + (1 - to_high) ** 2 * low.variance)
    works = np.zeros(graph.num_edges, np.bool_)
    works[working] = True
    works &= np.isfinite(slope) & (counts.min(axis=(0, 1, 2)) >= _FEWEST)
    middle = float(np.median(slope[works])) if works.any() else 0.0
    dead = works & (slope < _DEAD * middle) & (slope_error < _CLEAR * middle)
    good = works & ~dead & (slope_error < _WORST * middle)
    if not middle > 0 or not good.any():
        if point.beta is not None:
            raise CalibrationError(
                f"no coupler answers halfway ({works.sum()} of {graph.num_edges} could be measured): the measurement "
                "does not converge; give another --beta, or leave couplings out"
            )
        return _saturated(graph, dead)
    beta = float(slope[good].mean())
    beta_error = float(np.sqrt((slope_error[good] ** 2).sum()) / good.sum())
    known, left = _known(at_zero, at_zero_error, good)
    shift, unknown, loops = _detours(graph, known, left, draws)
    at_zero_error = np.sqrt(at_zero_error**2 + unknown)
    strong = np.tanh(point.response) / width
    slope_error = np.sqrt(slope_error**2 + 4 * strong**2 * loops)
    nan = np.where(good, 1.0, np.nan)
    why = "dead, at a unit that is, or saturated"
    return Couplings(
        Quantity(slope / beta * nan - 1, slope_error / beta * nan, good, "relative", why),
        Quantity(
            (at_zero + shift) / beta * nan,
            at_zero_error / beta * nan,
            good,
            "units of couplings",
            why,
        ),
        Quantity.one(beta, beta_error, "per unit of coupling"),
        dead,
        known,
        left,
    )


def _saturated(graph: Connectivity, dead: NDArray[np.bool_]) -> Couplings:
    """Return what is known where the smallest couplings of a chip leave nothing to chance."""
    nan = np.full(graph.num_edges, np.nan)
    why = "saturated: its smallest coupling is too strong for the chip's own temperature"
    nothing = Quantity(nan, nan.copy(), np.zeros(graph.num_edges, np.bool_), "", why)
    beta = Quantity.one(np.nan, np.nan, "per unit of coupling", good=False, why=why)
    zeros = np.zeros(graph.num_edges)
    return Couplings(nothing, nothing, beta, dead, zeros, zeros.copy())


def _known(p: Reals, error: Reals, good: NDArray[np.bool_]) -> tuple[Reals, Reals]:
    """Return the mean of β p given what was measured and the spread of all, and the variance left, each (m,)."""
    spread = max(0.0, float(p[good].var() - np.mean(error[good] ** 2)))
    weight = np.where(good, spread / (spread + np.where(good, error, 1.0) ** 2), 0.0)
    return weight * np.where(good, p, 0.0), np.where(good, spread * (1 - weight), 0.0)


def _detours(
    graph: Connectivity, known: Reals, left: Reals, draws: float
) -> tuple[Reals, Reals, Reals]:
    """Return what to add to β p (m,) for ways round over other units, and variances of what is not known.

    What pairs show is −⟨s_i s_j⟩, to all orders in which units are not met twice: P is off the diagonal of the inverse
    of the correlations 1 − K (mean field inversion, Kappen & Rodriguez 1998). Where most pairs are no edges, K there is
    not measured, and P = K + K² has all that counts.

    Returns:
        Shift of β p; variance of what is left of it; variance of ways through one other pair, before its tanh β J,
        which are of either sign and average out over draws.
    """

    def on_edges(matrix: Reals | sparse.csr_array) -> Reals:
        return np.asarray(matrix[graph.i, graph.j], np.float64)

    k, rest = _matrix(graph, known), _matrix(graph, left)
    squares = _matrix(graph, known**2 + left)
    if isinstance(k, np.ndarray):
        inverse = np.linalg.inv(np.eye(graph.n) - k)
        shift = on_edges(inverse) - known
        swell = (inverse**2).sum(
            axis=0
        )  # what is not known of K goes through the inverse on both sides
        missed = (swell[graph.i] * swell[graph.j] - 1) * left
    else:
        shift = on_edges(k @ k)
        missed = 2 * on_edges(_matrix(graph, known**2) @ rest)
    missed += on_edges(rest @ rest)
    far = on_edges(squares @ squares @ squares)
    through = on_edges(squares @ (_matrix(graph, np.ones(graph.num_edges)) @ squares))
    return shift, missed + far / draws, through / draws


def _matrix(graph: Connectivity, values: Reals) -> Reals | sparse.csr_array:
    """Return values (m,) as a symmetric matrix (n, n), full where many pairs are edges."""
    ends = (np.concatenate([graph.i, graph.j]), np.concatenate([graph.j, graph.i]))
    matrix = sparse.csr_array((np.tile(values, 2), ends), shape=(graph.n, graph.n))
    return matrix.toarray() if matrix.nnz > graph.n**2 / 8 else matrix
