"""A profile with some of its numbers replaced, as studies sweep them, and with those it lacks assumed."""

import difflib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from firmware_models.analog import Imperfections
from firmware_models.chip_profile import ChipProfile, Physics, Timing, Units, Values, load_chip
from isingeq import registry
from isingeq.errors import ConfigError

TYPICAL = Imperfections(
    gain_sigma=0.05, field_gain_sigma=0.05, offset_sigma=0.02, readout_error=0.001
)
"""Of a chip of which nothing is known; the offset as a share of the largest coupling.

A few percent is what current mirrors of modest size come to; quantum annealers state 1 % of gain, offsets of 0.01 to
0.025 of the largest coupling, and readout errors up to 0.001.
"""

WHY = "nothing published: what chips are like"
"""Why imperfections are what they are where a profile has none."""
_GEOMETRY = ("units", "rows", "columns")


def chip_with(
    name: str, options: Mapping[str, Any], *, ideal: bool, physics_options: Mapping[str, str]
) -> tuple[ChipProfile, Imperfections, dict[str, str]]:
    """Return a profile under options, the imperfections of its chips, and what was assumed.

    Args:
        name: of a profile that ships, or path of one.
        options: of `virtual_chip.profile`, those given.
        ideal: without imperfections, save for those among the options.
        physics_options: of the machine.

    Raises:
        ConfigError: no such profile, an option that nothing takes, or values that make no sense.
    """
    if not name:
        raise ConfigError(
            "a profile is named, as in profile:kings-256: isingeq profiles lists them"
        )
    profile = load_chip(name)
    profile = _of_size(profile, {k: options[k] for k in _GEOMETRY if k in options})
    profile = replace(
        profile,
        coupling=_values(profile.coupling, options.get("coupling_range"), options.get("bits")),
        field=_values(profile.field, options.get("field_range"), options.get("field_bits")),
        timing=replace(profile.timing, **_named(Timing, options)),
        physics=Physics(_spec(profile, options, physics_options)),
    )
    own = _named(Imperfections, options)
    assumed = {k: why for k, why in profile.assumed if not k.startswith("imperfections")}
    for table in ("coupling", "field"):
        if getattr(profile, table) == Values() and not profile.origin(table)[0]:
            assumed[table] = "nothing published: real numbers of any size"
    if ideal:
        return profile, replace(Imperfections(), **own), assumed
    if profile.imperfections is None:
        kind = typical(profile)
        told = {k: getattr(kind, k) for k in _typical_names() if k not in own}
        assumed |= {f"imperfections.{k}": f"{v:g}: {WHY}" for k, v in told.items()}
    else:
        kind = profile.imperfections
        why = {k: v for k, v in profile.assumed if k.startswith("imperfections")}
        assumed |= {k: v for k, v in why.items() if k.partition(".")[2] not in own}
    return profile, replace(kind, **own), assumed


def typical(profile: ChipProfile) -> Imperfections:
    """Return the imperfections assumed where a profile has none; without a range there is no offset."""
    ends = profile.coupling.range
    end = 0.0 if ends is None else min(-ends[0], ends[1])
    return replace(TYPICAL, offset_sigma=TYPICAL.offset_sigma * end)


def _typical_names() -> list[str]:
    rest = Imperfections()
    names = (entry.name for entry in fields(Imperfections))
    return [name for name in names if getattr(TYPICAL, name) != getattr(rest, name)]


def _of_size(profile: ChipProfile, sizes: Mapping[str, int]) -> ChipProfile:
    """Return a profile of another size; rows and columns belong to lattices, units to chips that couple all."""
    if not sizes:
        return profile
    kind = profile.topology.kind
    taken = ("units",) if kind == "all" else ("rows", "columns") if kind in ("kings", "square") else ()  # fmt: skip
    for key in sizes:
        if key not in taken:
            raise ConfigError(
                f"profile {profile.name} ({kind}) has no option {key!r}; its size is set by "
                f"{' and '.join(taken) or 'its file'}"
            )
    if kind == "all":
        return replace(profile, units=Units(sizes["units"]))
    graph = profile.topology
    graph = replace(
        graph, rows=sizes.get("rows", graph.rows), columns=sizes.get("columns", graph.columns)
    )
    return replace(profile, topology=graph, units=Units())


def _values(values: Values, end: float | None, bits: int | None) -> Values:
    """Return values with another range, with other bits; a new range keeps the number of steps."""
    if end is not None:
        keep = values.bits if values.levels is None else None
        step = values.step if values.levels is None and keep is None else None
        values = Values(-end, end, bits=keep, step=step)
    if bits is not None:
        low, high = values.range or (None, None)
        values = Values(low, high, bits)
    return values


def _spec(profile: ChipProfile, options: Mapping[str, Any], more: Mapping[str, str]) -> str:
    """Return the SPEC of the physics under options.

    Raises:
        ConfigError: an option that neither the chip nor its physics takes.
    """
    text = options.get("physics") or profile.physics.spec
    spec = registry.parse_spec(text)
    if spec.name == "profile":
        raise ConfigError(
            f"profile {profile.name}: a chip is not the physics of another, got {text}"
        )
    known = registry.options(spec.name)
    chosen = {**spec.options, **more}
    if "threads" in options and "threads" in known:
        chosen["threads"] = str(options["threads"])
    for key in more:
        if key not in known:
            every = [*registry.options("profile"), *known]
            near = difflib.get_close_matches(key, every, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(every)}"
            raise ConfigError(
                f"neither profile {profile.name} nor its physics {spec.name} has an option {key!r}; {hint}"
            )
    head = spec.name + f":{spec.argument}" * bool(spec.argument)
    query = "&".join(f"{key}={value}" for key, value in chosen.items())
    return head + f"?{query}" * bool(query)


def _named(kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
    names = {entry.name for entry in fields(kind)}
    return {key: value for key, value in options.items() if key in names}
