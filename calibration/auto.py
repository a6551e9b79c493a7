"""The layers that a backend needs before it can take what a float network or any problem file asks of it."""

from typing import Literal, get_args

from calibration.factor import HEADROOM, Limits
from calibration.quantise import Quantise, Way
from calibration.scale import Scale
from isingeq import registry
from isingeq.backend import Backend
from isingeq.errors import ConfigError

Mapping = Literal["auto", "none"]


def mapped(
    backend: Backend,
    limits: Limits | None = None,
    *,
    headroom: float = HEADROOM,
    rounding: Way = "nearest",
) -> Backend:
    """Return a backend under the layers that its capabilities ask for: Quantise for steps, Scale for ranges.

    Args:
        backend: any; one without ranges and steps is returned as it is.
        limits: the largest coupling and field that will ever be asked for, so that the factor is fixed; None to let
            the first problem choose it.
        headroom: of that choice: range over largest value, at the least.
        rounding: of Quantise.

    Raises:
        CapabilityError: ranges or steps of a backend without spins, or a range that does not reach to both sides of 0.
        ConfigError: limits, headroom or rounding that make no sense.
    """
    c = backend.capabilities
    if c.coupling_step is not None or c.field_step is not None:
        backend = Quantise(backend, rounding)
    if c.coupling_range is not None or c.field_range is not None:
        backend = Scale(backend, limits, headroom)
    return backend


def open_mapped(
    spec: str,
    mapping: str = "auto",
    limits: Limits | None = None,
    *,
    headroom: float = HEADROOM,
) -> Backend:
    """Open the backend that a SPEC names, under the layers that it needs.

    Args:
        spec: SPEC.
        mapping: auto for `mapped`; none for the backend alone, which refuses what does not fit.
        limits: see `mapped`.
        headroom: see `mapped`.

    Raises:
        ConfigError: an unknown name, option or mapping, or a value of the wrong type.
        CapabilityError: it cannot be mapped.
    """
    if mapping not in get_args(Mapping):
        raise ConfigError(f"mapping is {' or '.join(get_args(Mapping))}, got {mapping!r}")
    backend = registry.open_backend(spec)
    if mapping == "none":
        return backend
    try:
        return mapped(backend, limits, headroom=headroom)
    except BaseException:
        backend.close()
        raise
