"""Ranges, steps and levels: which values of fields and couplings a backend holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isingeq.couplings import Dense, Edges
from isingeq.errors import CapabilityError
from isingeq.problem import Problem

if TYPE_CHECKING:
    from isingeq.backend import Capabilities


def check_values(name: str, c: Capabilities, problem: Problem) -> None:
    """Refuse fields and couplings outside their ranges, between their steps or off their levels.

    Args:
        name: of the backend.
        c: what it holds.
        problem: whose values are looked at.

    Raises:
        CapabilityError: naming the values and what to do.
    """
    ranges = (
        ("field", c.field_range, c.field_step, None),
        ("coupling", c.coupling_range, c.coupling_step, c.coupling_levels),
    )
    for what, allowed, step, levels in ranges:
        if allowed is None and step is None and levels is None:
            continue
        arrays = (
            [problem.fields]
            if what == "field"
            else [
                k.J if isinstance(k, Dense | Edges) else k.edges()[2]  # J lists no pairs
                for k in problem.couplings
                if k.pairwise
            ]
        )
        for values in arrays:
            if (
                allowed is not None
                and values.size
                and not (allowed[0] <= values.min() and values.max() <= allowed[1])
            ):
                raise CapabilityError(
                    f"{name} holds {what}s in [{allowed[0]:g}, {allowed[1]:g}], the problem has "
                    f"[{values.min():g}, {values.max():g}]: scale it, or let mapping=auto do so"
                )
            if step is not None and not np.array_equal(np.rint(values / step) * step, values):
                raise CapabilityError(
                    f"{name} holds {what}s in steps of {step:g}, the problem has others: "
                    "quantise it, or let mapping=auto do so"
                )
            if levels is not None and not np.isin(values, np.asarray(levels, values.dtype)).all():
                raise CapabilityError(
                    f"{name} holds {what}s at {len(levels)} levels from {levels[0]:g} to {levels[-1]:g}, the problem "
                    "has others: quantise it, or let mapping=auto do so"
                )
