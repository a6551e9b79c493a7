"""Whatever was trained can be drawn, without the machine that it was trained on."""

import pytest

from isingeq.experiments.build import build
from isingeq.experiments.config import Machine, Mapped
from isingeq.experiments.reading import read_experiment

IMAGES = ("network.channels=[3,4]", "network.kernel=3", "network.hidden=[]")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("digits", (*IMAGES, "network.pooling=max")),
        ("digits", (*IMAGES, "network.pool=[2,1]", "network.pooling=soft")),
        ("digits-conv-binary", ()),
        ("digits", ("network.unit=quartic", "machine.backend=coherent?readout=amplitude")),
        ("digits-feedforward", ()),
        ("digits-feedforward", ("learning.estimator=vector_field",)),
        ("digits-recurrent", ("learning.estimator=dyadic",)),
        ("digits-kings", ()),
        ("digits-xy", ()),
        ("xor-lattice", ()),
    ],
)
def test_any_network_is_held_by_the_null_backend(name, settings):
    experiment = read_experiment(name, settings=settings)
    nothing = {"machine": Machine(backend="null"), "mapping": Mapped()}
    build(experiment, on=experiment.model_copy(update=nothing)).close()
