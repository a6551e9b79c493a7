"""The look-up table of the reference boards, and the C header with it and every range.

    chance[a] = rint(2^16 / (1 + exp(2 a SPAN / ADDRESSES)))        a = 0 … ADDRESSES − 1

is the chance, in steps of 2^−16, that a p-bit turns against an input of β |I| = a SPAN / ADDRESSES: (1 − tanh β|I|) / 2
of Camsari, Faria, Sutton & Datta, Phys. Rev. X 7, 031014 (2017), eq. 1. The other sign is its mirror image and is not
stored. From β |I| = 5.9 on the chance is 0: a cold board freezes. `python -m firmware_models.chances` prints the
header.
"""

import math

from firmware_models import programme

CHANCES = tuple(
    round(2**16 / (1 + math.exp(2 * address * programme.SPAN / programme.ADDRESSES)))
    for address in range(programme.ADDRESSES)
)
"""Chance of turning against the input at every address; 32768 first, 0 in the end."""

LIMITS = (
    "MAX_LEGS", "COUPLING_MAX", "FIELD_MAX", "GAIN_MAX", "SHIFT_MAX", "SWEEPS_MAX", "ADDRESSES",
)  # fmt: skip


def c_header() -> str:
    """Return `c/chances.h`."""
    limits = [f"#define CORE_{name} {getattr(programme, name)}" for name in LIMITS]
    rows = [
        ", ".join(map(str, CHANCES[first : first + 16])) + ","
        for first in range(0, len(CHANCES), 16)
    ]
    return "\n".join(
        [
            "/* Generated: python -m firmware_models.chances > firmware_models/c/chances.h */",
            "#ifndef CHANCES_H",
            "#define CHANCES_H",
            "",
            *limits,
            "",
            "/* The entries of the look-up table, to be put where a board keeps constants. */",
            "#define CORE_CHANCES \\",
            *(f"    {row} \\" for row in rows[:-1]),
            f"    {rows[-1].rstrip(',')}",
            "",
            "#endif",
            "",
        ]
    )


if __name__ == "__main__":
    print(c_header(), end="")
