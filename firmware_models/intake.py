"""What is checked before anything is done with a payload: opcode, length, and what the board is capable of."""

import struct
from typing import NamedTuple

from drivers.descriptor import Descriptor
from drivers.wire.constants import Memory, Opcode, RunFlag, Start, Status
from drivers.wire.layout import layout_of
from drivers.wire.messages import REQUESTS
from firmware_models.memory import LEG, RefusalError

_LAYOUTS = {int(opcode): layout_of(kind) for opcode, kind in REQUESTS.items()}
_SHAPES = {
    opcode: (layout.fixed, layout.fixed.size, layout.tail is not None)
    for opcode, layout in _LAYOUTS.items()
}
_PLACES = {opcode: dict(layout.offsets) for opcode, layout in _LAYOUTS.items()}


class Request(NamedTuple):
    """A request whose length is right.

    Attributes:
        opcode: which.
        numbers: its fixed fields, in order; whether they are in range is not known yet.
        tail: what follows them.
    """

    opcode: int
    numbers: tuple[int, ...]
    tail: bytes


def place(opcode: int, name: str) -> int:
    """Return where a field lies in the payload."""
    return _PLACES[opcode][name]


def out_of_range(opcode: int, name: str) -> RefusalError:
    """Return the refusal of a number."""
    return RefusalError(Status.OUT_OF_RANGE, place(opcode, name))


def take_in(opcode: int, payload: bytes, coupling_bytes: int) -> Request:
    """Return the request in a payload.

    Raises:
        RefusalError: an opcode that is no request, or a wrong length.
    """
    shape = _SHAPES.get(opcode)
    if shape is None:
        raise RefusalError(Status.UNKNOWN_OPCODE)
    fixed, size, open_ended = shape
    rest = len(payload) - size
    if rest < 0 or (rest and not open_ended):
        raise RefusalError(Status.BAD_LENGTH, size)
    request = Request(opcode, fixed.unpack_from(payload), payload[size:])
    if not _whole(request, coupling_bytes):
        raise RefusalError(Status.BAD_LENGTH, size)
    return request


def listed_spins(request: Request) -> tuple[int, ...]:
    """Return the spins that PATCH_FIELDS lists."""
    return struct.unpack_from(f"<{request.numbers[3]}H", request.tail)


def _whole(request: Request, coupling_bytes: int) -> bool:
    """Tell whether the tail is a whole number of values; a width that means nothing is for later."""
    opcode, numbers, tail = request
    if opcode == Opcode.LOAD_COUPLINGS:
        return len(tail) % coupling_bytes == 0
    if opcode == Opcode.LOAD_LEGS:
        return len(tail) % LEG.itemsize == 0
    if opcode == Opcode.LOAD_FIELDS:
        return numbers[1] not in (1, 2) or len(tail) % numbers[1] == 0
    if opcode == Opcode.PATCH_FIELDS:
        _, num_slots, width, num_spins = numbers
        values = len(tail) - 2 * num_spins
        return values == num_spins * num_slots * width or (values >= 0 and width not in (1, 2))
    return True


def capable(request: Request, descriptor: Descriptor, needed_sums: int) -> bool:
    """Tell whether a board offers this; `needed_sums` is how many sums a correlation has."""
    opcode, numbers, _ = request
    if opcode == Opcode.LOAD_CLAMPS:
        return descriptor.features.clamp
    if opcode in (Opcode.READBACK, Opcode.DIGEST):
        return descriptor.features.clamp or numbers[0] != Memory.CLAMPS
    if opcode == Opcode.STREAM:
        return descriptor.features.stream
    if opcode == Opcode.SHUTDOWN:
        return descriptor.features.shutdown
    sums = descriptor.limits.sums
    if opcode == Opcode.CORRELATE:
        return sums > 0
    if opcode == Opcode.RUN:
        start, flags = numbers[7], numbers[8]
        if start in (Start.LAST, Start.GIVEN) and not descriptor.schedule.reverse:
            return False
        if flags & RunFlag.STREAM and not descriptor.features.stream:
            return False
        return not flags & RunFlag.CORRELATE or 0 < sums >= needed_sums
    return True
