"""Small problems that fit what a backend says it can hold; nothing in them is symmetric.

Three layers, each coupled to the two others (odd cycles with mixed signs), rows that differ,
boxes and a linear output for amplitudes, fields of any direction for phases. Values keep to
the ranges and steps of the capabilities.
"""

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Capabilities
from isingeq.couplings import Convolution, Cosine, Coupling, Dense, Edges, Injection, Window
from isingeq.problem import Problem
from isingeq.terms import Clamp, CosineNudge, LinearNudge, LogCosNudge, QuadraticNudge, Term
from isingeq.testing.outcome import NotApplicable
from isingeq.units import Amplitude, Layer, Logistic, Phase, Quartic, Spin, Unit

Floats = NDArray[np.floating]

SIZES = ((4, 3, 2), (3, 2, 2), (2, 1, 1), (1, 1, 1))
CONTRACTION = 0.8
"""Couplings over stiffness stay below this: there is one equilibrium, which all must find."""


def kinds(capabilities: Capabilities) -> list[str]:
    """Return the kinds of unit that the backend holds and this module can make problems of."""
    known: list[str] = [
        k for k in ("spin", "amplitude", "logistic", "phase", "quartic") if k in capabilities.units
    ]
    if not known:
        raise NotApplicable(f"no problems for units {sorted(capabilities.units)}")
    if not capabilities.couplings & {"dense", "edges", "cosine dense"}:
        raise NotApplicable(f"no problems for couplings {sorted(capabilities.couplings)}")
    return known


def continuous(capabilities: Capabilities) -> str:
    """Return the kind of unit on which fixed points are checked."""
    return _first(
        capabilities, ("amplitude", "logistic", "phase", "quartic"), "no continuous units"
    )


def binary(capabilities: Capabilities) -> str:
    """Return "spin", the kind of unit that can be enumerated."""
    return _first(capabilities, ("spin",), "no spins, and only spins can be enumerated")


def make(
    capabilities: Capabilities, kind: str, *, seed: int = 1, rows: int = 3, strength: float = 1.0
) -> Problem:
    """Return a frustrated problem of three layers of units of one kind.

    Equal structure for every seed, so that a compiled backend prepares once. With `strength` > 1
    continuous units have stronger couplings and the equilibrium need not be unique.
    """
    sizes = _sizes(capabilities)
    reach = _reach(capabilities.coupling_step)
    layers = _layers(capabilities, kind, sizes, reach)
    stiffest = 4 * reach * CONTRACTION
    rng = np.random.default_rng([seed, len(kind)])
    if kind == "phase":
        return _phases(capabilities, layers, rng, rows, strength)
    couplings = _cycle(capabilities, sizes, rng, strength * reach)
    while (
        kind != "spin"
        and strength == 1
        and np.linalg.norm(matrix(couplings, sum(sizes)), 2) > stiffest
    ):
        couplings = _cycle(capabilities, sizes, rng, reach)
    if kind == "amplitude" and "convolution" in capabilities.couplings and sizes == SIZES[0]:
        couplings += (_pooled(reach, np.random.default_rng(seed)),)
    low, high = (-1.5, 1.5) if kind == "spin" else (-6.0, 3.0)
    scale = _reach(capabilities.field_step)
    fields = draw_fields(capabilities, rng, (rows, sum(sizes)), (low * scale, high * scale))
    return Problem(layers, couplings, fields)


def draw_fields(
    c: Capabilities, rng: np.random.Generator, shape: tuple[int, ...], span: tuple[float, float]
) -> Floats:
    """Return fields in `span`, on the steps and in half of the range: nudges need the rest."""
    allowed = None if c.field_range is None else (c.field_range[0] / 2, c.field_range[1] / 2)
    return _draw(rng, shape, span, allowed=allowed, step=c.field_step)


def states(problem: Problem, rng: np.random.Generator, reads: int = 1) -> Floats:
    """Return random legal states (b, r, n): ±1 for spins, inside the boxes otherwise."""
    low, high = (np.clip(bound, -1.0, 1.0) for bound in problem.bounds)
    drawn = rng.uniform(
        low + 0.1 * (high - low), high - 0.1 * (high - low), (problem.batch, reads, problem.n)
    )
    return np.where(spins(problem), np.where(drawn > 0, 1.0, -1.0), drawn)


def apart(problem: Problem, a: Floats, b: Floats) -> Floats:
    """Return a − b for states (..., n); of phases the shortest way round the circle."""
    return np.angle(np.exp(1j * (a - b))) if problem.angular else a - b


def spins(problem: Problem) -> NDArray[np.bool_]:
    """Return which units are spins, (n,)."""
    return np.repeat(
        [layer.unit.kind == "spin" for layer in problem.layers], [k.size for k in problem.layers]
    )


def nudges(c: Capabilities, problem: Problem, *, seed: int = 5) -> dict[type, Term]:
    """Return a term of each kind taken that fits the units: springs on the last layer, the clamp on the first.

    Strengths differ in sign between rows, as in one call with both nudged phases; those of the log-cosine, whose wells
    have no bottom when turned over, in size.
    """
    rng = np.random.default_rng(seed)
    unit = _reach(c.field_step)
    force = draw_fields(c, rng, problem.fields.shape, (-unit, unit))
    span = problem.spans[-1]
    signs = np.where(np.arange(problem.batch) % 2, -1.0, 1.0)
    mask = np.zeros(problem.n, bool)
    mask[slice(*problem.spans[0])] = True
    held = states(problem, rng)[:, 0]
    targets = np.where(spins(problem)[slice(*span)], 1.0, 2.0) * np.where(
        rng.random((problem.batch, span[1] - span[0])) < 0.5, -1.0, 1.0
    )
    springs: tuple[Term, ...] = (QuadraticNudge(span, targets, unit * signs),)
    if problem.angular:
        h = problem.fields[:, slice(*span)]
        near = np.arctan2(-h[..., 1], -h[..., 0]) + 0.2 * targets
        springs = (
            CosineNudge(span, 0.5 * targets, unit * signs),
            LogCosNudge(span, near, unit * (1 + 0.5 * signs)),
        )
    every: tuple[Term, ...] = (LinearNudge(force), *springs, Clamp(mask, held))
    return {type(term): term for term in every if type(term) in c.terms}


def two_valleys(c: Capabilities) -> tuple[Problem, Floats]:
    """Return a problem with two stable equilibria, and these as rows (2, 1, n).

    Two amplitudes that agree at (0, 0) or at (1, 1), or three phases that repel each other, one held at 0 by a field:
    the others are a third of the circle away on either side.
    """
    if continuous(c) == "phase":
        return _two_chiralities(c)
    if "amplitude" not in c.units:
        raise NotApplicable("no amplitudes")
    strong = 5 * _reach(c.coupling_step)
    strong = strong if c.coupling_range is None else min(strong, -c.coupling_range[0])
    weak = max(strong / 6, c.field_step or 0.0)
    if strong <= 2 * weak:
        raise NotApplicable("coupling range too small for two valleys")
    box = Amplitude(0.0, 1.0, strong / 3)
    problem = Problem(
        (Layer("left", 1, box), Layer("right", 1, box)),
        (Dense((0, 1), (1, 2), np.full((1, 1), -strong)),),
        np.full((2, 2), _snap(weak, c.field_step)),
    )
    return problem, np.array([[[0.0, 0.0]], [[1.0, 1.0]]])


def two_wells(c: Capabilities) -> tuple[Problem, Floats, float]:
    """Return a ferromagnet in a weak field, its local minimum (b, r, n) and a freezing beta."""
    strong = _reach(c.coupling_step)
    strong = strong if c.coupling_range is None else min(strong, -c.coupling_range[0])
    weak = max(0.2 * strong, c.field_step or 0.0)
    if strong <= 1.5 * weak:
        raise NotApplicable("coupling range too small for two wells")
    left, right = _sizes(c)[:2]
    problem = Problem(
        (Layer("left", left, Spin()), Layer("right", right, Spin())),
        (Dense((0, left), (left, left + right), np.full((left, right), -strong)),),
        np.full((4, left + right), _snap(weak, c.field_step)),
    )
    return problem, np.ones((4, 8, left + right)), 40 / strong


def matrix(couplings: tuple[Coupling, ...], n: int) -> Floats:
    """Return all couplings as one symmetric matrix (n, n)."""
    out = np.zeros((n, n))
    for coupling in couplings:
        i, j, J = coupling.edges()
        out[i, j] += J
        out[j, i] += J
    return out


def _phases(
    c: Capabilities, layers: tuple[Layer, ...], rng: np.random.Generator, rows: int, strength: float
) -> Problem:
    """Return phases, each in a field of its own direction, four times stronger than what couples it to the others.

    With `strength` 1 every unit follows its field, turned by less than the others turn: one stable equilibrium.
    """
    reach = _reach(c.coupling_step)
    sizes = _sizes(c)
    n = sum(sizes)
    couplings = tuple(map(Cosine, _cycle(c, sizes, rng, 0.5 * reach * strength)))
    while strength == 1 and np.abs(matrix(couplings, n)).sum(axis=0).max() > 3 * reach:
        couplings = tuple(map(Cosine, _cycle(c, sizes, rng, 0.5 * reach)))
    if c.field_range is not None and min(-c.field_range[0], c.field_range[1]) < 32 * reach:
        raise NotApplicable("field range too small for phases with one equilibrium")
    size, angle = rng.uniform(10, 16, (rows, n)) * reach, rng.uniform(-np.pi, np.pi, (rows, n))
    fields = size[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    every: tuple[Coupling, ...] = couplings
    if "injection" in c.couplings:
        every = (*couplings, Injection(rng.uniform(-reach, 0.5 * reach, n)))
    return Problem(layers, every, _snapped(fields, c.field_step))


def _two_chiralities(c: Capabilities) -> tuple[Problem, Floats]:
    layers = tuple(Layer(name, 1, Phase()) for name in "abc")
    strong = np.full((1, 1), _reach(c.coupling_step))
    pairs = (((0, 1), (1, 2)), ((1, 2), (2, 3)), ((0, 1), (2, 3)))
    fields = np.zeros((2, 3, 2))
    fields[:, 0, 0] = -0.5 * strong[0, 0]
    third = 2 * np.pi / 3
    valleys = np.array([[[0.0, third, -third]], [[0.0, -third, third]]])
    return Problem(
        layers, tuple(Cosine(Dense(a, b, strong.copy())) for a, b in pairs), fields
    ), valleys


def _first(c: Capabilities, wanted: tuple[str, ...], otherwise: str) -> str:
    for kind in wanted:
        if kind in kinds(c):
            return kind
    raise NotApplicable(otherwise)


def _sizes(c: Capabilities) -> tuple[int, int, int]:
    for sizes in SIZES:
        if c.max_units is None or sum(sizes) <= c.max_units:
            return sizes
    raise NotApplicable(f"{c.max_units} units are too few for an odd cycle")


def _reach(step: float | None) -> float:
    return max(0.5, 3 * (step or 0.0))


def _layers(
    c: Capabilities, kind: str, sizes: tuple[int, int, int], reach: float
) -> tuple[Layer, ...]:
    """Return layers whose smallest curvature is 4 · reach."""
    linear = Amplitude(-np.inf, np.inf, 5.2 * reach)
    choices: dict[str, tuple[Unit, Unit, Unit]] = {
        "spin": (Spin(), Spin(), Spin()),
        "phase": (Phase(), Phase(), Phase()),
        "quartic": (Quartic(1 - 4 * reach), Quartic(1 - 4.4 * reach), Quartic(1 - 5.2 * reach)),
        "amplitude": (Amplitude(0.0, 1.0, 4 * reach), Amplitude(-0.5, 1.5, 4.4 * reach), linear),
        "logistic": (
            Logistic(1 / reach),
            Logistic(1 / (1.1 * reach)),
            linear if "amplitude" in c.units else Logistic(1 / (1.3 * reach)),
        ),
    }
    return tuple(
        Layer(name, size, unit)
        for name, size, unit in zip("abc", sizes, choices[kind], strict=True)
    )


def _cycle(
    c: Capabilities, sizes: tuple[int, int, int], rng: np.random.Generator, reach: float
) -> tuple[Coupling, ...]:
    """Return couplings a–b and b–c (dense) and a–c (as edges where the backend takes edges)."""
    first, second, n = sizes[0], sizes[0] + sizes[1], sum(sizes)
    a, b, last = (0, first), (first, second), (second, n)

    def block(p: tuple[int, int], q: tuple[int, int]) -> Dense:
        shape = (p[1] - p[0], q[1] - q[0])
        return Dense(
            p, q, _draw(rng, shape, (-reach, reach), allowed=c.coupling_range, step=c.coupling_step)
        )

    closing: Coupling = block(a, last)
    if "edges" in c.couplings:
        closing = Edges(n, *closing.edges())
    return block(a, b), block(b, last), closing


def _pooled(reach: float, rng: np.random.Generator) -> Coupling:
    """Return a weak convolution of the first layer into the second, with a soft pool: smooth, but no sum over pairs.

    It raises the largest coupling over stiffness by less than a tenth, so the equilibrium stays the only one.
    """
    a, b = SIZES[0][:2]
    window = Window((2, 2, 1), b, 1, pool=2, pooling="soft", sharpness=1.0)
    J = rng.uniform(-0.1 * reach, 0.1 * reach, window.shape)
    return Convolution((0, a), (a, a + b), window, J)


def _draw(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    span: tuple[float, float],
    *,
    allowed: tuple[float, float] | None,
    step: float | None,
) -> Floats:
    low, high = span
    if allowed is not None:
        low, high = max(low, allowed[0]), min(high, allowed[1])
    return _snapped(rng.uniform(low, high, shape), step)


def _snapped(values: Floats, step: float | None) -> Floats:
    return values if step is None else np.rint(values / step) * step


def _snap(value: float, step: float | None) -> float:
    return value if step is None else round(value / step) * step
