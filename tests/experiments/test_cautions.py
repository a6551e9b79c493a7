"""What is said before training: keys that change nothing."""

import pytest

from isingeq.experiments.cautions import idle_keys
from isingeq.experiments.reading import read_experiment


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("mnist-windows", ["network.channels=[]", "network.hidden=[529]"], ["kernel", "shared"]),
        ("mnist-conv-small", ["network.channels=[]"], ["kernel", "pool"]),
        ("mnist-dense", ["network.padding=1"], ["padding"]),
        ("mnist-dense", [], []),
        ("mnist-conv", [], []),
        ("xor-lattice", ["network.sheets=2", "network.kernel=5"], []),
    ],
)
def test_keys_of_images_without_images_are_named(name, settings, expected):
    line = idle_keys(read_experiment(name, settings=settings).network)
    named = [] if line is None else line.partition(": ")[2].split(", ")
    assert named == [f"network.{key}" for key in expected]
