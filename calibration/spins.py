"""Problems of spins under other values: what all mapping layers do with couplings and nudges."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from operator import is_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isingeq.backend import Capabilities
from isingeq.couplings import Coupling, Dense, Edges
from isingeq.couplings.kind import next_version
from isingeq.errors import CapabilityError
from isingeq.problem import Problem
from isingeq.terms import Clamp, LinearNudge, QuadraticNudge, Term

Floats = NDArray[np.floating]


def mappable(name: str, below: Capabilities) -> Capabilities:
    """Return what is left of capabilities under a layer that changes values: spins, pairs, real nudges, no traces.

    Raises:
        CapabilityError: no spins.
    """
    if "spin" not in below.units:
        raise CapabilityError(
            f"{name} holds {', '.join(sorted(below.units)) or 'no'} units, and only spins are mapped to ranges "
            "and steps: use mapping=none, and values that it takes"
        )
    return replace(
        below,
        units=frozenset({"spin"}),
        couplings=below.couplings & {"dense", "edges"},
        terms=below.terms & {LinearNudge, QuadraticNudge, Clamp},
        complex_nudging=False,
        traces=False,
    )


def values_of(coupling: Coupling) -> Floats:
    """Return J of a pairwise coupling: in the shape of its parameters where each has an edge of its own, else (m,)."""
    return coupling.J if isinstance(coupling, Dense | Edges) else coupling.edges()[2]


def with_values(coupling: Coupling, n: int, J: Floats) -> Dense | Edges:
    """Return a coupling of the same pairs, of n units in all, with other values as `values_of` has them."""
    if isinstance(coupling, Dense | Edges):
        return replace(coupling, J=J, version=next_version())
    i, j, _ = coupling.edges()
    return Edges(n, i, j, J)


def same(some: Sequence[Coupling], others: Sequence[Coupling]) -> bool:
    """Return whether these are the very same couplings; as they never change, so are their values then."""
    return len(some) == len(others) and all(map(is_, some, others))


class Pull(NamedTuple):
    """What nudges take off the fields, on the run of units where they act: h − force is the total field.

    Attributes:
        units: run of units.
        force: (b, units of the run).
    """

    units: slice
    force: NDArray[np.float64]


def pull_of(problem: Problem, terms: tuple[Term, ...]) -> Pull | None:
    """Return what linear nudges and springs come to on spins, None without them.

    A spring is a field on a spin, exactly: ½ strength (s − y)² = −strength y s + constant, as s² = 1.
    """
    runs = [
        _touched(term.force) if isinstance(term, LinearNudge) else term.units
        for term in terms
        if isinstance(term, LinearNudge | QuadraticNudge)
    ]
    if not runs:
        return None
    first = min(run[0] for run in runs)
    last = max(run[1] for run in runs)
    force = np.zeros((problem.batch, last - first))
    for term in terms:
        if isinstance(term, LinearNudge):
            force += term.force[:, first:last]
        elif isinstance(term, QuadraticNudge):
            run = slice(term.units[0] - first, term.units[1] - first)
            force[:, run] += term.strength.real[:, None] * term.targets
    return Pull(slice(first, last), force)


def _touched(force: Floats) -> tuple[int, int]:
    """Return the run of units that any sample of a force (b, n) acts on; one unit where it acts on none."""
    units = np.flatnonzero(force.any(axis=0))
    return (int(units[0]), int(units[-1]) + 1) if units.size else (0, 1)


def digest_of(couplings: Sequence[Coupling]) -> int:
    """Return a number made of all their values: what is drawn from it for couplings is drawn again for the same."""
    digest = blake2b(digest_size=8)
    for coupling in couplings:
        digest.update(np.ascontiguousarray(values_of(coupling)).data)
    return int.from_bytes(digest.digest())
