"""Write what is derived from `wire/protocol.toml`: `python -m drivers.generate [--check]`, in the source tree.

The numbers go to `drivers/wire/constants.py`. With the byte layouts that `drivers/wire/requests.py` and `replies.py`
declare, they go to `firmware_models/c/protocol.h` and the tables of `docs/protocol.md`. `--check` writes nothing.
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "drivers" / "wire" / "protocol.toml"
PYTHON = ROOT / "drivers" / "wire" / "constants.py"
HEADER = ROOT / "firmware_models" / "c" / "protocol.h"
PAGE = ROOT / "docs" / "protocol.md"
BEGIN, END = "<!-- generated -->", "<!-- end of generated -->"
NOTICE = (
    "Generated from drivers/wire/protocol.toml by `python -m drivers.generate`; not to be edited."
)
Source = dict[str, Any]


def read_source() -> Source:
    """Return protocol.toml as data."""
    return tomllib.loads(SOURCE.read_text(encoding="utf-8"))


def number(name: str, value: int) -> str:
    """Return a value the way its kind is best read: opcodes, polynomials and magic words in hex."""
    return f"0x{value:02X}" if "MAGIC" in name or "CRC" in name or "Opcode" in name else str(value)


def members(name: str, source: Source) -> Iterator[tuple[str, str, str]]:
    """Yield name, value as text and meaning of each member of an enumeration."""
    for member, row in source["enums"][name].items():
        if member != "about":
            prefix = "Opcode" if name in ("Opcode", "Event") else name
            yield member, number(prefix, row["value"]), row["about"]


def python_text(source: Source) -> str:
    """Return the text of constants.py."""
    lines = ['"""Numbers of the protocol.', "", NOTICE, '"""', "", "from enum import IntEnum", ""]
    lines += [f"VERSION = {source['version']}", '"""Version of the protocol."""']
    for table in ("limits", "crc"):
        for name, row in source[table].items():
            lines += [f"{name} = {number(name, row['value'])}", f'"""{row["about"]}"""']
    for name, rows in source["enums"].items():
        lines += ["", "", f"class {name}(IntEnum):", f'    """{rows["about"]}"""', ""]
        for member, value, about in members(name, source):
            lines += [f"    {member} = {value}", f'    """{about}"""']
    pure = [m for m, row in source["enums"]["Opcode"].items() if m != "about" and row.get("pure")]
    lines += ["", "", "PURE = frozenset(", "    {"]
    lines += [f"        Opcode.{name}," for name in pure]
    lines += ["    }", ")", '"""Requests that change nothing: run again where they come again."""']
    return "\n".join(lines) + "\n"


def nibble_table(polynomial: int, bits: int, *, reflected: bool) -> list[int]:
    """Return the 16 entries that take a CRC on by four bits."""
    table, top = [], 1 << (bits - 1)
    for value in range(16):
        entry = value if reflected else value << (bits - 4)
        for _ in range(4):
            if reflected:
                entry = entry >> 1 ^ (polynomial if entry & 1 else 0)
            else:
                entry = (entry << 1 ^ (polynomial if entry & top else 0)) & (2 * top - 1)
        table.append(entry)
    return table


def table_lines(name: str, table: list[int], digits: int) -> list[str]:
    """Return a macro that initialises an array, four entries a line."""
    rows = [table[at : at + 4] for at in range(0, 16, 4)]
    text = [", ".join(f"0x{entry:0{digits}X}u" for entry in row) for row in rows]
    return [f"#define {name} {{ \\", *(f"    {row}, \\" for row in text[:-1]), f"    {text[-1]} }}"]


def upper(name: str) -> str:
    """Return CamelCase as UPPER_CASE."""
    return "".join(f"_{c}" if c.isupper() and at else c for at, c in enumerate(name)).upper()


def header_text(source: Source) -> str:
    """Return the text of protocol.h."""
    # Here and not above: the messages need the constants, which are written first.
    from drivers.wire.constants import Event
    from drivers.wire.layout import layout_of
    from drivers.wire.messages import EVENTS, EXCHANGES

    lines = [f"/* {NOTICE} */", "#ifndef IQP_PROTOCOL_H", "#define IQP_PROTOCOL_H", ""]
    lines += [f"#define IQP_VERSION {source['version']}u"]
    for table in ("limits", "crc"):
        for name, row in source[table].items():
            value = number(name, row["value"])
            lines.append(f"#define IQP_{name} {value}{'UL' if row['value'] > 65535 else 'u'}")
    crc = {name: row["value"] for name, row in source["crc"].items()}
    lines += [
        "",
        "/* CRC by nibbles: CRC-16 takes the high nibble of a byte first, CRC-32 the low one. */",
    ]
    sixteen = nibble_table(crc["CRC16_POLYNOMIAL"], 16, reflected=False)
    thirty_two = nibble_table(crc["CRC32_POLYNOMIAL"], 32, reflected=True)
    lines += table_lines("IQP_CRC16_NIBBLES", sixteen, 4)
    lines += table_lines("IQP_CRC32_NIBBLES", thirty_two, 8)
    for name in source["enums"]:
        lines += ["", f"/* {name}: {source['enums'][name]['about']} */"]
        for member, value, about in members(name, source):
            lines.append(f"#define IQP_{upper(name)}_{member} {value}u /* {about} */")
    lines += ["", "/* Messages: where each field begins, and the bytes of the fixed part. */"]
    messages = [(code.name, asked) for code, (asked, _) in EXCHANGES.items()]
    messages += [(f"REPLY_{code.name}", answer) for code, (_, answer) in EXCHANGES.items()]
    messages += [(f"EVENT_{code.name}", EVENTS[code]) for code in Event]
    for name, kind in messages:
        layout = layout_of(kind)
        lines += [f"#define IQP_AT_{name}_{n.upper()} {at}u" for n, at in layout.offsets]
        lines.append(f"#define IQP_BYTES_{name} {layout.size}u")
    return "\n".join([*lines, "", "#endif"]) + "\n"


def page_text(source: Source) -> str:
    """Return the text of protocol.md with its tables renewed."""
    from drivers.wire.constants import Event
    from drivers.wire.messages import EVENTS, EXCHANGES

    lines = [BEGIN]
    for opcode, (asked, answer) in EXCHANGES.items():
        row = source["enums"]["Opcode"][opcode.name]
        pure = " Pure." if row.get("pure") else ""
        lines += ["", f"### 0x{opcode:02X} {opcode.name}", "", f"{sentence(row['about'])}{pure}"]
        lines += byte_table("Request", asked) + byte_table("Reply, after status 0", answer)
    for event in Event:
        row = source["enums"]["Event"][event.name]
        lines += ["", f"### 0x{event:02X} event {event.name}", "", sentence(row["about"])]
        lines += byte_table("Event", EVENTS[event])
    lines += ["", "### Numbers"]
    for name in source["enums"]:
        if name not in ("Opcode", "Event"):
            lines += ["", f"{upper(name)}: {source['enums'][name]['about']}", ""]
            lines += ["| value | name | meaning |", "|---|---|---|"]
            lines += [f"| {v} | {m} | {about} |" for m, v, about in members(name, source)]
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + "\n".join([*lines, "", END]) + rest.split(END)[1]


def byte_table(title: str, kind: type) -> list[str]:
    """Return a table of the bytes of one message."""
    from drivers.wire.layout import layout_of

    rows = layout_of(kind).rows
    if not rows:
        return ["", f"{title}: no payload."]
    about = " ".join((kind.__doc__ or "").replace("`", "").split())
    head = ["", f"{title}: {about}", "", "| at | field | type |", "|---|---|---|"]
    return [*head, *(f"| {at} | {name} | {code} |" for at, name, code in rows)]


def sentence(text: str) -> str:
    """Return a meaning as a sentence."""
    return text[0].upper() + text[1:] + "."


def main(arguments: list[str]) -> int:
    """Write the three files, or with --check say which of them differ; return 0 when all is well."""
    source = read_source()
    differing = []
    for path, text_of in ((PYTHON, python_text), (HEADER, header_text), (PAGE, page_text)):
        text = text_of(source)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(path.name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    done = "differs from protocol.toml" if "--check" in arguments else "written"
    for name in differing:
        print(f"{name} {done}")
    return int(bool(differing) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
