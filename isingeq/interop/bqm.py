"""Spin problems to and from dimod's binary quadratic models: same sign, same energy."""

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
        raise CapabilityError(f"a bqm cannot take {', '.join(sorted(extra))} units; it takes spin")
    if not 0 <= sample < problem.batch:
        raise ProblemError(f"no sample {sample}: the problem has samples 0 to {problem.batch - 1}")
    edges = lower(problem)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        edges.h[sample].astype(np.float64),
        (edges.i, edges.j, edges.J.astype(np.float64)),
        problem.offset,
        dimod.SPIN,
    )


def from_bqm(bqm: dimod.BinaryQuadraticModel) -> tuple[Problem, list[Hashable]]:
    """Return a model as a problem of one sample, and which variable each unit stands for.

    A model of 0 and 1 becomes one of −1 and +1 by dimod's own conversion, x = (s + 1) / 2.

    Raises:
        ProblemError: the model has no variables, or a bias that is not finite.
    """
    variables = list(bqm.variables)
    layers = (Layer("spins", len(variables), Spin()),)
    # Only models of float64 can be converted without a loop, or a rounding.
    wide = bqm if bqm.dtype == np.float64 else dimod.BinaryQuadraticModel(bqm, dtype=np.float64)
    spins = wide.change_vartype(dimod.SPIN, inplace=False)
    linear, (row, column, J), offset = spins.to_numpy_vectors(sort_labels=False)
    h = linear[None, :]
    if not (np.isfinite(h).all() and np.isfinite(J).all() and np.isfinite(offset)):
        raise ProblemError(
            "the model has a bias that is NaN or infinite: check where it comes from"
        )
    i, j = np.minimum(row, column), np.maximum(row, column)
    return Problem(layers, (Edges(len(variables), i, j, J),), h, float(offset)), variables
