"""The protocol page tells the truth: its examples are what the code sends, its tables are generated."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from drivers import generate
from drivers.descriptor import Descriptor
from drivers.wire import replies, requests
from drivers.wire.constants import Flag, Opcode, ResetCause, Start, Status
from drivers.wire.crc import couplings_digest, crc16, crc32
from drivers.wire.frame import REPLY, Frame, Receiver, encode_frame
from drivers.wire.layout import pack
from drivers.wire.messages import encode_refusal, encode_reply

PAGE = generate.PAGE
TEXT = PAGE.read_text(encoding="utf-8")


def asked(opcode, sequence, message, **more):
    return Frame(opcode, 0x1234, sequence, pack(message), **more)


def answered(opcode, sequence, payload, **more):
    return Frame(opcode | REPLY, 0x1234, sequence, payload, **more)


WELCOME = replies.Welcome(
    1, ResetCause.POWER, 0xA1B2C3D4, 0xA1B2C3D4, 42, 936, 0x01020304, 1024, 2048
)
DIGEST = couplings_digest(3, b"\x05\xfb\x01")
RUN = requests.Run(1, 7, 0, 0, 2, 1, 0, Start.RANDOM, 0, 0, 1, 4)
EXAMPLES = {
    "HELLO, versions 1 to 1, nonce a1b2c3d4": asked(
        Opcode.HELLO, 1, requests.Hello(1, 1, 0, 0xA1B2C3D4)
    ),
    "its reply: uid 42, descriptor of 936 bytes, frames of 1024, window of 2048": answered(
        Opcode.HELLO, 1, encode_reply(WELCOME)
    ),
    "BEGIN, 3 spins": asked(Opcode.BEGIN, 2, requests.Begin(3, 0)),
    "its reply: OK": answered(Opcode.BEGIN, 2, encode_reply(requests.Nothing())),
    "LOAD_COUPLINGS from 0 on: 5, −5, 1 for (0, 1), (0, 2), (1, 2)": asked(
        Opcode.LOAD_COUPLINGS, 3, requests.LoadCouplings(0, b"\x05\xfb\x01")
    ),
    "COMMIT": asked(Opcode.COMMIT, 4, requests.Commit(DIGEST)),
    "its reply, had a coupling been lost": answered(
        Opcode.COMMIT, 4, encode_refusal(Status.BAD_DIGEST, couplings_digest(3, b"\x05\xfb\0"))
    ),
    "LOAD_FIELDS of slots 0 and 1, one byte each: 1, 2, 3 and −1, −2, −3": asked(
        Opcode.LOAD_FIELDS, 5, requests.LoadFields(0, 1, b"\x01\x02\x03\xff\xfe\xfd")
    ),
    "PATCH_FIELDS of spin 2 in slots 0 and 1: 9 and −9": asked(
        Opcode.PATCH_FIELDS, 6, requests.PatchFields(0, 2, 1, 1, (2,), b"\x09\xf7")
    ),
    "LOAD_LEGS, leg 0: gain 16 to 256 in 100 sweeps": asked(
        Opcode.LOAD_LEGS, 7, requests.LoadLegs(0, bytes.fromhex("10 00 00 01 64 00"))
    ),
    "RUN 1, seed 7, slots 0 and 1, one read, leg 0, shift 4": asked(Opcode.RUN, 8, RUN),
    "the same sent again, with CRC-32": asked(
        Opcode.RUN, 8, RUN, flags=Flag.RETRANSMISSION, strong=True
    ),
    "its reply: accepted, 600 µs": answered(
        Opcode.RUN, 8, encode_reply(replies.Accepted(0xA1B2C3D4, 1, 600))
    ),
    "READ rows 0 and 1": asked(Opcode.READ, 9, requests.Read(1, 0, 2)),
    "its reply: − + − and + − +": answered(
        Opcode.READ, 9, encode_reply(replies.Rows(0xA1B2C3D4, 1, 0, 2, b"\x02\x05"))
    ),
    "any request after a reset": answered(Opcode.READ, 10, encode_refusal(Status.STALE_SESSION)),
}


def test_the_examples_are_what_the_code_sends():
    part = TEXT.split("## Examples")[1].split("## Messages")[0]
    rows = dict(re.findall(r"^\| (.+) \| `([0-9a-f ]+)` \|$", part, re.MULTILINE))
    assert {name: bytes.fromhex(text) for name, text in rows.items()} == {
        name: encode_frame(frame) for name, frame in EXAMPLES.items()
    }


def test_the_examples_are_read_back():
    line = b"".join(encode_frame(frame) for frame in EXAMPLES.values())
    found = Receiver().feed(line)
    assert [(f.opcode, f.payload) for f in found] == [
        (f.opcode, f.payload) for f in EXAMPLES.values()
    ]


def test_the_page_names_every_table_and_key_of_the_descriptor():
    part = TEXT.split("## Descriptor")[1].split("## Examples")[0]
    named = set(re.findall(r"`(\w+)`", part))
    for table, field in Descriptor.__dataclass_fields__.items():
        assert table in named
        assert set(getattr(field.type, "__dataclass_fields__", ())) <= named, table


def test_what_is_generated_is_up_to_date(capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_a_check_tells_what_differs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    stale = tmp_path / "constants.py"
    stale.write_text("VERSION = 0\n", encoding="utf-8")
    monkeypatch.setattr(generate, "PYTHON", stale)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "constants.py differs from protocol.toml\n"
    assert stale.read_text(encoding="utf-8") == "VERSION = 0\n"
    assert generate.main([]) == 0
    assert "LOAD_LEGS = 0x17" in stale.read_text(encoding="utf-8")


def c_numbers(name: str) -> list[int]:
    text = generate.HEADER.read_text(encoding="utf-8").replace("\\\n", "")
    (line,) = re.findall(rf"#define {name} (.*)", text)
    return [int(number, 0) for number in re.findall(r"(0x[0-9A-F]+|\d+)u", line)]


def test_the_tables_of_the_header_compute_the_checks():
    sixteen, thirty_two = c_numbers("IQP_CRC16_NIBBLES"), c_numbers("IQP_CRC32_NIBBLES")
    short, long = 0xFFFF, 0xFFFFFFFF
    data = bytes(range(250))
    for byte in data:
        for nibble in (byte >> 4, byte & 15):
            short = (short << 4 & 0xFFFF) ^ sixteen[short >> 12 ^ nibble]
        for nibble in (byte & 15, byte >> 4):
            long = long >> 4 ^ thirty_two[(long ^ nibble) & 15]
    assert short == crc16(data)
    assert long ^ 0xFFFFFFFF == crc32(data)


def test_the_header_knows_where_fields_begin():
    assert c_numbers("IQP_AT_RUN_SAMPLE") == [8]
    assert c_numbers("IQP_BYTES_RUN") == [27]
    assert c_numbers("IQP_BYTES_REPLY_HELLO") == [28]
    assert c_numbers("IQP_AT_EVENT_ROWS_NUM_ROWS") == [12]
    assert c_numbers("IQP_STATUS_OUT_OF_ORDER") == [14]
    assert c_numbers("IQP_RUN_FLAG_ANNOUNCE") == [2]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler to read the header with")
def test_a_c_compiler_takes_the_header(tmp_path: Path):
    source = tmp_path / "uses.c"
    source.write_text(
        '#include <stdint.h>\n#include "protocol.h"\n#include "protocol.h"\n'
        "const uint16_t a[16] = IQP_CRC16_NIBBLES; const uint32_t b[16] = IQP_CRC32_NIBBLES;\n"
        "const uint32_t c = IQP_RESET_MAGIC;\n",
        encoding="utf-8",
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
    subprocess.run(
        ["gcc", *flags, "-I", str(generate.HEADER.parent), str(source)], check=True, timeout=60
    )


def test_no_name_stands_twice_in_the_header():
    names = re.findall(r"#define (\w+)", generate.HEADER.read_text(encoding="utf-8"))
    assert len(names) == len(set(names)) > 150
