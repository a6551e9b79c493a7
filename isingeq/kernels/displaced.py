"""Relaxation of displacements δ from states x₀ that are taken to be at rest: nudges too small for the precision.

    f(δ) = −∂/∂δ [F(x₀ + δ) − F(x₀)] + r          low − x₀ ≤ δ ≤ high − x₀

A number of its own for δ keeps all its digits however small it is against x₀. The reaction r is the force at x₀ on
units that it presses against their walls, and 0 on all others: what force is left there belongs to a rest that was not
waited for, and is taken away. Every pool goes by the choice it made at x₀.
"""

import numpy as np

from isingeq.kernels.inner import inline, inner, outer
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
    ready,
    stop_rested,
    sweep,
)
from isingeq.kernels.turn import from_panel


@inner(cache=True)
def _begin(p, net):  # type: ignore[no-untyped-def]
    """Turn positions and their forces per stiffness, which stand in the momenta, into displacements and reactions."""
    x, y, h, at = p.x, p.y, p.h, p.at
    for layer in range(net.sizes.size):
        stiffness, low, high = net.boxes[layer, 0], net.boxes[layer, 1], net.boxes[layer, 2]
        for e in range(net.rows[layer] * LANES, (net.rows[layer] + net.sizes[layer]) * LANES):
            pressed = (x[e] <= low and y[e] < 0.0) or (x[e] >= high and y[e] > 0.0)
            h[e] = stiffness * y[e] if pressed else 0.0
            at[LANES + e] = x[e]
            x[e] = y[e] = 0.0


@inline
def _nudge(p, net, batch):  # type: ignore[no-untyped-def]
    """Add what nudges the samples; springs pull towards their targets as seen from the states at rest."""
    for lane in range(LANES):
        s = max(p.samples[lane], 0)
        load_terms(p, lane, s, net, batch)
        for layer in range(net.sizes.size):
            if net.springy[layer]:
                for i in range(net.rows[layer], net.rows[layer] + net.sizes[layer]):
                    e = i * LANES + lane
                    p.h[e] -= batch.spring[s] * p.at[LANES + e]


@outer
def _relax_displaced(first, last, motion, free, batch, found, resting, net, p, work, step):  # type: ignore[no-untyped-def]
    """See `relax_displaced`; `free` is the batch without its nudges, `resting` the network of positions."""
    for tile in range(first, last):
        load(p, tile, resting, free, True)
        all_moved(work, resting)
        sweep(step, p, resting, work, 1.0, 1.0, 0.0, 0.0, 0.0)  # forces into momenta, nothing moves
        _begin(p, net)
        _nudge(p, net, batch)
        all_moved(work, net)
        running = LANES
        for t in range(motion.keep.size):
            sweep(
                step, p, net, work, motion.keep[t], motion.kick, motion.drift, 0.0, motion.tolerance
            )
            if motion.tolerance == 0.0:
                continue
            running -= stop_rested(p, found, t)
            if running == 0:
                break
        from_panel(p.x, found.states, tile)
        if running > 0:
            look_again(step, p, net, work, motion, found)


def relax_displaced(
    first: int,
    last: int,
    net: Net,
    motion: Motion,
    batch: Batch,
    found: Found,
    work: tuple[()] | Work,
) -> None:
    """Relax the displacements of the samples first·LANES … last·LANES − 1 from `batch.start`; see `relax.relax_tiles`.

    States found are displacements. A unit rests when its residual is below the tolerance, whatever its stiffness:
    forces of one size move units of all layers, soft ones further. Without ramp, noise and clamped layers.
    """
    free = batch._replace(
        force=batch.force[:0], spring=np.zeros_like(batch.spring), ease=np.ones_like(batch.ease),
        targets=batch.targets[:0], momentum=batch.momentum[:0],
    )  # fmt: skip
    moving, p, room, step = ready(net._replace(displaced=1), batch, work)
    resting = moving._replace(displaced=0)
    _relax_displaced(first, last, motion, free, batch, found, resting, moving, p, room, step)
