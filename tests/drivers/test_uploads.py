import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drivers.uploads import load_couplings, load_fields, load_states
from drivers.wire.constants import Opcode
from drivers.wire.layout import pack
from drivers.wire.packing import unpack_spins, unpack_values

MOST = 100


def put_couplings(held, asked, width):
    held = held.copy()
    for opcode, message in asked:
        assert opcode is Opcode.LOAD_COUPLINGS
        assert len(pack(message)) <= MOST
        values = unpack_values(message.values, width)
        held[message.offset : message.offset + len(values)] = values
    return held


def put_fields(held, asked):
    held = held.copy()
    n = held.shape[1]
    for opcode, message in asked:
        assert len(pack(message)) <= MOST
        values = unpack_values(message.values, message.width)
        if opcode is Opcode.LOAD_FIELDS:
            held.ravel()[message.offset : message.offset + len(values)] = values
        else:
            assert opcode is Opcode.PATCH_FIELDS
            slots = slice(message.slot, message.slot + message.num_slots)
            held[slots, list(message.spins)] = values.reshape(-1, len(message.spins))
    assert held.shape[1] == n
    return held


@given(st.data(), st.sampled_from([1, 2]), st.integers(1, 400))
def test_couplings_arrive_and_only_changes_travel(data, width, m):
    before = data.draw(arrays(np.int64, m, elements=st.integers(-100, 100)))
    after = before.copy()
    places = data.draw(st.lists(st.integers(0, m - 1), max_size=10))
    after[places] = data.draw(st.integers(-100, 100))
    asked = list(load_couplings(before, after, width=width, most=MOST))
    assert (put_couplings(before, asked, width) == after).all()
    changed = np.count_nonzero(before != after)
    assert sum(len(message.values) for _, message in asked) <= width * (25 * changed)


def test_couplings_that_are_not_known_travel_whole():
    after = np.arange(-60, 60)
    asked = list(load_couplings(None, after, width=1, most=MOST))
    assert len(asked) == 2
    assert (put_couplings(np.zeros_like(after), asked, 1) == after).all()


@given(st.data(), st.integers(1, 9), st.integers(1, 40), st.sampled_from([1, 300]))
def test_fields_arrive(data, k, n, scale):
    small = st.integers(-100, 100)
    before = scale * data.draw(arrays(np.int64, (k, n), elements=small))
    after = before.copy()
    spins = data.draw(st.lists(st.integers(0, n - 1), max_size=4))
    after[:, spins] = scale * data.draw(arrays(np.int64, (k, len(spins)), elements=small))
    assert (put_fields(before, load_fields(before, after, most=MOST)) == after).all()
    assert (put_fields(0 * before, load_fields(None, after, most=MOST)) == after).all()


def test_a_nudge_is_a_patch_of_a_few_spins():
    before = np.zeros((32, 64), np.int64)
    after = before.copy()
    after[:, -10:] = 5
    asked = list(load_fields(before, after, most=1000))
    assert [opcode for opcode, _ in asked] == [Opcode.PATCH_FIELDS]
    assert len(pack(asked[0][1])) == 7 + 20 + 320


def test_new_inputs_are_whole_slots():
    rng = np.random.default_rng(0)
    before, after = rng.integers(-100, 100, (2, 8, 64))
    asked = list(load_fields(before, after, most=1000))
    assert [opcode for opcode, _ in asked] == [Opcode.LOAD_FIELDS]


def test_nothing_travels_where_nothing_changed():
    same = np.ones((3, 5), np.int64)
    assert list(load_fields(same, same, most=MOST)) == []
    assert list(load_couplings(same[0], same[0], width=1, most=MOST)) == []


@pytest.mark.parametrize("n", [1, 8, 13, 192])
def test_states_arrive(n):
    states = np.random.default_rng(n).choice([-1, 1], (40, n)).astype(np.int8)
    data = bytearray()
    for _, message in load_states(states, most=MOST):
        assert message.offset == len(data)
        data += message.packed
    assert (unpack_spins(bytes(data), n) == states).all()
