"""From a name or a file to an `Experiment`, with what a command line adds; errors name the key."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from isingeq.errors import ConfigError
from isingeq.experiments.config import Experiment

Table = dict[str, Any]
_SHIPPED = {
    "experiment": files("isingeq.experiments") / "shipped",
    "study": files("isingeq.experiments") / "studies",
}


def shipped(kind: str = "experiment") -> list[str]:
    """Return the names of the experiments, or studies, that come with the package, sorted."""
    return sorted(
        item.name.removesuffix(".toml")
        for item in _SHIPPED[kind].iterdir()
        if item.name.endswith(".toml")
    )


def read_experiment(
    source: str | Path,
    *,
    settings: Sequence[str] = (),
    overrides: Mapping[str, object] | None = None,
) -> Experiment:
    """Read an experiment.

    Args:
        source: name of a shipped experiment, or path of a TOML file.
        settings: `KEY=VALUE` texts, values as in TOML; what is no TOML value is a string, and
            `none` unsets.
        overrides: values by dotted key that win over the file; those that are None are left out. A
            `machine.backend` among them replaces the whole table: options belong to one backend.

    Raises:
        ConfigError: an unknown name, an unreadable file, or a key or value that is not understood.
    """
    return _amended(parse(text_of(source), str(source)), settings, overrides or {})


def _amended(table: Table, settings: Sequence[str], overrides: Mapping[str, object]) -> Experiment:
    given = {key: value for key, value in overrides.items() if value is not None}
    if "machine.backend" in given:
        table["machine"] = {}
    for key, value in given.items():
        _put(table, key, value)
    for setting in settings:
        key, value = parse_setting(setting)
        _put(table, key, value)
    return validate(table)


def amended(
    experiment: Experiment, *, settings: Sequence[str] = (), overrides: Mapping[str, object]
) -> Experiment:
    """Return an experiment with settings and overrides as `read_experiment` takes them.

    Raises:
        ConfigError: a key or value that is not understood.
    """
    return _amended(experiment.model_dump(mode="json"), settings, overrides)


def validate(table: Table) -> Experiment:
    """Turn a table of plain values into an experiment.

    Raises:
        ConfigError: a key or value that is not understood; one line about the first of them.
    """
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        raise ConfigError(one_line(error, keys())) from None


def parse(text: str, where: str) -> Table:
    """Parse TOML.

    Raises:
        ConfigError: it is no TOML; says where.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from None


def parse_setting(setting: str) -> tuple[str, object]:
    """Split `KEY=VALUE`, the value read as TOML; what is no TOML value is a string.

    Raises:
        ConfigError: no equals sign, no key, or an array that TOML does not read.
    """
    key, sign, text = setting.partition("=")
    key, text = key.strip(), text.strip()
    if not sign or not key:
        raise ConfigError(
            f"setting {setting!r} is not KEY=VALUE: write for example learning.epochs=5"
        )
    if text == "none":
        return key, None
    try:
        return key, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text.startswith("["):
            raise ConfigError(
                f"setting {setting!r} is no TOML array: write 0.5 for .5, and quote texts"
            ) from error
        return key, text


def keys() -> list[str]:
    """Return every dotted key that an experiment knows."""
    return list(_keys(Experiment))


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _keys(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def text_of(source: str | Path, kind: str = "experiment") -> str:
    """Return the text of a shipped experiment or study, or of a file.

    Raises:
        ConfigError: an unknown name, or an unreadable file.
    """
    name, known = str(source), shipped(kind)
    if isinstance(source, str) and name in known:
        return (_SHIPPED[kind] / f"{name}.toml").read_text(encoding="utf-8")
    path = Path(source)
    if path.suffix != ".toml" and not path.is_file():
        near = difflib.get_close_matches(name, known, n=1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"there are {', '.join(known)}, or give a .toml file"
        )
        raise ConfigError(f"no {kind} is called {name!r}; {hint}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(
            f"{kind} {path} cannot be read ({reason}): "
            f"give a TOML file, or one of {', '.join(known)}"
        ) from None


def _put(table: Table, key: str, value: object) -> None:
    """Set a dotted key."""
    *path, last = key.split(".")
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(
                f"key {key!r} goes through {part!r}, which is a value and no table; "
                f"{_nearest(key, keys())}"
            )
    table[last] = value


def one_line(errors: ValidationError, known: Sequence[str]) -> str:
    """Say in one line which key is wrong, what came and what is allowed.

    Args:
        errors: of which the first is told.
        known: all keys.
    """
    error = errors.errors(include_url=False)[0]
    path = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        key = ".".join(path)
        return f"unknown key {key!r}; {_nearest(key, known)}"
    if error["type"] == "missing":
        key = ".".join(path)
        return f"key {key!r} is missing: add it to the file, or --set {key}=VALUE"
    # In a union the path goes on with the kind that was tried; the key ends before it.
    key = next((k for k in (".".join(path[:n]) for n in (2, 1)) if k in known), ".".join(path[:2]))
    allowed = (
        str(error["msg"]).replace("Input should be", "must be").replace("valid dictionary", "table")
    )
    if error["type"] in ("model_type", "dict_type"):
        allowed = "must be a table of keys"
    if error["type"] == "tuple_type":
        allowed = "must be an array such as [128, 64]"
    if path[0] == "machine" and len(path) > 1 and path[1] != "backend":
        allowed = "must be a number, a text without &, true or false"
    if error["type"] == "string_pattern_mismatch":
        allowed = "must be letters, digits, '.', '_' or '-'"
    element = f" (element {error['loc'][-1] + 1})" if isinstance(error["loc"][-1], int) else ""
    return f"{key} = {error['input']!r}{element}: {allowed[0].lower()}{allowed[1:]}"


def _nearest(key: str, known: Sequence[str]) -> str:
    """Name the key that was most likely meant, by its whole name or by its last part."""
    if near := difflib.get_close_matches(key, known, n=1, cutoff=0.75):
        return f"did you mean {near[0]!r}?"
    leaves = {name.rpartition(".")[2]: name for name in known}
    if near := difflib.get_close_matches(key.rpartition(".")[2], leaves, n=1, cutoff=0.6):
        return f"did you mean {leaves[near[0]]!r}?"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return f"did you mean {near[0]!r}?"
