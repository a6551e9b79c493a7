"""Consistent overhead byte stuffing: frames without a zero inside, so that a zero ends each.

S. Cheshire & M. Baker, IEEE/ACM Trans. Networking 7 (1999) 159. Data are cut at their zeros; each piece is
led by its length + 1. A piece of 254 bytes or more is cut after 254, led by 0xFF, and no zero follows.
"""

from drivers.wire.faults import Fault, FrameError

FULL = 254
_LED = [bytes([size + 1]) for size in range(FULL)]
"""What leads a piece of each size."""


def longest(size: int) -> int:
    """Return the most bytes that `size` bytes become, the closing zero not counted."""
    return size + size // FULL + 1


def stuff(data: bytes) -> bytes:
    """Return `data` without zeros; the closing zero is not added."""
    pieces = data.split(b"\0")
    if max(map(len, pieces)) < FULL:
        return b"".join([_LED[len(piece)] + piece for piece in pieces])
    out = bytearray()
    for piece in pieces[:-1]:
        whole = len(piece) - len(piece) % FULL
        for at in range(0, whole, FULL):
            out += b"\xff" + piece[at : at + FULL]
        out.append(len(piece) - whole + 1)
        out += piece[whole:]
    last = pieces[-1]
    for at in range(0, len(last), FULL):
        part = last[at : at + FULL]
        out.append(len(part) + 1)
        out += part
    if not last:
        out.append(1)
    return bytes(out)


def unstuff(data: bytes) -> bytes:
    """Return what `stuff` was given.

    Raises:
        FrameError: a zero inside, a length that points past the end, or nothing at all.
    """
    if not data or 0 in data:
        raise FrameError(Fault.STUFFING, "empty, or a zero inside")
    out, full = bytearray(data), []
    at, end = 0, len(data)
    # What leads a piece stands where the zero before it was.
    while at < end:
        code = out[at]
        out[at] = 0
        at += code
        if code > FULL:
            full.append(at)
    if at > end:
        raise FrameError(Fault.STUFFING, f"a length points {at - end} bytes past the end")
    # There was none after a full piece.
    for at in reversed(full):
        if at < end:
            del out[at]
    return bytes(out[1:])
