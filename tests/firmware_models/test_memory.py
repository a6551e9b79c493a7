"""What a board holds is what was loaded, where it may be loaded, until memory rots."""

import numpy as np
import pytest
from host import COUPLINGS, DIGEST, FIELDS, LEGS, PROFILE, Host, N, changed, contents

from drivers.wire import requests as ask
from drivers.wire.constants import (
    BeginFlag,
    Memory,
    Opcode,
    Status,
)
from drivers.wire.crc import couplings_digest, crc32
from drivers.wire.packing import pack_legs, pack_spins, pack_values, packed_bytes
from firmware_models.server import Server

DATA = COUPLINGS.astype("<i1").tobytes()
BEYOND = (Status.OUT_OF_RANGE, 0)


def test_an_upload_is_what_is_read_back():
    host = Host().ready()
    read = lambda *stretch: host.ask(Opcode.READBACK, ask.Stretch(*stretch)).data  # noqa: E731
    assert read(Memory.COUPLINGS, 0, 10) == DATA
    assert read(Memory.FIELDS, 0, 15) == pack_values(FIELDS, 2)
    assert read(Memory.FIELDS, 15, 5) == bytes(10)
    assert read(Memory.LEGS, 0, 2) == pack_legs(LEGS)
    host.ask(Opcode.PATCH_FIELDS, ask.PatchFields(1, 2, 2, 2, (4, 0), pack_values(np.arange(4), 2)))
    host.ask(Opcode.LOAD_FIELDS, ask.LoadFields(7, 1, b"\xfd\x7f"))
    patched = FIELDS.copy()
    patched[1:, [4, 0]] = [[0, 1], [2, 3]]
    patched[1, 2:4] = -3, 127
    assert read(Memory.FIELDS, 0, 15) == pack_values(patched, 2)
    states = pack_spins(np.array([[1, -1, 1, 1, -1], [-1, 1, -1, 1, 1]]))
    host.ask(Opcode.LOAD_STATES, ask.LoadStates(1, states))
    host.ask(Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\x05"))
    assert read(Memory.STATES, 0, 4) == b"\0" + states + b"\0"
    assert read(Memory.CLAMPS, 0, 1) == b"\x05"
    digest = host.ask(Opcode.DIGEST, ask.Stretch(Memory.FIELDS, 3, 4)).digest
    assert digest == crc32(pack_values(patched.reshape(-1)[3:7], 2))


def test_begin_clears_and_keep_does_not():
    host = Host().ready()
    host.ask(Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\x05"))
    full = contents(host.server)
    host.ask(Opcode.BEGIN, ask.Begin(N, BeginFlag.KEEP))
    assert contents(host.server) == full
    host.ask(Opcode.LOAD_COUPLINGS, ask.LoadCouplings(3, b"\x09"))
    new = COUPLINGS.copy()
    new[3] = 9
    host.commit(couplings=new)
    host.ask(Opcode.BEGIN, ask.Begin(N, 0))
    cleared = contents(host.server)
    assert not any(cleared[Memory.COUPLINGS])
    assert not any(cleared[Memory.FIELDS])
    assert cleared[Memory.CLAMPS :] == full[Memory.CLAMPS :]
    host.commit(couplings=np.zeros(10, int))
    host.fields()
    host.ask(Opcode.BEGIN, ask.Begin(N - 1, BeginFlag.KEEP))
    assert not any(contents(host.server)[Memory.FIELDS])
    host.commit(N - 1, np.zeros(6, int))


def test_a_lattice_takes_its_own_edges_in_order():
    square = changed(
        units={"most": 6}, topology={"kind": "square", "rows": 2, "columns": 3}
    )  # 0 1 2 over 3 4 5
    host = Host(Server(square, uid=1, boot=1))
    host.hello()
    host.ask(Opcode.BEGIN, ask.Begin(5, 0))
    assert host.refused(Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, bytes(6))) == BEYOND
    host.ask(Opcode.LOAD_COUPLINGS, ask.LoadCouplings(0, b"\1\2\3\4\5"))
    J = host.server._board.memory.dense
    upper = {(i, j): int(J[i, j]) for i, j in zip(*np.nonzero(np.triu(J)), strict=True)}
    assert upper == {(0, 1): 1, (0, 3): 2, (1, 2): 3, (1, 4): 4, (3, 4): 5}
    assert np.array_equal(J, J.T)


def test_rotten_memory_shows_in_the_digest_and_in_the_rows():
    host = Host().ready()
    good = host.sample(reads=40, num_slots=3)
    assert host.ask(Opcode.STATUS).digest == DIGEST
    host.server.corrupt(Memory.COUPLINGS, 2, 0x41)
    rotten = bytearray(DATA)
    rotten[2] ^= 0x41
    assert host.ask(Opcode.STATUS).digest == couplings_digest(N, rotten)
    assert not np.array_equal(host.sample(reads=40, num_slots=3), good)
    host.server.corrupt(Memory.COUPLINGS, 2 + 10, 0x41)
    assert host.ask(Opcode.STATUS).digest == DIGEST
    assert np.array_equal(host.sample(reads=40, num_slots=3), good)


@pytest.mark.parametrize("memory", Memory)
def test_every_memory_may_rot(memory):
    host = Host()
    host.server.corrupt(memory, 3, 1)
    host.ready()
    before = contents(host.server)[memory]
    host.server.corrupt(memory, 1, 0x80)
    after = contents(host.server)[memory]
    assert [a ^ b for a, b in zip(after, before, strict=True) if a != b] == [0x80]


def test_slots_are_what_its_memories_hold():
    host = Host()
    host.hello()
    for n in (1, 5, 17, 64):
        host.ask(Opcode.BEGIN, ask.Begin(n, 0))
        slots = min(32, 512 // n, 64 // packed_bytes(n))
        host.ask(Opcode.LOAD_FIELDS, ask.LoadFields(slots * n - 1, 1, b"\1"))
        assert host.refused(Opcode.LOAD_FIELDS, ask.LoadFields(slots * n, 1, b"\1")) == BEYOND
    assert PROFILE.slots(64) == 8


def test_slots_that_are_run_may_not_be_written():
    host = Host().ready()
    host.start(run=3, slot=1, num_slots=2)
    busy = (Status.BUSY, 3)
    for offset, count, expected in [(0, 5, True), (4, 2, False), (14, 1, False), (15, 1, True)]:
        message = ask.LoadFields(offset, 1, b"\1" * count)
        if expected:
            host.ask(Opcode.LOAD_FIELDS, message)
        else:
            assert host.refused(Opcode.LOAD_FIELDS, message) == busy
    host.ask(Opcode.LOAD_FIELDS, ask.LoadFields(6, 1, b""))
    for slot, count, expected in [(0, 1, True), (0, 2, False), (2, 1, False), (3, 1, True)]:
        patch = ask.PatchFields(slot, count, 1, 1, (0,), b"\1" * count)
        states = ask.LoadStates(slot, b"\1" * count)
        copy = ask.CopySlots(slot, count, 4)
        for opcode, message in [
            (Opcode.PATCH_FIELDS, patch), (Opcode.LOAD_STATES, states), (Opcode.COPY_SLOTS, copy),
        ]:  # fmt: skip
            if expected:
                host.ask(opcode, message)
            else:
                assert host.refused(opcode, message) == busy
    host.finish()
    host.ask(Opcode.LOAD_FIELDS, ask.LoadFields(0, 1, b"\1" * 15))


def test_slots_are_copied_with_their_start_states_even_from_a_run():
    host = Host().ready()
    host.ask(Opcode.LOAD_STATES, ask.LoadStates(1, b"\x0d\x16"))
    host.start(slot=1, num_slots=2)
    host.ask(Opcode.COPY_SLOTS, ask.CopySlots(7, 2, 1))
    host.finish()
    read = lambda *stretch: host.ask(Opcode.READBACK, ask.Stretch(*stretch)).data  # noqa: E731
    assert read(Memory.FIELDS, 7 * N, 2 * N) == pack_values(FIELDS[1:], 2)
    assert read(Memory.FIELDS, N, 2 * N) == pack_values(FIELDS[1:], 2)
    assert read(Memory.STATES, 6, 4) == b"\0\x0d\x16\0"


def test_bits_beyond_the_last_spin_are_found_wherever_a_frame_begins():
    """Twelve spins: only every second byte ends a row."""
    host = Host()
    host.hello()
    host.ask(Opcode.BEGIN, ask.Begin(12, 0))
    for offset, data, fine in [
        (0, b"\xff\x0f\xff\x0f", True),
        (1, b"\x0f\xff\x0f\xff", True),
        (1, b"\x1f", False),
        (1, b"\x0f\xff\x10", False),
        (2, b"\xff\x80", False),
    ]:
        message = ask.LoadStates(offset, data)
        if fine:
            host.ask(Opcode.LOAD_STATES, message)
        else:
            assert host.refused(Opcode.LOAD_STATES, message) == (Status.OUT_OF_RANGE, 4)
    host.ask(Opcode.LOAD_CLAMPS, ask.LoadClamps(0, b"\xff"))
    assert host.refused(Opcode.LOAD_CLAMPS, ask.LoadClamps(1, b"\x10")) == (Status.OUT_OF_RANGE, 2)
