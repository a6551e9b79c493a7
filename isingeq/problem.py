"""Problem: the energy that a backend settles.

    E(s) = Σ_i h_i s_i + Σ_(i<j) J_ij s_i s_j + Σ_i u(s_i)          dimod's sign

Couplings are shared by the whole batch; fields differ per sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from isingeq.couplings import Convolution, Cosine, Coupling, Dense, Directed, Edges, Injection
from isingeq.couplings.kind import is_finite
from isingeq.errors import ProblemError
from isingeq.units import Layer, spans_of

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Problem:
    """Layers of units, couplings between them, and one field vector per sample.

    Args:
        layers: in the order of the units.
        couplings: each over all n units.
        fields: h (b, n), floating; (b, n, 2) for phases, h (cos ψ, sin ψ) each; made read-only.
        offset: constant added to every energy.

    Raises:
        ProblemError: shapes that disagree, a coupling to units that are not there, or a field that is not finite.
    """

    layers: tuple[Layer, ...]
    couplings: tuple[Coupling, ...]
    fields: Floats
    offset: float = 0.0

    def __post_init__(self) -> None:
        phases = [layer.unit.kind == "phase" for layer in self.layers]
        if any(phases) and not all(phases):
            raise ProblemError("phases and other units do not share a problem: split it")
        wanted, shown = ((self.n, 2), ", 2") if any(phases) else ((self.n,), "")
        if self.fields.ndim < 2 or self.fields.shape[1:] != wanted:
            raise ProblemError(
                f"fields have shape {self.fields.shape}, need (b, n = {self.n}{shown})"
            )
        odd = {
            k.kind
            for k in self.couplings
            if k.pairwise and k.kind.startswith("cosine ") != any(phases)
        }
        if odd:
            raise ProblemError(
                f"{', '.join(sorted(odd))} couplings do not fit these units: phases, and they alone, take Cosine(...)"
            )
        for coupling in self.couplings:
            _check_ends(coupling, self.n)
        if not is_finite(self.fields):
            raise ProblemError("a field is NaN or infinite: check inputs, biases and learning rate")
        self.fields.flags.writeable = False

    @cached_property
    def n(self) -> int:
        """Number of units."""
        return sum(layer.size for layer in self.layers)

    @property
    def batch(self) -> int:
        """Number of samples b."""
        return int(self.fields.shape[0])

    @property
    def angular(self) -> bool:
        """True for phases: fields have two components then, E = Σ h_x cos φ + h_y sin φ."""
        return self.fields.ndim == 3

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First unit and one past the last, per layer."""
        return spans_of(self.layers)

    @property
    def version(self) -> tuple[int, ...]:
        """Versions of the couplings: equal means that nothing has to be uploaded again."""
        return tuple(coupling.version for coupling in self.couplings)

    @cached_property
    def structure(self) -> tuple[object, ...]:
        """Hashable shape of the problem without its values: what a simulator prepares for."""
        return (self.layers, tuple(coupling.structure for coupling in self.couplings))

    def field(self, states: Floats) -> Floats:
        """Return ∂E/∂s without self-energies, states (b, r, n), same shape: h + Σ_j J_ij s_j."""
        h = self.fields[:, None]
        if self.angular:
            total = (h[..., 1] * np.cos(states) - h[..., 0] * np.sin(states)).astype(
                states.dtype, copy=False
            )
        else:
            total = np.broadcast_to(h, states.shape).astype(states.dtype, copy=True)
        for coupling in self.couplings:
            total += coupling.field(states)
        return total

    def gradient(self, states: Floats) -> Floats:
        """Return ∂E/∂s for states (b, r, n), same shape."""
        total = self.field(states)
        for layer, (start, stop) in zip(self.layers, self.spans, strict=True):
            total[..., start:stop] += layer.unit.slope(states[..., start:stop])
        return total

    def energy(self, states: Floats) -> Floats:
        """Return E for states (b, r, n), shape (b, r), in float64.

        Raises:
            ProblemError: a directed coupling, which has no energy.
        """
        s = np.asarray(states, dtype=np.float64)
        h = self.fields.astype(np.float64)
        if self.angular:
            total = self.offset + np.einsum(
                "bnc,brnc->br", h, np.stack([np.cos(s), np.sin(s)], axis=-1)
            )
        else:
            total = self.offset + np.einsum("bn,brn->br", h, s)
        for coupling in self.couplings:
            total += coupling.energy(s)
        for layer, (start, stop) in zip(self.layers, self.spans, strict=True):
            total += layer.unit.energy(s[..., start:stop]).sum(axis=-1)
        return total

    def residual(self, states: Floats, slope: Floats | None = None) -> Floats:
        """Return max over units of |x − clip(x − ∂F/∂x)|, states (b, r, n), shape (b, r).

        Args:
            states: (b, r, n).
            slope: ∂F/∂x (b, r, n) where terms were added; the problem's own gradient otherwise.
        """
        moved = states - (self.gradient(states) if slope is None else slope)
        low, high = self.bounds
        return np.abs(states - np.clip(moved, low, high)).max(axis=-1)

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lowest and highest value of every unit, each (n,)."""
        low = np.concatenate([np.full(layer.size, layer.unit.low) for layer in self.layers])
        high = np.concatenate([np.full(layer.size, layer.unit.high) for layer in self.layers])
        return low, high

    def check_states(
        self, what: str, states: Floats, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Refuse states (..., n) that are not finite, or beyond their walls by more than a rounding of float32.

        Args:
            what: they are, for the message.
            states: to look at.
            mask: units (n,) to look at, None for all.

        Raises:
            ProblemError: a state is NaN, infinite or outside.
        """
        slack = 1e-6
        for (low, high), (first, last) in self._walls:
            part = states.reshape(-1, self.n)[:, first:last]
            if mask is not None:
                part = part[:, mask[first:last]]
            if not part.size:
                continue
            lowest, highest = part.min(), part.max()
            if not (
                low - slack * (1 + abs(low)) <= lowest
                and highest <= high + slack * (1 + abs(high))
                and np.isfinite(lowest)
                and np.isfinite(highest)
            ):
                raise ProblemError(
                    f"{what} of units {first} to {last - 1} are NaN, infinite or outside [{low:g}, {high:g}]: "
                    "bring them inside first"
                )

    @cached_property
    def _walls(self) -> list[tuple[tuple[float, float], tuple[int, int]]]:
        """Return walls and the run of units that share them, layer after layer."""
        runs = groupby(
            zip(self.layers, self.spans, strict=True),
            lambda pair: (pair[0].unit.low, pair[0].unit.high),
        )
        ends = ((walls, [span for _, span in run]) for walls, run in runs)
        return [(walls, (spans[0][0], spans[-1][1])) for walls, spans in ends]

    def repeated(self, times: int) -> "Problem":
        """Return the problem with its batch repeated: samples 0..b−1, then again, `times` in all."""
        return self.with_fields(np.concatenate([self.fields] * times))

    def with_fields(self, fields: Floats) -> "Problem":
        """Return the same units and couplings under other fields, of the same shape but for b."""
        return Problem(self.layers, self.couplings, fields, self.offset)


def _check_ends(coupling: Coupling, n: int) -> None:
    """Refuse a coupling of a kind known here that does not fit n units."""
    inner = coupling.of if isinstance(coupling, Cosine) else coupling
    made_for = inner.n if isinstance(inner, Edges) else n
    if isinstance(inner, Injection):
        made_for = inner.K.size
    if made_for != n:
        raise ProblemError(
            f"{coupling.kind} couplings are made for {made_for} units, the layers of the problem have {n}"
        )
    ends: tuple[tuple[int, int], ...] = ()
    if isinstance(inner, Dense | Convolution):
        ends = inner.a, inner.b
    elif isinstance(inner, Directed):
        ends = inner.source, inner.target
    for first, last in ends:
        if not 0 <= first <= last <= n:
            raise ProblemError(
                f"{coupling.kind} couplings end at units {first} to {last - 1}, the problem has units 0 to {n - 1}"
            )


@dataclass(frozen=True, eq=False)
class Lowered:
    """A problem as edges and fields, for backends that know nothing else.

    `i`, `j` and `J` are (m,) with i < j, `h` is (b, n). `gather` is the way back for gradients.
    """

    i: NDArray[np.integer]
    j: NDArray[np.integer]
    J: Floats
    h: Floats
    couplings: tuple[Coupling, ...]

    def gather(self, edge_moments: Floats) -> list[Floats]:
        """Return moments per edge (m,) as moments per parameter, one array per coupling.

        A parameter that stands on several edges (shared weights) gets their sum.
        """
        out, start = [], 0
        for coupling in self.couplings:
            stop = start + coupling.edges()[2].size
            out.append(coupling.gather(edge_moments[start:stop]))
            start = stop
        return out


def lower(problem: Problem) -> Lowered:
    """Write all couplings of a problem as one list of edges."""
    lists = [coupling.edges() for coupling in problem.couplings]
    if len(lists) == 1:  # a million spins are not copied
        i, j, J = lists[0]
    else:
        i, j = (np.concatenate([np.zeros(0, np.intp), *(e[k] for e in lists)]) for k in (0, 1))
        J = np.concatenate([e[2] for e in lists] or [np.zeros(0)])
    return Lowered(i, j, J, problem.fields, problem.couplings)


def layer_index(layers: Sequence[Layer], name: str) -> int:
    """Return the position of the layer called `name`.

    Raises:
        ProblemError: no layer has that name.
    """
    names = [layer.name for layer in layers]
    if name not in names:
        raise ProblemError(f"no layer is called {name!r}; there are {', '.join(names)}")
    return names.index(name)
