"""Problems of spins to and from dimod's binary quadratic models; both have the same sign and the same energy."""

from collections.abc import Hashable

import dimod
import numpy as np

from isingeq.couplings import Edges
from isingeq.errors import CapabilityError, ProblemError
from isingeq.problem import Problem, lower
from isingeq.units import Layer, Spin


def to_bqm(problem: Problem, sample: int = 0) -> dimod.BinaryQuadraticModel:
    """Return one sample of a problem as a model of spins; its variables are the units 0 … n − 1.

    Raises:
        CapabilityError: units other than spins.
        ProblemError: there is no such sample.
    """
    if extra := {layer.unit.kind for layer in problem.layers} - {"spin"}:
        raise CapabilityError(
            f"a binary quadratic model cannot hold {', '.join(sorted(extra))} units, only spins"
        )
    if not 0 <= sample < problem.batch:
        raise ProblemError(
            f"there is no sample {sample}: this problem has samples 0 to {problem.batch - 1}"
        )
    edges = lower(problem)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        edges.h[sample].astype(np.float64),
        (edges.i, edges.j, edges.J.astype(np.float64)),
        problem.offset,
        dimod.SPIN,
    )


def from_bqm(bqm: dimod.BinaryQuadraticModel) -> tuple[Problem, list[Hashable]]:
    """Return a model as a problem of one sample, and which variable each unit stands for.

    A model of 0 and 1 becomes one of −1 and +1 by dimod's own conversion (x = (s + 1) / 2).

    Raises:
        ProblemError: the model has no variables, or a bias that is not finite.
    """
    variables = list(bqm.variables)
    vectors = bqm.change_vartype(dimod.SPIN, inplace=False).to_numpy_vectors(variables)
    linear, (row, column, quadratic), offset = vectors
    J = np.asarray(quadratic, np.float64)
    if not np.isfinite(J).all():
        raise ProblemError("a quadratic bias is NaN or infinite: check where the model comes from")
    i, j = np.minimum(row, column).astype(np.intp), np.maximum(row, column).astype(np.intp)
    n = len(variables)
    layers = (Layer("spins", n, Spin()),)
    fields = np.asarray(linear, np.float64)[None, :]
    return Problem(layers, (Edges(n, i, j, J),), fields, float(offset)), variables
