"""The relaxation kernel once more, in plain numpy: one sample, one layer at a time, couplings as one matrix."""

from dataclasses import dataclass

import numpy as np

from isingeq.backends.layout import Layout
from isingeq.kernels.lanes import LANES
from isingeq.kernels.panels import fixed
from isingeq.kernels.relax import Batch, Found, Motion, relax_tiles


@dataclass
class Case:
    """A layered network under way: everything that the kernel is told, in plain arrays."""

    sizes: tuple
    J: np.ndarray  # (n, n), the problem's sign
    boxes: np.ndarray  # per layer stiffness, low, high
    groups: tuple  # layers that step together
    fields: np.ndarray
    force: np.ndarray
    spring: np.ndarray
    ease: np.ndarray
    targets: np.ndarray
    springy: int | None
    frozen: frozenset
    start: np.ndarray
    momentum: np.ndarray


def spans(sizes):
    ends = np.cumsum(sizes)
    return [slice(e - s, e) for s, e in zip(sizes, ends, strict=True)]


def step(case, x, y, *, keep, kick, drift, ramp, tolerance=None):
    """One step of all samples in place; returns which samples moved and their residuals before the step.

    A unit moves unless its residual and its step are both below the tolerance; without one all units move.
    """
    parts = spans(case.sizes)
    worst, moved = np.zeros(len(x)), np.zeros(len(x), bool)
    for group in case.groups:
        seen = x.copy()
        for layer in group:
            if layer in case.frozen:
                continue
            part, (stiffness, low, high) = parts[layer], case.boxes[layer]
            z = -case.fields[:, part] - seen @ case.J[:, part]
            if len(case.force):
                z += case.force[:, part]
            stiff, push = stiffness, kick / stiffness
            if layer == case.springy:
                z += case.spring[:, None] * case.targets
                stiff = stiffness + case.spring[:, None]
                push = push * case.ease[:, None]
            position = seen[:, part]
            f = z - stiff * position
            following = keep * y[:, part] + push * (f - ramp * position)
            aim = position + drift * following
            walled = np.clip(aim, low, high)
            gap = np.abs(position - np.clip(position + f, low, high))
            go = np.ones_like(gap, bool)
            if tolerance is not None:
                go = (gap >= tolerance) | (np.abs(walled - position) >= tolerance)
            worst = np.maximum(worst, gap.max(axis=1))
            moved |= go.any(axis=1)
            x[:, part] = np.where(go, walled, position)
            y[:, part] = np.where(go, np.where(aim == walled, following, 0), y[:, part])
    return moved, worst


def residual(case, x):
    """The residual of a state, by its definition."""
    return step(case, x.copy(), np.zeros_like(x), keep=0, kick=0, drift=0, ramp=0)[1]


def motion(
    steps,
    *,
    keep=0.0,
    ramp=0.0,
    kick=1.0,
    drift=1.0,
    tolerance=0.0,
    synchronous=0,
    force=0.0,
    state=0.0,
    seed=0,
):
    return Motion(
        np.broadcast_to(np.asarray(keep, float), steps).copy(), np.broadcast_to(np.asarray(ramp, float), steps).copy(),
        kick, drift, tolerance, synchronous, force, state, seed,
    )  # fmt: skip


def random_case(
    seed,
    *,
    sizes,
    batch,
    boxes,
    order,
    links=None,
    springy=None,
    frozen=(),
    momentum=0.0,
    start=True,
    force=False,
):
    """A random layered network; its problem goes through the layout that the simulators use."""
    from isingeq.couplings import Dense
    from isingeq.problem import Problem
    from isingeq.units import Amplitude, Layer

    rng = np.random.default_rng(seed)
    parts = spans(sizes)
    n = sum(sizes)
    J = np.zeros((n, n))
    couplings = []
    for a, b in links or [(k, k + 1) for k in range(len(sizes) - 1)]:
        block = rng.normal(size=(sizes[a], sizes[b])) * 0.7 / np.sqrt(max(sizes))
        J[parts[a], parts[b]], J[parts[b], parts[a]] = block, block.T
        couplings.append(
            Dense((parts[a].start, parts[a].stop), (parts[b].start, parts[b].stop), block)
        )
    layers = tuple(
        Layer(f"l{k}", s, Amplitude(low, high, stiff))
        for k, (s, (stiff, low, high)) in enumerate(zip(sizes, boxes, strict=True))
    )
    problem = Problem(layers, tuple(couplings), rng.normal(size=(batch, n)))
    layout = Layout.of(problem, order)
    low, high = problem.bounds
    x = np.clip(rng.normal(size=(batch, n)), low, high)
    strength = rng.choice([-0.3, 0.5, 0.9], size=batch) if springy is not None else np.zeros(batch)
    groups = (
        (tuple(range(len(sizes))),)
        if order == "synchronous"
        else tuple((int(k),) for k in layout.net.order)
    )
    k = sizes[springy] if springy is not None else 1
    case = Case(
        sizes, J, np.array(boxes, float), groups, problem.fields.copy(),
        force=rng.normal(size=(batch, n)) if force else np.zeros((0, n)),
        spring=strength, ease=1 / (1 + np.maximum(strength, 0)),
        targets=rng.normal(size=(batch, k)) if springy is not None else np.zeros((0, 1)),
        springy=springy, frozen=frozenset(frozen),
        start=x if start else np.zeros((0, n)), momentum=momentum * rng.normal(size=(batch, n)),
    )  # fmt: skip
    flags = np.zeros(len(sizes), np.int64)
    marked = flags.copy()
    marked[list(frozen)] = 1
    spring_flags = flags.copy()
    if springy is not None:
        spring_flags[springy] = 1
    net = layout.net._replace(
        w=layout.forces(problem, np.float64), frozen=marked, springy=spring_flags
    )
    return case, net


def run(case, net, how, *, dtype=np.float64, rows=slice(None), pieces=None):
    """Settle with the kernel; the momenta that it leaves come along."""

    def cast(a):
        return np.array(a[rows] if len(a) else a, dtype, order="C")

    net = net._replace(w=net.w.astype(dtype), boxes=net.boxes.astype(dtype))
    batch = Batch(
        fixed(cast(case.fields)), cast(case.force), cast(case.spring), cast(case.ease), cast(case.targets),
        fixed(cast(case.start)), cast(case.momentum),
    )  # fmt: skip
    b, n = batch.fields.shape
    found = Found(
        np.full((b, n), np.nan, dtype), np.full(b, -1), np.full(b, np.nan), np.zeros(b, bool)
    )
    tiles = -(-b // LANES)
    for first, last in pieces or [(0, tiles)]:
        relax_tiles(first, last, net, how, batch, found, ())
    return found, batch.momentum
