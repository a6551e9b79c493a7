"""`isingeq profiles`: the chips that can be simulated, and what is known of each."""

from typing import TYPE_CHECKING, Annotated

import typer

from isingeq.cli.output import Debug, Json, Output, Quiet, command

if TYPE_CHECKING:
    from firmware_models.chip_profile import ChipProfile, Values

_COLUMNS = ("profile", "maker", "spins", "topology", "couplings", "settle", "energy", "imperfections")  # fmt: skip


def profiles(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE.toml]", help="One profile in full.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the profiles of chips that ship, or show one with the source of each number."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from firmware_models.chip_profile import chip_names, load_chip

        if name is not None:
            _show(output, load_chip(name))
            return
        chips = [load_chip(found) for found in chip_names()]
        every = [(chip, _spins(chip)) for chip in chips]  # whose graphs take a moment
        output.table("profiles", _COLUMNS, [_cells(p, spins) for p, spins in every])
        output.line("open one as profile:NAME?seed=1; isingeq profiles NAME shows it in full")
        output.result({"profiles": [_summary(p, spins) for p, spins in every]})


def _show(output: Output, p: "ChipProfile") -> None:
    found = {name: _known(p, name, value) for name, value in p.entries()}
    rows = [(n, _plain(v), kind, text) for n, (v, kind, text) in found.items() if v is not None]
    if p.imperfections is not None and not any(n.startswith("imperfections") for n, *_ in rows):
        rows.append(("imperfections", "none", *p.origin("imperfections")))
    output.table(p.name, ("field", "value", "from", ""), rows)
    output.line(f"unknown: {', '.join(_unknown([name for name, *_ in rows])) or 'nothing'}")
    fields = {n: {"value": v, "from": kind, "text": text} for n, (v, kind, text) in found.items()}
    output.result({"profile": p.name, "spins": _spins(p), "fields": fields})


def _known(p: "ChipProfile", name: str, value: object) -> tuple[object, str, str]:
    """Return a value, None where it is not known, whether it has a source or is assumed, and which or why."""
    table, _, entry = name.partition(".")
    if table == "imperfections":
        from firmware_models.analog import Imperfections
        from firmware_models.chip_options import WHY, typical

        if p.imperfections is None:
            value = getattr(typical(p), entry)
            return (value, "assumed", WHY) if value else (None, "unknown", "")
        if value == getattr(Imperfections(), entry):
            return None, "unknown", ""
    if value is None:
        return None, "unknown", ""
    kind, text = p.origin(name)
    return value, kind or "stated", text


def _unknown(known: list[str]) -> list[str]:
    """Return what is missing: tables of which nothing is known, and times and energies one by one."""
    tables = {name.partition(".")[0] for name in known}
    times = [f"timing.{k}_s" for k in ("programming", "settle", "readout", "delay")]
    missing = [name for name in ("coupling", "field", "imperfections") if name not in tables]
    missing += [name for name in times if name not in known]
    return missing if "power" in tables else [*missing, "power"]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        shown = ", ".join(map(_plain, value[:8]))
        return f"{shown}, … {len(value)} in all" if len(value) > 8 else shown or "none"
    return str(value)


def _spins(p: "ChipProfile") -> int | None:
    from firmware_models.wires import Wires

    return Wires.of(p.topology, p.units.most).n or None


def _cells(p: "ChipProfile", spins: int | None) -> tuple[str, ...]:
    energy, settle = p.energy_per_settle_j, p.timing.settle_s
    return (
        p.name,
        p.maker.vendor,
        "any" if spins is None else str(spins),
        p.topology.kind,
        _resolution(p.coupling),
        "unknown" if settle is None else f"{settle:.3g} s",
        "unknown" if energy is None else f"{energy:.3g} J",
        "typical, assumed" if p.imperfections is None else _imperfect(p),
    )


def _imperfect(p: "ChipProfile") -> str:
    from firmware_models.analog import Imperfections

    return "none" if p.imperfections == Imperfections() else "its own"


def _resolution(values: "Values") -> str:
    if values.levels is not None:
        return f"{len(values.levels)} levels"
    if values.range is None:
        return "real numbers"
    ends = f"{values.range[0]:g} to {values.range[1]:g}"
    if values.bits is not None:
        return f"{values.bits} bits, {ends}"
    return f"{ends}, real" if values.step is None else f"{ends}, steps of {values.step:g}"


def _summary(p: "ChipProfile", spins: int | None) -> dict[str, object]:
    return {
        "name": p.name,
        "vendor": p.maker.vendor,
        "model": p.maker.model,
        "spins": spins,
        "topology": p.topology.kind,
        "coupling_range": p.coupling.range,
        "coupling_step": p.coupling.spacing,
        "coupling_levels": p.coupling.levels,
        "field_range": p.field.range,
        "field_step": p.field.spacing,
        "physics": p.physics.spec,
        "settle_s": p.timing.settle_s,
        "energy_per_settle_j": p.energy_per_settle_j,
        "imperfections": "assumed" if p.imperfections is None else _imperfect(p),
    }
