"""The layers that a backend needs before it can take what a float network or any problem file asks of it.

    Copies > Embed > Gauge > Scale > Mask > DriftGuard > Trim > Quantise > backend          the outermost first

What knows single elements of the chip is innermost: the chip rounds what Trim makes of values, Scale fits values into
what Trim leaves of the range, and Mask has its elements by the chip's numbers. A gauge turns over everything below it,
offsets above all. Embed sees the pairs that Mask leaves.
"""

from typing import Literal, get_args

from calibration.copies import Copies
from calibration.corrections import Corrections
from calibration.drift import DriftGuard
from calibration.elements import connectivity_of
from calibration.embed import Embed
from calibration.embedding.chains import Indices
from calibration.factor import Limits, end_of
from calibration.gauge import Gauge
from calibration.mask import Mask
from calibration.options import MappingOptions
from calibration.quantise import Quantise
from calibration.scale import Scale
from calibration.trim import Trim
from isingeq import registry
from isingeq.backend import Backend
from isingeq.errors import ConfigError

Mapping = Literal["auto", "none"]
_DEFAULTS = MappingOptions()


def mapped(
    backend: Backend,
    limits: Limits | None = None,
    options: MappingOptions = _DEFAULTS,
    *,
    corrections: Corrections | None = None,
    sites: Indices | None = None,
) -> Backend:
    """Return a backend under the layers that its capabilities and the options ask for.

    Embed for a connectivity, Scale for ranges, Quantise for steps and levels; Trim for corrections, and Mask where they
    name dead elements.

    Args:
        backend: any; one that takes every value on every pair is returned as it is, if no option asks for more.
        limits: the largest coupling and field that will ever be asked for, so that the factor is fixed; None to let
            the first problem choose it. Chains stronger than that have it halved where their strength is not given.
        options: where there is a choice.
        corrections: of this chip, as measured; None for none.
        sites: of Embed: row and column on a lattice that every unit was made for (n, 2); None where there are none.

    Raises:
        CapabilityError: a backend without spins, or a range that does not reach to both sides of 0.
        CalibrationError: corrections of another chip.
        ConfigError: limits or options that make no sense.
    """
    c, o = backend.capabilities, options
    if (c.coupling_step, c.field_step, c.coupling_levels) != (None, None, None):
        backend = Quantise(backend, o.rounding, o.programmings, o.seed)
    if corrections is not None or o.check_every:
        backend = _trimmed(backend, corrections, o)
    if corrections is not None and (corrections.dead_units.any() or corrections.dead_edges.any()):
        backend = Mask(backend, corrections.dead_units, corrections.dead_edges)
    c = backend.capabilities
    if c.coupling_range is not None or c.field_range is not None:
        chained = c.connectivity is not None
        if limits is not None and chained and o.chain_strength is not None:
            limits = Limits(max(limits.coupling, o.chain_strength), limits.field)
        firm = not chained or o.chain_strength is not None
        backend = Scale(backend, limits, o.headroom, firm)
    if o.gauges:
        backend = Gauge(backend, o.gauges, o.seed)
    if c.connectivity is not None:
        backend = Embed(backend, o.chain_strength, o.seed, sites)
    if o.copies > 1:
        backend = Copies(backend, o.copies)
    return backend


def _trimmed(backend: Backend, corrections: Corrections | None, options: MappingOptions) -> Backend:
    """Return a backend under Trim, and under a guard against drift if one is asked for."""
    c = backend.capabilities
    if corrections is None:
        chip = connectivity_of(backend.name, c)
        corrections = Corrections.none(chip.n, chip.num_edges)
    if not options.check_every:
        return Trim(backend, corrections)
    if c.field_range is None:
        raise ConfigError(
            f"{backend.name} has no range of fields that drift could be a share of: set check_every to 0"
        )
    reserve = options.drift_reserve * end_of(backend.name, c.field_range)
    return DriftGuard(Trim(backend, corrections, reserve), options.check_every, seed=options.seed)


def open_mapped(
    spec: str,
    mapping: str = "auto",
    limits: Limits | None = None,
    options: MappingOptions = _DEFAULTS,
    *,
    corrections: Corrections | None = None,
    sites: Indices | None = None,
) -> Backend:
    """Open the backend that a SPEC names, under the layers that it needs.

    Args:
        spec: SPEC.
        mapping: auto for `mapped`; none for the backend alone, which refuses what does not fit.
        limits: see `mapped`.
        options: see `mapped`.
        corrections: see `mapped`.
        sites: see `mapped`.

    Raises:
        ConfigError: an unknown name, option or mapping, or a value of the wrong type.
        CapabilityError: it cannot be mapped.
        CalibrationError: corrections of another chip.
    """
    if mapping not in get_args(Mapping):
        raise ConfigError(f"mapping is {' or '.join(get_args(Mapping))}, got {mapping!r}")
    backend = registry.open_backend(spec)
    if mapping == "none":
        return backend
    try:
        return mapped(backend, limits, options, corrections=corrections, sites=sites)
    except BaseException:
        backend.close()
        raise
