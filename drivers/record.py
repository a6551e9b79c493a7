"""Plain data (TOML, JSON) into frozen dataclasses, nothing guessed: a key too many or a wrong type is an error."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from isingeq.errors import ConfigError

Record = TypeVar("Record")
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def record_from(kind: type[Record], data: object, where: str) -> Record:
    """Return a dataclass of this kind; `where` names the table in messages.

    Raises:
        ConfigError: not a table, an unknown or missing key, a value of the wrong type.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} is {data!r}, a table is needed")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(map(str, data)) - set(known))
    if unknown:
        raise ConfigError(f"{where}.{unknown[0]} is not known; there are {', '.join(known)}")
    missing = [
        name
        for name, field in known.items()
        if name not in data and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise ConfigError(f"{where}.{missing[0]} is missing")
    hints = get_type_hints(kind)
    return kind(**{k: _value(hints[k], v, f"{where}.{k}") for k, v in data.items()})


def _value(hint: Any, value: object, where: str) -> Any:
    origin = get_origin(hint)
    if origin is UnionType:
        if value is None and NoneType in get_args(hint):
            return None
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
        return _value(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} is {value!r}, a list is needed")
        inner, *rest = get_args(hint)
        if rest and rest[0] is not ... and len(value) != len(rest) + 1:
            raise ConfigError(f"{where} has {len(value)} entries, {len(rest) + 1} are needed")
        return tuple(_value(inner, entry, f"{where}[{at}]") for at, entry in enumerate(value))
    if is_dataclass(hint):
        return record_from(hint, value, where)  # type: ignore[arg-type]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} is {value!r}, {_WORDS.get(hint, hint.__name__)} is needed")
    return value
