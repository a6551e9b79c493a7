"""Fields and nudges rounded together: a chip holds their sum."""

from typing import NamedTuple

import numpy as np

from calibration.levels import rounded
from calibration.programmings import Span, check_range
from calibration.rounding import Change, Floats, change_of, num_nonzero
from calibration.spins import pull_of
from isingeq.backend import SettleRequest
from isingeq.terms import Clamp, LinearNudge, Term


class RoundedFields(NamedTuple):
    """Fields and terms for below.

    Attributes:
        fields: (b, n), rounded without the nudges.
        terms: one nudge, by which the rounded sums differ from them, and the clamps.
        change: what rounding did to the fields.
        num_lost: fields that a nudge was to change, and that rounding left as they were.
    """

    fields: Floats
    terms: tuple[Term, ...]
    change: Change
    num_lost: int


def rounded_fields(
    name: str, request: SettleRequest, step: float | None, span: Span, drawn: Floats | None
) -> RoundedFields:
    """Return the fields and nudges of a request for a backend whose fields have a step.

    Args:
        name: of the backend, for messages.
        request: with terms that are nudges and clamps.
        step: None leaves fields as they are, nudges as one.
        span: range of fields.
        drawn: chances (b, n) of stochastic rounding, None for the nearest.

    Raises:
        CapabilityError: a field that does not fit the range once it is rounded, nudged or not.
    """
    asked = fields = request.problem.fields
    change, num_lost = Change(), 0
    if step is not None:
        fields = rounded(asked, step, drawn)
        check_range(name, "field", fields, span)
        change = change_of(asked, fields)
    terms: tuple[Term, ...] = tuple(t for t in request.terms if isinstance(t, Clamp))
    if (pull := pull_of(request.problem, request.terms)) is not None:
        force, run = np.zeros(asked.shape, asked.dtype), (slice(None), pull.units)
        if step is None:
            force[run] = pull.force
        else:
            sums = (asked[run] - pull.force).astype(asked.dtype)
            total = rounded(sums, step, None if drawn is None else drawn[run])
            check_range(name, "nudged field", total, span)
            np.subtract(fields[run], total, out=force[run])
            num_lost = num_nonzero(pull.force) - num_nonzero(force[run])
        terms = (LinearNudge(force), *terms)
    return RoundedFields(fields, terms, change, num_lost)
