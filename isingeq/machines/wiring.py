"""Couplings between phases as the arrays that the kernels take, and moving a batch on them.

Couplings between whole runs of units are blocks, all others rows of neighbours. Blocks too large for the
cache of a core are multiplied by BLAS instead, for many samples at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from isingeq.couplings import Cosine, Dense, Injection
from isingeq.kernels.lanes import LANES
from isingeq.kernels.panels import Batch
from isingeq.kernels.phases import WIDE, Circuit, Flow, Found, relax_tiles, relax_wide
from isingeq.kernels.pool import Pool
from isingeq.kernels.slopes import Rows
from isingeq.machines.graph import Graph
from isingeq.problem import Problem

Floats = NDArray[np.floating]
Span = tuple[int, int]

DENSE = 0.3
"""Share of all pairs above which a block is faster than rows."""

CACHED = 2**20
"""Bytes of blocks that stay in the cache of a core while samples pass by."""


class Block(NamedTuple):
    """Couplings J (targets, sources) of a run of units to another, in one direction."""

    targets: Span
    sources: Span
    J: Floats


@dataclass(frozen=True, eq=False)
class Wiring:
    """Couplings of n phases, ready for the kernels.

    Attributes:
        circuit: what tiles of LANES samples need, and the injection.
        blocks: multiplied by BLAS where there are any; `circuit` then holds no couplings.
        parts: the same couplings, each once, dense or sparse.
    """

    circuit: Circuit
    blocks: tuple[Block, ...]
    parts: tuple[Floats | sparse.csr_array, ...]

    @cached_property
    def norm(self) -> float:
        """Bound on the largest curvature that the couplings add."""
        return sum(
            float(np.abs(part).sum(axis=1).max(initial=0.0))
            if sparse.issparse(part)
            else _norm(part)
            for part in self.parts
        )

    @cached_property
    def rows(self) -> Rows:
        """All couplings as rows of neighbours, whatever the kernels for panels are given."""
        c = self.circuit
        n = c.K.size
        whole = sparse.csr_array((n, n), dtype=c.values.dtype)
        if c.starts.size > 1:
            whole = whole + sparse.csr_array((c.values, c.columns, c.starts), (n, n))
        held = [
            Block((first, first + rows), (source, source + count), c.w[at : at + rows * count].reshape(rows, count))
            for first, rows, source, count, at in c.blocks.tolist()
        ]  # fmt: skip
        for targets, sources, J in (*self.blocks, *held):
            i, j = np.indices(J.shape).reshape(2, -1)
            at = (i + targets[0], j + sources[0])
            whole = whole + sparse.csr_array((J.ravel(), at), (n, n))
        return Rows(
            whole.indptr.astype(np.int64), whole.indices.astype(np.int32), whole.data, c.K, c.free
        )

    @property
    def kernel(self) -> Literal["matrix products", "blocks", "rows"]:
        """How couplings are summed."""
        if self.blocks:
            return "matrix products"
        return "blocks" if len(self.circuit.blocks) else "rows"

    @classmethod
    def of_graph(cls, graph: Graph, dtype: type) -> "Wiring":
        """Return the couplings of a graph."""
        rows = sparse.csr_array((graph.values, graph.neighbours, graph.starts), (graph.n, graph.n))
        return cls._of(graph.n, [], rows, np.zeros(graph.n), dtype)

    @classmethod
    def of(cls, problem: Problem, dtype: type) -> "Wiring":
        """Return the couplings and the injection of a problem of phases."""
        n, K = problem.n, np.zeros(problem.n)
        for one in problem.couplings:
            if isinstance(one, Injection):
                K += one.K
        inner = [k.of for k in problem.couplings if isinstance(k, Cosine)]
        lists = [k.edges() for k in inner if not isinstance(k, Dense)]
        rows = None
        if lists:
            i, j, J = (np.concatenate([one[k] for one in lists]) for k in range(3))
            half = sparse.csr_array((J, (i, j)), (n, n))
            rows = (half + half.T).tocsr()
        return cls._of(n, [k for k in inner if isinstance(k, Dense)], rows, K, dtype)

    @classmethod
    def _of(
        cls, n: int, dense: Sequence[Dense], rows: sparse.csr_array | None, K: Floats, dtype: type
    ) -> "Wiring":
        """Choose between rows, blocks and products."""
        blocks = [block for k in dense for block in (Block(k.a, k.b, k.J), Block(k.b, k.a, k.J.T))]
        parts: list[Floats | sparse.csr_array] = [k.J for k in dense]
        if rows is not None and rows.nnz >= DENSE * n * (n - 1) > 0:
            blocks, rows = [*blocks, Block((0, n), (0, n), rows.toarray())], None
            parts.append(blocks[-1].J)
        elif rows is not None:
            parts.append(rows)
        blocks = [block._replace(J=np.ascontiguousarray(block.J, dtype)) for block in blocks]
        wide = rows is None and sum(block.J.nbytes for block in blocks) > CACHED
        held = [] if wide else blocks
        starts = np.cumsum([0, *(block.J.size for block in held)])
        table = [
            (b.targets[0], len(b.J), b.sources[0], b.J.shape[1], start)
            for b, start in zip(held, starts[:-1], strict=True)
        ]
        circuit = Circuit(
            w=np.concatenate([np.zeros(0, dtype), *(block.J.ravel() for block in held)]),
            blocks=np.array(table, np.int64).reshape(-1, 5),
            starts=np.zeros(1, np.int64) if rows is None else rows.indptr.astype(np.int64),
            columns=np.zeros(0, np.int32) if rows is None else rows.indices.astype(np.int32),
            values=np.zeros(0, dtype) if rows is None else rows.data.astype(dtype),
            K=K.astype(dtype),
            free=np.ones(n, np.int64),
        )
        return cls(circuit, tuple(blocks) if wide else (), tuple(parts))

    def holding(self, held: NDArray[np.bool_]) -> "Wiring":
        """Return the wiring with some units (n,) that do not move."""
        return replace(self, circuit=self.circuit._replace(free=(~held).astype(np.int64)))

    def move(self, flow: Flow, batch: Batch, pool: Pool) -> Found:
        """Move a batch along a flow; its phases and velocities are overwritten."""
        rows = len(batch.phases)
        found = Found(np.full(rows, -1, np.int64), np.zeros(rows))
        if self.blocks:
            pool.split(
                -(-rows // WIDE),
                lambda a, b: relax_wide(a, b, self.blocks, self.circuit, flow, batch, found),
            )
        else:
            pool.split(
                -(-rows // LANES),
                lambda a, b: relax_tiles(a, b, self.circuit, flow, batch, found),
            )
        return found


def _norm(J: Floats) -> float:
    """Return a bound on the largest singular value: the eighth root of the sum of the singular values' eighth powers.

    It is less than a third too large for ten equal ones, and costs two products with the smaller side.
    """
    A = np.asarray(J if J.shape[0] < J.shape[1] else J.T, np.float64)
    scale = float(np.abs(A).max(initial=0.0))
    if scale == 0:
        return 0.0
    A = A / scale
    square = A @ A.T
    return scale * float(np.linalg.norm(square @ square) ** 0.25)
