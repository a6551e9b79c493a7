"""Relaxation in which a sample that has come to rest hands its lane on to the next one.

A tile of `relax` runs until its slowest sample rests. Here the step may not depend on its number (one share of
momentum, no ramp, no noise): then samples in one tile need not have begun together, and each one's result is that of
`relax`, number by number.
"""

import numpy as np

from isingeq.kernels.inner import any_above, inline, inner, outer
from isingeq.kernels.lanes import LANES
from isingeq.kernels.pulls import Work, all_moved
from isingeq.kernels.relax import (
    Batch,
    Found,
    Motion,
    Net,
    load,
    load_terms,
    look_again,
    own_start,
    ready,
    sweep,
)

PRICE = 0.5
"""Steps that handing on costs: the convolutions look at their pools once more."""


@inner(cache=True)
def _load_lanes(p, lanes, count, net, batch, moving):  # type: ignore[no-untyped-def]
    """Fill some lanes with the samples that `p.samples` names."""
    x, y, h, samples = p.x, p.y, p.h, p.samples
    fields, start, momentum = batch.fields, batch.start, batch.momentum
    for layer in range(net.sizes.size):
        own = own_start(net, layer)
        for i in range(net.rows[layer], net.rows[layer] + net.sizes[layer]):
            for k in range(count):
                s, e = samples[lanes[k]], i * LANES + lanes[k]
                h[e] = -fields[s, i]
                x[e] = start[s, i] if start.shape[0] else own
                if momentum.shape[0]:
                    y[e] = momentum[s, i]
                elif moving:
                    y[e] = 0.0
    for k in range(count):
        load_terms(p, lanes[k], samples[lanes[k]], net, batch)
        p.lanes[lanes[k]] = 1.0


@inline
def _store(p, lane, batch, found):  # type: ignore[no-untyped-def]
    """Write a lane back into its sample."""
    x, y, s, states, momentum = p.x, p.y, p.samples[lane], found.states, batch.momentum
    for i in range(states.shape[1]):
        states[s, i] = x[i * LANES + lane]
        if momentum.shape[0]:
            momentum[s, i] = y[i * LANES + lane]


@inline
def _look_at(left, count, lanes, moving, step, p, net, work, motion, batch, found):  # type: ignore[no-untyped-def]
    """Look again at the samples that did not come to rest."""
    x, states = p.x, found.states
    for first in range(0, count, LANES):
        some = min(LANES, count - first)
        for k in range(LANES):
            lanes[k], p.samples[k], p.lanes[k] = k, left[first + k] if k < some else -1, 0.0
        _load_lanes(p, lanes, some, net, batch, moving)
        for i in range(states.shape[1]):
            for k in range(some):
                x[i * LANES + k] = states[left[first + k], i]
        all_moved(work, net)
        look_again(step, p, net, work, motion, found)


@outer
def _relax_in_turn(first, last, motion, batch, found, left, steps, free, net, p, work, step):  # type: ignore[no-untyped-def]
    """See `relax_in_turn`; `left`, `steps` and `free` are working memory, `step` is the address of a sweep."""
    end = min(last * LANES, batch.fields.shape[0])
    moving = any_above(motion.keep, 0, motion.keep.size, 0.0)
    load(p, first, net, batch, moving)
    all_moved(work, net)
    following, unsettled, missed = (first + 1) * LANES, 0, 0.0
    for lane in range(LANES):
        if p.samples[lane] < 0:
            p.lanes[lane] = 0.0
    while any_above(p.lanes, 0, LANES, 0.0):
        sweep(step, p, net, work, motion.keep[0], motion.kick, motion.drift, 0.0, motion.tolerance)
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
        _load_lanes(p, free, count, net, batch, moving)
        all_moved(work, net)
    _look_at(left, unsettled, free, moving, step, p, net, work, motion, batch, found)


def relax_in_turn(
    first: int,
    last: int,
    net: Net,
    motion: Motion,
    batch: Batch,
    found: Found,
    work: tuple[()] | Work,
) -> None:
    """Relax the samples first·LANES … last·LANES − 1 and write what became of them; see `relax.relax_tiles`.

    Lanes that have become free wait until the steps that they missed, as a share of the tile, are worth the price of
    handing on: at most twice the least cost, whatever comes (ski rental).
    """
    left, steps, free = np.empty(len(found.steps), np.int64), *np.zeros((2, LANES), np.int64)
    _relax_in_turn(first, last, motion, batch, found, left, steps, free, *ready(net, batch, work))
