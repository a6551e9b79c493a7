import numpy as np
import pytest

from isingeq.backend import Equilibrium, Provenance, SettleRequest
from isingeq.learning.gradient import Step
from isingeq.learning.parameters import Parameters
from isingeq.learning.progress import Tally
from isingeq.problem import Problem
from isingeq.units import Amplitude, Layer

PROBLEM = Problem((Layer("x", 2, Amplitude()),), (), np.zeros((4, 2)))


def equilibrium(residual, steps):
    return Equilibrium(
        SettleRequest(PROBLEM), np.zeros((4, 1, 2)), Provenance("", "simulated", 0),
        residual=np.array(residual)[:, None], steps=np.array(steps)[:, None],
    )  # fmt: skip


@pytest.mark.parametrize(("tolerance", "unsettled"), [(1e-4, 3), (1e-2, 1), (0.0, 2)])
def test_unsettled_is_above_the_tolerance_and_above_a_thousandth_where_it_is_zero(
    tolerance, unsettled
):
    free = equilibrium([5e-5, 5e-4, 5e-3, 5e-2], [1, 2, 3, 6])
    tally = Tally()
    tally.add(Step(Parameters.zeros(()), 4, 0.5, 3, free), tolerance)
    assert tally.num_unsettled == unsettled
    assert tally.residual == 5e-2
    assert tally.free_steps / tally.samples == 3.0
