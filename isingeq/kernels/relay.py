"""Relaxation in which a sample that has come to rest hands its lane on to the next one.

A tile of `relax` runs until its slowest sample rests. Here the step may not depend on its number (one share of
momentum, no ramp, no noise): then samples in one tile need not have begun together, and each one's result is that of
`relax`, number by number.
"""

import numpy as np
from numba import njit

from isingeq.kernels.inner import any_above, inner
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pulls import all_moved
from isingeq.kernels.relax import load, load_terms, look_again, panels, sweep

PRICE = 0.5
"""Steps that handing on costs: the convolutions look at their pools once more."""


@inner(cache=True)
def _load_lanes(p, lanes, count, net, batch, states, moving):  # type: ignore[no-untyped-def]
    """Fill some lanes with the samples that `p.samples` names, at states (b, n), or (0, n) for the own start."""
    for layer in range(net.sizes.size):
        own = min(max(net.boxes[layer, 1], 0.0), net.boxes[layer, 2])
        for i in range(net.rows[layer], net.rows[layer] + net.sizes[layer]):
            for k in range(count):
                s, e = p.samples[lanes[k]], i * LANES + lanes[k]
                p.h[e] = -batch.fields[s, i]
                p.x[e] = states[s, i] if states.shape[0] else own
                if batch.momentum.shape[0]:
                    p.y[e] = batch.momentum[s, i]
                elif moving:
                    p.y[e] = 0.0
    for k in range(count):
        load_terms(p, lanes[k], p.samples[lanes[k]], net, batch)
        p.lanes[lanes[k]] = 1.0


@inner(cache=True)
def _store(p, lane, batch, found):  # type: ignore[no-untyped-def]
    """Write a lane back into its sample."""
    s = p.samples[lane]
    for i in range(found.states.shape[1]):
        found.states[s, i] = p.x[i * LANES + lane]
    if batch.momentum.shape[0]:
        for i in range(found.states.shape[1]):
            batch.momentum[s, i] = p.y[i * LANES + lane]


@inner(cache=True)
def _look_at(left, count, p, net, work, motion, batch, found, spare):  # type: ignore[no-untyped-def]
    """Look again at the samples that did not come to rest."""
    lanes = np.arange(LANES)
    for first in range(0, count, LANES):
        some = min(LANES, count - first)
        p.samples[:] = -1
        p.lanes[:LANES] = 0.0
        for k in range(some):
            p.samples[k] = left[first + k]
        _load_lanes(p, lanes, some, net, batch, found.states, False)
        all_moved(work, net)
        look_again(p, net, work, motion, spare, found)


@njit(nogil=True, cache=True, error_model="numpy")
def relax_in_turn(first, last, net, motion, batch, found, work):  # type: ignore[no-untyped-def]
    """Relax the samples first·LANES … last·LANES − 1 and write what became of them; see `relax.relax_tiles`.

    Lanes that have become free wait until the steps that they missed, as a share of the tile, are worth the price of
    handing on: at most twice the least cost, whatever comes (ski rental).
    """
    n, end = batch.fields.shape[1], min(last * LANES, batch.fields.shape[0])
    p = panels(n, net.w.dtype)
    spare = np.empty_like(p.x)
    moving = any_above(motion.keep, 0.0)
    load(p, first, net, batch, moving)
    all_moved(work, net)
    following, left, unsettled = (first + 1) * LANES, np.empty(end, np.int64), 0
    steps, free = np.zeros(LANES, np.int64), np.empty(LANES, np.int64)
    for lane in range(LANES):
        if p.samples[lane] < 0:
            p.lanes[lane] = 0.0
    missed = 0.0
    while any_above(p.lanes[:LANES], 0.0):
        sweep(p, net, work, motion.keep[0], motion.kick, motion.drift, 0.0, motion.tolerance)
        idle = 0
        for lane in range(LANES):
            if p.lanes[lane] > 0.0:
                s = p.samples[lane]
                rests = p.lanes[2 * LANES + lane] == 0.0
                if rests:
                    found.steps[s] = steps[lane]
                    found.residual[s] = p.lanes[LANES + lane]
                steps[lane] += 1
                if not rests and steps[lane] == motion.keep.size:
                    left[unsettled] = s
                    unsettled += 1
                    rests = True
                if rests:
                    p.lanes[lane] = 0.0
                    _store(p, lane, batch, found)
            if p.lanes[lane] == 0.0:
                free[idle] = lane
                idle += 1
        missed += idle / LANES
        if following >= end or (missed < PRICE and idle < LANES):
            continue
        count = min(idle, end - following)
        for k in range(count):
            p.samples[free[k]], steps[free[k]] = following + k, 0
        following += count
        missed = 0.0
        _load_lanes(p, free, count, net, batch, batch.start, moving)
        all_moved(work, net)
    _look_at(left, unsettled, p, net, work, motion, batch, found, spare)
