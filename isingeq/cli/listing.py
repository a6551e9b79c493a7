"""Every registered backend, what it claims and what it takes."""

from dataclasses import dataclass

from isingeq import registry
from isingeq.backend import Capabilities
from isingeq.errors import IsingeqError

COLUMNS = ("backend", "claim", "units", "couplings", "limits", "options")


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered backend.

    Attributes:
        name: in a SPEC.
        capabilities: as opened without options; None when it cannot be.
        options: that its SPEC takes.
        missing: why it cannot be opened.
        attached: it is what stands behind its argument, a device.
    """

    name: str
    capabilities: Capabilities | None
    options: tuple[str, ...]
    missing: str
    attached: bool = False

    def cells(self) -> tuple[str, ...]:
        """Return one text per column."""
        c, options = self.capabilities, ", ".join(self.options)
        if self.attached:
            return (f"{self.name}:…", "as the device", "", "", "", options)
        if c is None:
            return (self.name, "missing", "", "", "", options)
        listed = (", ".join(sorted(c.units)), ", ".join(sorted(c.couplings)), ", ".join(_limits(c)))
        return (self.name, str(c.claim), *listed, options)

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON."""
        c = self.capabilities
        out: dict[str, object] = {
            "name": self.name,
            "available": c is not None or self.attached,
            "options": list(self.options),
        }
        if self.attached:
            return out
        if c is None:
            return {**out, "missing": self.missing}
        return {
            **out,
            "claim": str(c.claim),
            "units": sorted(c.units),
            "couplings": sorted(c.couplings),
            "terms": sorted(term.__name__ for term in c.terms),
            "schedules": sorted(schedule.__name__ for schedule in c.schedules),
            "max_units": c.max_units,
            "field_range": c.field_range,
            "coupling_range": c.coupling_range,
            "warm_start": c.warm_start,
            "complex_nudging": c.complex_nudging,
            "displacements": c.displacements,
        }


def list_backends() -> list[Entry]:
    """Open every registered backend once, without options, and close it again."""
    return [_entry(name) for name in registry.names()]


def _entry(name: str) -> Entry:
    options: tuple[str, ...] = ()
    try:
        options = tuple(registry.options(name))
        if registry.needs_argument(name):
            return Entry(name, None, options, "", attached=True)
        backend = registry.open_backend(name)
    except IsingeqError as error:
        return Entry(name, None, options, str(error))
    try:
        return Entry(name, backend.capabilities, options, "")
    finally:
        backend.close()


def _limits(c: Capabilities) -> list[str]:
    """Return the limits in words; none stands for real numbers of any size."""
    out = [] if c.max_units is None else [f"{c.max_units} units"]
    for what, bounds, step in (
        ("fields", c.field_range, c.field_step),
        ("couplings", c.coupling_range, c.coupling_step),
    ):
        if bounds is not None:
            out.append(f"{what} in [{bounds[0]:g}, {bounds[1]:g}]")
        if step is not None:
            out.append(f"{what} in steps of {step:g}")
    return out or ["none"]
