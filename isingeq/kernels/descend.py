"""One pass of a gradient flow over quartic units: residual and step of every row, fused."""

from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def descend(x, field, stiffness, held, dt, tolerance, residual):  # type: ignore[no-untyped-def]
    """Find the slope of every row, and step the rows that are steeper than the tolerance, where dt > 0.

        g = f + k x + x³        x ← x − dt g / (1 + dt (k + 3 x²))

    Euler's step, linearly implicit in the unit's own force, so that only couplings bound dt.

    Args:
        x: states (rows, n), changed.
        field: f (rows, n), fields, nudges and couplings.
        stiffness: k (rows, n), or one row for all.
        held: units that stay (n,).
        dt: time step; 0 to look only.
        tolerance: largest |g| of a row that rests; 0 for no rest.
        residual: written (rows,), the largest |g| before the step.
    """
    one, three = x.dtype.type(1), x.dtype.type(3)
    for row in range(x.shape[0]):
        k = row if stiffness.shape[0] > 1 else 0
        worst = x.dtype.type(0)
        for i in range(x.shape[1]):
            slope = abs(field[row, i] + (stiffness[k, i] + x[row, i] * x[row, i]) * x[row, i])
            slope = x.dtype.type(0) if held[i] else slope
            # Not `max`: NaN is to be seen.
            worst = worst if slope <= worst else slope
        residual[row] = worst
        if dt == 0 or (worst <= tolerance and tolerance > 0):
            continue
        for i in range(x.shape[1]):
            square = x[row, i] * x[row, i]
            slope = field[row, i] + (stiffness[k, i] + square) * x[row, i]
            step = dt * slope / (one + dt * (stiffness[k, i] + three * square))
            x[row, i] -= x.dtype.type(0) if held[i] else step
