"""Phases in time: samples in panels of lanes, moved step by step until they rest.

`torque` sums what couplings do, `rotor` turns all units at once. A lane in which no unit moves rests for good, and the
residual then found is exact for its state.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isingeq.kernels.inner import inner
from isingeq.kernels.lanes import LANES
from isingeq.kernels.panels import Batch, keep, load, panel
from isingeq.kernels.rotor import jitter, oscillate, roll
from isingeq.kernels.torque import torque

Floats = NDArray[np.floating]
Block = tuple[tuple[int, int], tuple[int, int], Floats]
Ints = NDArray[np.int64]

WIDE = 128
"""Samples per product with a matrix of couplings: their cosines and sines make 256 columns."""


class Circuit(NamedTuple):
    """Couplings of n phases as arrays; see `torque` for blocks and rows.

    Attributes:
        w: couplings of the blocks, flat.
        blocks: (blocks, 5).
        starts: of the rows (n + 1,) or (1,).
        columns: neighbours (entries,), int32.
        values: couplings (entries,).
        K: injection that the problem holds (n,).
        free: 1 for units that move, 0 for those that are held (n,).
    """

    w: Floats
    blocks: Ints
    starts: Ints
    columns: NDArray[np.int32]
    values: Floats
    K: Floats
    free: Ints


class Flow(NamedTuple):
    """How all phases move.

    Attributes:
        gain: factor on couplings and fields per step (steps,).
        pump: injection of the machine per step (steps,), pulling to 0 and π where positive.
        drift: phase gained per step by a unit's own frequency (n,).
        dt: time step.
        keep: velocity carried over; negative for oscillators, which have none.
        sigma: standard deviation of the noise of each step (steps,).
        stiff: curvature added to a unit's pace.
        tolerance: slope below which a unit rests; 0 runs all steps.
        first: number of the first step, for the noise.
    """

    gain: Floats
    pump: Floats
    drift: Floats
    dt: float
    keep: float
    sigma: Floats
    stiff: float
    tolerance: float
    first: int


class Found(NamedTuple):
    """What is written, sample by sample: steps that moved and exact residual, each (b,)."""

    steps: Ints
    residual: Floats


@inner(cache=True, error_model="numpy")
def _nudge(z, g, pulls, width):  # type: ignore[no-untyped-def]
    """Add the nudges to the local fields, as the fields that have their slope at these phases."""
    for k in range(pulls.targets.shape[0]):
        i = pulls.first_spring + k
        for lane in range(width):
            gap = z[2 * i * width + lane] - pulls.targets[k, lane]
            g[2 * i * width + lane] += pulls.spring[lane] * gap
    one = z.dtype.type(1 + pulls.floor)
    for k in range(pulls.aims.shape[0] // 2):
        i = pulls.first_pull + k
        for lane in range(width):
            c, s = z[2 * i * width + lane], z[(2 * i + 1) * width + lane]
            x, y = pulls.aims[2 * k, lane], pulls.aims[2 * k + 1, lane]
            q = pulls.pull[lane] / (one + c * x + s * y)
            g[2 * i * width + lane] -= q * x
            g[(2 * i + 1) * width + lane] -= q * y


@inner(cache=True)
def advance(p, circuit, flow, t, found, row):  # type: ignore[no-untyped-def]
    """Nudge and turn all units of a panel by step `t`; after the last step, only look at the slopes where they are.

    Nudges act on a gain of 1: machines that nudge do not change it.

    Args:
        p: panel, its g as `torque` or a product left it.
        circuit: injection, and which units move.
        flow: how they move.
        t: step; the number of steps for the last look.
        found: written for lanes in which nothing moved for the first time.
        row: sample in the first lane.

    Returns:
        True when all lanes are at rest, or this was the last look.
    """
    real, blocks = p.phi.dtype.type, p.worst.size // LANES
    _nudge(p.z, p.g, p.pulls, p.worst.size)
    p.worst[:] = 0.0
    p.moved[:] = 0.0
    look = t == flow.gain.size
    at = t - 1 if look else t
    gain, pump, sigma = real(flow.gain[at]), real(2.0 * flow.pump[at]), real(flow.sigma[at])
    dt, carried, stiff = real(flow.dt), real(flow.keep), real(flow.stiff)
    tolerance = real(np.inf) if look else real(flow.tolerance)
    counter = (flow.first + t) * circuit.K.size
    if look or (carried < 0 and sigma == 0):
        oscillate(p.phi, p.v, p.z, p.g, p.h, p.worst, p.moved, p.keys, circuit.K, circuit.free, flow.drift, blocks,
                  gain, pump, dt, carried, stiff, sigma, tolerance, counter)  # fmt: skip
    elif carried < 0:
        jitter(p.phi, p.v, p.z, p.g, p.h, p.worst, p.moved, p.keys, circuit.K, circuit.free, flow.drift, blocks,
               gain, pump, dt, carried, stiff, sigma, tolerance, counter)  # fmt: skip
    else:
        roll(p.phi, p.v, p.z, p.g, p.h, p.worst, p.moved, p.keys, circuit.K, circuit.free, flow.drift, blocks,
             gain, pump, dt, carried, stiff, sigma, tolerance, counter)  # fmt: skip
    rest = tolerance > 0
    for lane in range(min(p.worst.size, found.steps.size - row)):
        if tolerance == 0 or p.moved[lane] != 0:
            rest = False
        elif found.steps[row + lane] < 0:
            found.steps[row + lane], found.residual[row + lane] = t, p.worst[lane]
    return rest


@njit(nogil=True, cache=True)
def relax_tiles(first, last, circuit, flow, batch, found):  # type: ignore[no-untyped-def]
    """Move the samples first·LANES … last·LANES − 1, tile by tile, and write what became of them.

    Args:
        first: first tile.
        last: one past the last tile.
        circuit: couplings.
        flow: how phases move; with tolerance 0 all steps are run.
        batch: the samples; phases and velocities are overwritten.
        found: written; steps are −1 before.
    """
    p = panel(batch, 1)
    steps = flow.gain.size
    for tile in range(first, last):
        row = tile * LANES
        load(p, batch, row)
        for t in range(steps + 1):
            torque(
                p.z, p.g, circuit.w, circuit.blocks, circuit.starts, circuit.columns, circuit.values
            )
            if advance(p, circuit, flow, t, found, row):
                break
        keep(p, batch, row)


@njit(nogil=True, cache=True)
def _open(batch, blocks, row):  # type: ignore[no-untyped-def]
    """Return a panel filled with the samples from `row` on."""
    p = panel(batch, blocks)
    load(p, batch, row)
    return p


@njit(nogil=True, cache=True)
def _advance(p, circuit, flow, t, found, row):  # type: ignore[no-untyped-def]
    """Do as `advance`, for Python."""
    return advance(p, circuit, flow, t, found, row)


@njit(nogil=True, cache=True)
def _close(p, batch, row):  # type: ignore[no-untyped-def]
    """Do as `keep`, for Python."""
    keep(p, batch, row)


def relax_wide(
    first: int,
    last: int,
    blocks: Sequence[Block],
    circuit: Circuit,
    flow: Flow,
    batch: Batch,
    found: Found,
) -> None:
    """Do the same for WIDE samples at a time, their couplings as products with matrices.

    Args:
        first: first group of WIDE samples.
        last: one past the last group.
        blocks: (targets, sources, J), in one direction each.
        circuit: the rest of it.
        flow: how phases move.
        batch: the samples.
        found: written; steps are −1 before.
    """
    n, rows = batch.phases.shape[1], len(batch.phases)
    for row in range(first * WIDE, min(last * WIDE, rows), WIDE):
        width = min(WIDE // LANES, -(-(rows - row) // LANES))
        p = _open(batch, width, row)
        z, g = p.z.reshape(n, -1), p.g.reshape(n, -1)
        for t in range(flow.gain.size + 1):
            _products(blocks, z, g)
            if _advance(p, circuit, flow, t, found, row):
                break
        _close(p, batch, row)


def _products(blocks: Sequence[Block], z: Floats, g: Floats) -> None:
    """Write g (n, 2 samples), the sum of all products; units that no block reaches get 0."""
    if len(blocks) == 1 and len(blocks[0][2]) == len(g):
        np.matmul(blocks[0][2], z, out=g)
        return
    g[:] = 0.0
    for targets, sources, J in blocks:
        g[slice(*targets)] += J @ z[slice(*sources)]
