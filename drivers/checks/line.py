"""The line and who is at its end."""

import statistics

import numpy as np

from drivers.board import Board
from drivers.checks.expecting import expect
from drivers.wire.constants import Opcode
from drivers.wire.crc import crc32
from drivers.wire.frame import MOST_OVERHEAD
from drivers.wire.requests import Describe, Echo, Nothing

_ECHOES = 20


def greeting(board: Board) -> str:
    """Open a new session: the same board answers, and was not reset meanwhile."""
    before, now = board.session.welcome, board.session.transport.now
    started = now()
    board.revive()
    took_s = now() - started
    after = board.session.welcome
    expect(after.uid == before.uid, f"device {after.uid:#x} answers, before it was {before.uid:#x}")
    expect(after.boot == before.boot, "its boot id is another one though nobody reset it")
    return f"protocol {after.version}, device {after.uid:#x}, {1e3 * took_s:.1f} ms"


def descriptor(board: Board) -> str:
    """Fetch the descriptor in parts of an odd length, and compare it with its digest."""
    session = board.session
    size, part = session.welcome.descriptor_bytes, min(61, session.link.best_payload - 3)
    asked = [(Opcode.DESCRIBE, Describe(at, min(part, size - at))) for at in range(0, size, part)]
    data = b"".join(reply.data for reply in session.ask_all(asked, reply_bytes=part + 3))
    expect(len(data) == size, f"{len(data)} bytes came, HELLO announced {size}")
    expect(crc32(data) == session.welcome.descriptor_digest, "its digest is not that of HELLO")
    d = session.descriptor
    return f"{size} bytes: {d.maker.model}, {d.units.most} spins, {d.topology.kind}"


def every_byte(board: Board) -> str:
    """Send every byte there is, and get it back."""
    session = board.session
    data, most = bytes(range(256)), session.link.best_payload - 1
    parts = [data[at : at + most] for at in range(0, 256, most)]
    replies = session.ask_all([(Opcode.ECHO, Echo(part)) for part in parts], reply_bytes=most + 1)
    back = b"".join(reply.data for reply in replies)
    wrong = [value for value, (a, b) in enumerate(zip(data, back, strict=False)) if a != b]
    expect(back == data, f"{len(wrong)} of 256 came back as others, the first is {wrong[:1]}")
    return f"256 values in {len(parts)} frames"


def round_trip(board: Board) -> str:
    """Send the shortest requests one after the other."""
    session, now = board.session, board.session.transport.now
    times_s = []
    for k in range(_ECHOES):
        started = now()
        expect(session.ask(Opcode.ECHO, Echo(bytes([k]))).data == bytes([k]), "another byte")
        times_s.append(now() - started)
    return f"median {1e3 * statistics.median(times_s):.3g} ms, worst {1e3 * max(times_s):.3g} ms"


def longest_frames(board: Board) -> str:
    """Send the longest frames the device takes, in bulk, with the bytes that are hardest on a line."""
    session, now = board.session, board.session.transport.now
    size = session.welcome.longest_frame - MOST_OVERHEAD - 1
    any_bytes = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()
    frames = [bytes(size), b"\xff" * size, any_bytes, b"\x55" * size] * 2
    started, retries = now(), session.link.counters.retries
    replies = session.ask_all([(Opcode.ECHO, Echo(f)) for f in frames], reply_bytes=size + 1)
    took_s = now() - started
    for sent, reply in zip(frames, replies, strict=True):
        expect(reply.data == sent, f"a frame of {size} bytes came back changed")
    rate = f"{len(frames) * size / took_s / 1e3:.3g} kB/s each way" if took_s > 0 else "in no time"
    again = session.link.counters.retries - retries
    return f"{size} bytes of payload, {rate}" + (f", {again} sent again" if again else "")


def counters(board: Board) -> str:
    """Ask for the counters twice, with known traffic in between."""
    session = board.session
    before = session.ask(Opcode.COUNTERS, Nothing())
    session.ask_all([(Opcode.ECHO, Echo(b"\0"))] * _ECHOES)
    after = session.ask(Opcode.COUNTERS, Nothing())
    more = after.frames - before.frames
    expect(after.boot == session.welcome.boot, "they name another boot id than HELLO")
    expect(more > _ECHOES or after.frames == 2**32 - 1, f"{_ECHOES + 1} frames counted as {more}")
    names = ("bad_checks", "bad_frames", "overruns", "replays", "out_of_order", "resets")
    met = {name.replace("_", " "): getattr(after, name) for name in names}
    return ", ".join([f"{after.frames} frames", *(f"{n} {name}" for name, n in met.items() if n)])
