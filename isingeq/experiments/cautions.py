"""Words of caution before training: weights that make no energy, and keys that change nothing."""

from collections.abc import Iterator

from isingeq.experiments import config
from isingeq.experiments.build import Built
from isingeq.learning.audit import asymmetry_of
from isingeq.learning.rate_network import RateNetwork

NEGLIGIBLE = 1e-6
"""Asymmetry of forces that do have an energy: what is left of rounding."""

OF_IMAGES = ("kernel", "stride", "padding", "pool", "pooling", "sharpness", "shared")
"""Keys of layers of images."""


def cautions(built: Built) -> Iterator[str]:
    """Yield what a user should know before training."""
    if (line := idle_keys(built.experiment.network)) is not None:
        yield line
    if (line := lacking_energy(built)) is not None:
        yield line


def idle_keys(table: config.Network) -> str | None:
    """Return a line where keys of layers of images are set, and there are none."""
    if table.channels or table.sites is not None:
        return None
    fields = config.Network.model_fields
    idle = [key for key in OF_IMAGES if getattr(table, key) != fields[key].default]
    if not idle:
        return None
    return f"without network.channels these change nothing: {', '.join(f'network.{key}' for key in idle)}"


def lacking_energy(built: Built) -> str | None:
    """Return a line where a network of tied weights is not conservative, for the estimators that take it to be."""
    trainer, network = built.trainer, built.trainer.network
    method = trainer.estimator.method
    tied = built.experiment.network.backward == "tied"
    if not (isinstance(network, RateNetwork) and tied and method in ("plain", "vector_field")):
        return None
    odd = asymmetry_of(
        network, trainer.backend, trainer.parameters, built.data.x_train[:16], seed=trainer.seed, pool=built.pool
    )  # fmt: skip
    if odd <= NEGLIGIBLE:
        return None
    return (
        f"weights are the same both ways and yet there is no energy (asymmetry {odd:.2f}): {method} is biased here, "
        "asymmetric and dyadic are not"
    )
