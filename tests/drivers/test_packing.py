"""Spins and values as bytes: by hand, round trips, and nothing bent to fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drivers.wire import packing
from drivers.wire.constants import REPLAY_DEPTH
from drivers.wire.faults import MessageError
from drivers.wire.sequence import Turn, following, turn
from isingeq.errors import CapabilityError


def test_spins_by_hand():
    first = [1, -1, -1, 1, 1, -1, -1, -1, -1, 1]
    second = [-1] * 9 + [1]
    assert packing.pack_spins(np.array([first, second])) == bytes([0x19, 0x02, 0x00, 0x02])


@given(st.integers(1, 70).flatmap(lambda n: arrays(bool, st.tuples(st.integers(0, 5), st.just(n)))))
def test_spins_round_trip(up):
    states = np.where(up, 1, -1).astype(np.int8)
    packed = packing.pack_spins(states)
    assert len(packed) == len(states) * packing.packed_bytes(states.shape[1])
    back = packing.unpack_spins(packed, states.shape[1])
    assert back.dtype == np.int8
    np.testing.assert_array_equal(back, states)


@pytest.mark.parametrize("wrong", [0, 2, 0.5, np.nan])
def test_what_is_no_spin_is_refused(wrong):
    with pytest.raises(CapabilityError, match="-1 or"):
        packing.pack_spins(np.array([[1, wrong]]))


def test_rows_cut_short_or_dirty_are_refused():
    with pytest.raises(MessageError, match="no rows of 2"):
        packing.unpack_spins(b"\x01\x01\x01", 10)
    with pytest.raises(MessageError, match="beyond the last of 10"):
        packing.unpack_spins(b"\x01\x04", 10)


@pytest.mark.parametrize(
    ("values", "width", "packed"),
    [
        ([127, -128, -1], 1, "7f 80 ff"),
        ([-2, 300, -32768], 2, "fe ff 2c 01 00 80"),
        ([-2, 70000], 4, "fe ff ff ff 70 11 01 00"),
        ([], 1, ""),
    ],
)
def test_values_by_hand(values, width, packed):
    assert packing.pack_values(np.array(values, dtype=int), width) == bytes.fromhex(packed)
    np.testing.assert_array_equal(packing.unpack_values(bytes.fromhex(packed), width), values)


@pytest.mark.parametrize("value", [128, -129])
def test_values_are_not_clipped(value):
    with pytest.raises(CapabilityError, match="-128 to 127 fit"):
        packing.pack_values(np.array([0, value]), 1)
    assert packing.narrowest(np.array([0, value])) == 2
    assert packing.narrowest(np.array([127, -128])) == 1


def test_values_are_not_rounded():
    with pytest.raises(CapabilityError, match="quantise first"):
        packing.pack_values(np.array([1.0]), 1)


def test_half_a_value_is_refused():
    with pytest.raises(MessageError, match="3 bytes are no values of 2"):
        packing.unpack_values(b"abc", 2)
    with pytest.raises(MessageError, match="7 bytes are no legs"):
        packing.unpack_legs(b"abcdefg")


def test_couplings_take_one_byte_up_to_eight_bits():
    assert [packing.value_bytes(bits) for bits in (1, 8, 9, 16)] == [1, 1, 2, 2]


def test_legs():
    legs = np.array([[16, 256, 100], [65535, 0, 1]])
    packed = packing.pack_legs(legs)
    assert packed == bytes.fromhex("10 00 00 01 64 00 ff ff 00 00 01 00")
    np.testing.assert_array_equal(packing.unpack_legs(packed), legs)
    with pytest.raises(CapabilityError, match="0 to 65535 fit"):
        packing.pack_legs(np.array([[16, 65536, 100]]))
    with pytest.raises(CapabilityError, match="quantise first"):
        packing.pack_legs(np.array([[16.5, 256.0, 100.0]]))


@pytest.mark.parametrize(
    ("sequence", "expected", "stands"),
    [
        (5, 5, Turn.NEW),
        (6, 5, Turn.AHEAD),
        (4, 5, Turn.AGAIN),
        (5 - 8 + 65536, 5, Turn.AGAIN),
        (5 - 9 + 65536, 5, Turn.OLD),
        (0, 65535, Turn.AHEAD),
        (65535, 0, Turn.AGAIN),
        (32767, 0, Turn.AHEAD),
        (32768, 0, Turn.OLD),
    ],
)
def test_how_a_sequence_number_stands(sequence, expected, stands):
    assert REPLAY_DEPTH == 8
    assert turn(sequence, expected) is stands


@given(st.integers(0, 65535))
def test_sequence_numbers_wrap(expected):
    assert turn(following(expected), expected) is Turn.AHEAD
    assert turn(expected, following(expected)) is Turn.AGAIN
    assert 0 <= following(expected) <= 65535


@given(st.lists(st.integers(0, 30), max_size=200))
def test_whatever_arrives_each_is_executed_once_and_in_order(arrivals):
    start, executed, expected = 65520, [], 65520
    for ahead in arrivals:
        sequence = (start + ahead) % 65536
        if turn(sequence, expected) is Turn.NEW:
            executed.append(ahead)
            expected = following(expected)
    assert executed == list(range(len(executed)))
