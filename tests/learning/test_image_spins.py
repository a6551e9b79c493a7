"""Convolutions of spins: shared couplings on backends that know edges alone."""

import numpy as np
import pytest

from isingeq.experiments.reading import read_experiment
from isingeq.experiments.run import train
from isingeq.kernels.pool import Pool
from isingeq.learning.audit import audit
from isingeq.learning.cost import SquaredError
from isingeq.learning.estimator import Estimator
from isingeq.learning.images import stack_windows
from isingeq.learning.network import Network
from isingeq.learning.parameters import Parameters
from isingeq.registry import open_backend
from isingeq.units import Layer, Spin


def spins():
    """14 of them: 2 channels at 2 × 2, 3 at 1 × 1, and 3 outputs."""
    windows = stack_windows((6, 6, 1), (2, 3), kernel=(3, 1), pool=(2, 2), pooling=("average",))
    layers = [Layer(f"conv{k}", int(np.prod(w.target)), Spin()) for k, w in enumerate(windows, 1)]
    return Network(
        36, (*layers, Layer("output", 3, Spin())), SquaredError(3, 1, -1.0), windows=windows
    )


def test_gradient_of_shared_couplings_is_that_of_the_expected_cost():
    network = spins()
    rng = np.random.default_rng(0)
    parameters = Parameters(0.7 * rng.normal(size=network.initial(0).vector.size), network.shapes)
    found = audit(
        network, open_backend("exact?beta=0.8"), parameters, rng.random((3, 36)), np.array([0, 1, 2]),
        estimator=Estimator(nudging=0.003, precision="float64"), reference=open_backend("exact?beta=0.8"),
        seed=0, entries=12, pool=Pool(),
    )  # fmt: skip
    assert {block.name for block in found.blocks} >= {"input-conv1.weight", "conv1-conv2.weight"}
    assert all(block.cosine > 0.9999 for block in found.blocks)


@pytest.mark.parametrize(
    "backend", ["neal?sweeps=20", pytest.param("model://ref-arm192", marks=pytest.mark.slow)]
)
def test_a_small_convolution_learns_where_only_edges_are_known(backend, tmp_path):
    experiment = read_experiment("digits-conv-binary")
    data = experiment.data.model_copy(
        update={"train_size": 200, "validation_size": 0, "test_size": 20}
    )
    learning = experiment.learning.model_copy(update={"epochs": 3})
    machine = type(experiment.machine)(backend=backend)
    short = experiment.model_copy(update={"data": data, "learning": learning, "machine": machine})
    result = train(short, out=tmp_path / "run", plots=False)
    assert result["train_accuracy"] > 0.2  # five standard errors above a guess
