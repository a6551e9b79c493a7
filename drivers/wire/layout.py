"""Byte layouts read off the annotations of a message: fixed numbers first, then at most one tail.

A message is a frozen dataclass whose fields are annotated with the types below, little-endian and unpadded.
A `Spins` field is a list of u16 whose number the field before it, `num_…`, gives; `bytes` is all that is left.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from operator import attrgetter
from typing import Annotated, Any, TypeVar, get_type_hints

from drivers.wire.faults import MessageError

U8 = Annotated[int, "B"]
U16 = Annotated[int, "H"]
U32 = Annotated[int, "I"]
U64 = Annotated[int, "Q"]
I32 = Annotated[int, "i"]
Spins = Annotated[tuple[int, ...], "H*"]
Message = TypeVar("Message")
NAMES = {"B": "u8", "H": "u16", "I": "u32", "Q": "u64", "i": "i32", "H*": "u16 each"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a message lies in its payload.

    Attributes:
        fixed: the numbers, as one struct.
        names: of the numbers, in order.
        numbers: takes them from a message, in order.
        kinds: the enumerations among them: place among the numbers, name, class.
        rows: (offset, name, type) of every field, as a byte table prints them.
        spins: name of the list of spins, if there is one.
        tail: name of the bytes at the end, if there are any.
    """

    fixed: struct.Struct
    names: tuple[str, ...]
    numbers: Callable[[Any], tuple[Any, ...]]
    kinds: tuple[tuple[int, str, type[IntEnum]], ...]
    rows: tuple[tuple[str, str, str], ...]
    spins: str | None
    tail: str | None

    @property
    def size(self) -> int:
        """Bytes of the fixed part."""
        return self.fixed.size

    @property
    def offsets(self) -> list[tuple[str, int]]:
        """Name and offset of every field that has a fixed offset."""
        return [(name, int(at)) for at, name, _ in self.rows if at.isdigit()]


_KNOWN: dict[type, Layout] = {}


def layout_of(kind: type) -> Layout:
    """Return the layout that the annotations of a message class declare; they are read once."""
    if kind not in _KNOWN:
        _KNOWN[kind] = _read(kind)
    return _KNOWN[kind]


def _read(kind: type) -> Layout:
    hints = get_type_hints(kind, include_extras=True)
    codes, names, kinds, rows = "", [], [], []
    spins = tail = None
    for field in fields(kind):
        hint = hints[field.name]
        at = str(struct.calcsize("<" + codes)) if spins is None else "…"
        if hint is bytes:
            tail, code = field.name, "bytes"
        else:
            code = hint.__metadata__[0]
            if code == "H*":
                spins = field.name
            else:
                codes += code
                names.append(field.name)
                if issubclass(hint.__origin__, IntEnum):
                    kinds.append((len(names) - 1, field.name, hint.__origin__))
        rows.append((at, field.name, NAMES.get(code, code)))
    fixed = struct.Struct("<" + codes)
    return Layout(fixed, tuple(names), _taker(names), tuple(kinds), tuple(rows), spins, tail)


def _taker(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what takes attributes of these names as a tuple, however many there are."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def pack(message: Any) -> bytes:
    """Return the payload of a message.

    Raises:
        MessageError: a number that its field cannot hold.
    """
    layout = layout_of(type(message))
    try:
        data = layout.fixed.pack(*layout.numbers(message))
        if layout.spins is not None:
            listed = getattr(message, layout.spins)
            if len(listed) != getattr(message, "num_" + layout.spins):
                raise MessageError(f"{type(message).__name__} counts its {layout.spins} wrongly")
            data += struct.pack(f"<{len(listed)}H", *listed)
    except struct.error as error:
        raise MessageError(f"{message} does not fit its layout: {error}") from None
    return data if layout.tail is None else data + getattr(message, layout.tail)


def unpack(kind: type[Message], payload: bytes) -> Message:
    """Return the message of class `kind` in a payload.

    Raises:
        MessageError: too short, too long, or a number that means nothing.
    """
    layout = layout_of(kind)
    size, name = layout.size, kind.__name__
    if len(payload) < size:
        raise MessageError(f"{name} of {len(payload)} bytes, at least {size} are needed")
    values = list(layout.fixed.unpack_from(payload))
    for place, field, meanings in layout.kinds:
        try:
            values[place] = meanings(values[place])
        except ValueError:
            raise MessageError(f"{name}.{field} is {values[place]}, which has no meaning") from None
    if layout.spins is not None:
        count = values[-1]
        if len(payload) < size + 2 * count:
            raise MessageError(f"{name} lists {count} {layout.spins}, {len(payload)} bytes came")
        values.append(struct.unpack_from(f"<{count}H", payload, size))
        size += 2 * count
    if layout.tail is not None:
        values.append(payload[size:])
    elif len(payload) > size:
        raise MessageError(f"{name} of {len(payload)} bytes, {size} are allowed")
    return kind(*values)
