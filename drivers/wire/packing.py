"""Spins and values as bytes, and back; nothing is clipped or rounded.

Axes: `k` rows, slots or whatever is stacked, `n` spins.
"""

import numpy as np
from numpy.typing import NDArray

from drivers.wire.faults import MessageError
from isingeq.errors import CapabilityError

Ints = NDArray[np.integer]


def packed_bytes(num_spins: int) -> int:
    """Return the bytes of one packed row."""
    return (num_spins + 7) // 8


def pack_spins(states: Ints) -> bytes:
    """Return spins (k, n) of ±1, lowest bit first, 1 for +1, every row from a fresh byte.

    Raises:
        CapabilityError: a value that is neither −1 nor +1.
    """
    if not (np.abs(states) == 1).all():
        raise CapabilityError("spins on the wire are -1 or +1, other values came: round them first")
    return np.packbits(states > 0, axis=-1, bitorder="little").tobytes()


def unpack_spins(packed: bytes, num_spins: int) -> NDArray[np.int8]:
    """Return spins (k, n) of ±1.

    Raises:
        MessageError: not a whole number of rows, or bits set beyond the last spin.
    """
    width = packed_bytes(num_spins)
    if len(packed) % width:
        raise MessageError(f"{len(packed)} bytes of spins are no rows of {width}")
    rows = np.frombuffer(packed, np.uint8).reshape(-1, width)
    bits = np.unpackbits(rows, axis=-1, bitorder="little")
    if num_spins % 8 and bits[:, num_spins:].any():
        raise MessageError(f"bits are set beyond the last of {num_spins} spins")
    spins = bits[:, :num_spins].view(np.int8)
    spins *= 2
    spins -= 1
    return spins


def value_bytes(bits: int) -> int:
    """Return the bytes of one value on the wire: one up to 8 bits, two above."""
    return 1 if bits <= 8 else 2


def narrowest(values: Ints) -> int:
    """Return the fewest bytes, 1 or 2, that hold every one of these values."""
    return 1 if not values.size or (values.min() >= -128 and values.max() <= 127) else 2


def pack_narrowest(values: Ints) -> tuple[int, bytes]:
    """Return the fewest bytes, 1 or 2, that hold every one of these values, and the values in so many each."""
    if values.size and values.dtype.kind == "i":
        low, high = values.min(), values.max()
        if low >= -128 and high <= 127:
            return 1, values.astype(np.int8).tobytes()
    width = narrowest(values)
    return width, pack_values(values, width)


def pack_values(values: Ints, width: int) -> bytes:
    """Return whole numbers of any shape, in C order, `width` bytes each.

    Raises:
        CapabilityError: fractions, or a value that does not fit.
    """
    kind = np.dtype(f"<i{width}")
    if values.dtype.kind not in "iu":
        raise CapabilityError(
            f"values on the wire are integers, {values.dtype} came: quantise first"
        )
    _within(values, *_range(kind), "scale the problem first")
    return values.astype(kind).tobytes()


def unpack_values(data: bytes, width: int) -> NDArray[np.signedinteger]:
    """Return the values in `data`, `width` bytes each: 1, 2, or 4 for sums.

    Raises:
        MessageError: not a whole number of values.
    """
    if len(data) % width:
        raise MessageError(f"{len(data)} bytes are no values of {width}")
    return np.frombuffer(data, np.dtype(f"<i{width}"))


def pack_legs(legs: Ints) -> bytes:
    """Return legs (k, 3) of a schedule: gain first, gain last, sweeps.

    Raises:
        CapabilityError: a number outside 0 to 65535.
    """
    _within(legs, 0, 0xFFFF, "choose another shift or split the leg")
    return legs.astype("<u2").tobytes()


def unpack_legs(data: bytes) -> NDArray[np.unsignedinteger]:
    """Return legs (k, 3).

    Raises:
        MessageError: not a whole number of legs.
    """
    if len(data) % 6:
        raise MessageError(f"{len(data)} bytes are no legs of 6")
    return np.frombuffer(data, "<u2").reshape(-1, 3)


def _range(kind: np.dtype[np.signedinteger]) -> tuple[int, int]:
    return int(np.iinfo(kind).min), int(np.iinfo(kind).max)


def _within(values: Ints, low: int, high: int, advice: str) -> None:
    if values.dtype.kind not in "iu":
        raise CapabilityError(
            f"values on the wire are integers, {values.dtype} came: quantise first"
        )
    if values.size and not (low <= int(values.min()) and int(values.max()) <= high):
        raise CapabilityError(
            f"values from {values.min()} to {values.max()} came, {low} to {high} fit: {advice}"
        )
