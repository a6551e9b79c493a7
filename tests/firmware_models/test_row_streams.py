"""Rows as events: when they come, how many to a frame, and who is told of the end."""

from dataclasses import astuple

import numpy as np
from host import FIELDS, LEGS, Host, N, changed
from rows import expected

from drivers.wire import requests as ask
from drivers.wire.constants import Event, Flag, Opcode, RunFlag
from drivers.wire.packing import pack_legs, unpack_spins
from drivers.wire.replies import Ended, Rows
from firmware_models import board, runs
from firmware_models.server import Server


def stream_host(**tables):
    board = changed(limits={"frame": 68, "window": 256}, **tables)
    host = Host(Server(board, uid=42, boot=7))
    host.hello()
    host.begin()
    host.commit()
    host.load(
        Opcode.LOAD_FIELDS, ask.LoadFields, FIELDS.astype("<i2").tobytes(), 2, step=50, each=2
    )
    host.ask(Opcode.LOAD_LEGS, ask.LoadLegs(0, pack_legs(LEGS)))
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    return host


def streamed(host):
    """Take the events: rows by number, and whether more follow."""
    frames, rows = host.events, {}
    messages = host.told()
    for message in messages:
        if isinstance(message, Rows | Ended):
            spins = unpack_spins(message.packed, N)
            rows.update({message.row + k: spins[k].tolist() for k in range(len(spins))})
    return rows, [bool(frame.flags & Flag.MORE) for frame in frames], messages


def assert_tells_what_poll_does(end, progress):
    assert [getattr(end, name) for name in progress.__slots__] == list(astuple(progress))


def test_rows_are_streamed_as_they_become_ready(monkeypatch):
    monkeypatch.setattr(runs, "MOST_SLOTS", 1)
    monkeypatch.setattr(board, "LEAST_BYTES", 15)
    host = stream_host()
    host.start(run=5, reads=20, flags=RunFlag.ANNOUNCE)
    host.ask(Opcode.STREAM, ask.Stream(5, 3, 1000))
    assert host.events == []
    host.finish()
    rows, more, messages = streamed(host)
    due = np.reshape(expected(3, 20), (60, N)).tolist()
    assert rows == {k: due[k] for k in range(3, 60)}
    assert more == [True, True, False]
    assert isinstance(messages[-1], Ended), "the last rows come with the end"
    assert messages[-1].row == 40
    assert_tells_what_poll_does(messages[-1], host.ask(Opcode.POLL, ask.RunId(5)))


def test_a_run_may_stream_all_its_rows_from_the_start():
    host = stream_host()
    host.start(run=5, reads=2, flags=RunFlag.STREAM)
    host.finish()
    rows, more, _ = streamed(host)
    assert list(rows) == list(range(6))
    assert more == [False]


def test_a_few_rows_wait_for_more_or_for_the_end(monkeypatch):
    monkeypatch.setattr(runs, "MOST_SLOTS", 1)
    host = stream_host()
    host.start(run=5, reads=40, flags=RunFlag.STREAM)
    host.finish()
    _, more, messages = streamed(host)
    assert [message.num_rows for message in messages] == [44, 44, 32]
    assert more == [True, True, False]


def test_frames_of_a_stream_are_full_and_credit_ends_it():
    host = stream_host()
    host.start(run=5, reads=40)
    host.finish()
    host.ask(Opcode.STREAM, ask.Stream(5, 1, 100))
    rows, more, messages = streamed(host)
    assert list(rows) == list(range(1, 101))
    assert [message.num_rows for message in messages] == [44, 44, 12]
    assert more == [True, True, False]
    host.ask(Opcode.STREAM, ask.Stream(5, 0, 0))
    assert host.told() == []
    host.ask(Opcode.STREAM, ask.Stream(5, 118, 99))
    assert [(m.row, m.num_rows) for m in host.told()] == [(118, 2)]


def test_asking_again_replaces_what_was_asked_before():
    host = stream_host()
    host.start(run=5, reads=2)
    host.ask(Opcode.STREAM, ask.Stream(5, 0, 6))
    host.ask(Opcode.STREAM, ask.Stream(5, 4, 1))
    host.finish()
    assert [(m.row, m.num_rows) for m in host.told()] == [(4, 1)]


def test_without_events_nothing_is_told():
    host = stream_host()
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 0))
    host.start(run=5, flags=RunFlag.ANNOUNCE)
    host.ask(Opcode.STREAM, ask.Stream(5, 0, 6))
    host.finish()
    assert host.told() == []
    host.ask(Opcode.SET_PARAMETER, ask.SetParameter(1, 1))
    assert [frame.opcode for frame in host.events] == [Event.ROWS]
    assert [m.num_rows for m in host.told()] == [6]
