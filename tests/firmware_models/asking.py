"""A plain host for tests: one request at a time, every one answered; over a device in this process or an emulator."""

import select
import time
from dataclasses import replace

import numpy as np

from drivers.wire import requests as ask
from drivers.wire.constants import Opcode, RunState, Start, Status
from drivers.wire.crc import couplings_digest
from drivers.wire.frame import REPLY, Frame, Receiver, encode_frame
from drivers.wire.layout import pack
from drivers.wire.messages import decode_reply
from drivers.wire.packing import unpack_spins
from firmware_models.core import energy, run
from firmware_models.programme import Programme

DEADLINE_S = 20.0


class DeviceLine:
    """Talks to a device in this process; before it is asked, what it was told to do is done."""

    def __init__(self, device):
        self.device = device

    def exchange(self, data):
        while self.device.busy:
            self.device.work(0.0)
        yield self.device.feed(data, 0.0)


class EmulatorLine:
    """Talks to an emulator by the socket of its UART."""

    def __init__(self, emulator):
        self.emulator = emulator

    def exchange(self, data):
        emulator, end = self.emulator, time.monotonic() + DEADLINE_S
        emulator.send(data)
        while time.monotonic() < end:
            writable = [emulator.reader] if emulator.waiting else []
            select.select([emulator.reader], writable, [], 0.2)
            emulator.send(b"")
            yield emulator.receive() or b""


class Host:
    """Asks and is answered; `None` where no answer came."""

    def __init__(self, line, *, session=0x51, strong=False):
        self.line = line
        self.session = session
        self.strong = strong
        self.sequence = 0
        self.events = []
        self.receiver = Receiver()  # one for all: a frame may be cut where a reply was found

    def frame(self, opcode, message):
        self.sequence = (self.sequence + 1) % 65536
        payload = message if isinstance(message, bytes) else pack(message)
        return Frame(opcode, self.session, self.sequence, payload, 0, self.strong)

    def reply(self, frame):
        """Return the frame that answers one."""
        receiver = self.receiver
        found = None
        for data in self.line.exchange(encode_frame(frame)):
            for heard in receiver.feed(data):
                wanted = (frame.opcode | REPLY, frame.session, frame.sequence)
                if (heard.opcode, heard.session, heard.sequence) == wanted and found is None:
                    found = heard
                else:
                    self.events.append(heard)
            if found is not None:
                break
        return found

    def asks(self, opcode, message=b""):
        """Return the decoded reply; a refusal raises `RefusedError`."""
        return decode_reply(self.reply(self.frame(opcode, message)))

    def status(self, opcode, message=b""):
        """Return status and detail of the reply."""
        payload = self.reply(self.frame(opcode, message)).payload
        detail = int.from_bytes(payload[1:5], "little") if payload[0] else 0
        return Status(payload[0]), detail

    def hello(self, *, nonce=0xC0FFEE, options=0):
        return self.asks(Opcode.HELLO, ask.Hello(1, 1, options, nonce))

    def load(self, programme, *, step=100):
        """Upload couplings, clamps' mask and legs."""
        n, values = programme.num_units, np.array(programme.couplings, np.int8).tobytes()
        self.asks(Opcode.BEGIN, ask.Begin(n, 0))
        for at in range(0, len(values), step):
            self.asks(Opcode.LOAD_COUPLINGS, ask.LoadCouplings(at, values[at : at + step]))
        self.asks(Opcode.COMMIT, ask.Commit(couplings_digest(n, values)))
        mask = np.packbits(np.array(programme.clamps) != 0, bitorder="little").tobytes()
        self.asks(Opcode.LOAD_CLAMPS, ask.LoadClamps(0, mask))
        legs = np.array([(leg.first, leg.last, leg.sweeps) for leg in programme.legs], "<u2")
        for at in range(0, len(legs), 15):
            self.asks(Opcode.LOAD_LEGS, ask.LoadLegs(at, legs[at : at + 15].tobytes()))

    def run(self, request):
        """Run to the end and return all rows, spins ±1."""
        self.asks(Opcode.RUN, request)
        end = time.monotonic() + DEADLINE_S
        while self.asks(Opcode.POLL, ask.RunId(request.run)).state is not RunState.COMPLETE:
            assert time.monotonic() < end
        rows = request.num_slots * request.reads
        return self.asks(Opcode.READ, ask.Read(request.run, 0, rows)).packed

    def of_case(self, case, number):
        """Return energy and spins of one read of a case, as the board has it."""
        programme, n = case.programme, case.programme.num_units
        fields = programme.fields_with(case.deltas)
        self.load(programme)
        data = np.array(fields, "<i2").tobytes()
        for at in range(0, n, 50):
            part = ask.LoadFields(at, 2, data[2 * at : 2 * at + 100])
            self.asks(Opcode.LOAD_FIELDS, part)
        start = case.start or (1,) * n
        spins = [clamp or spin for clamp, spin in zip(programme.clamps, start, strict=True)]
        packed = np.packbits(np.array(spins) > 0, bitorder="little").tobytes()
        self.asks(Opcode.LOAD_STATES, ask.LoadStates(0, packed))
        how = Start.RANDOM if case.start is None else Start.GIVEN
        request = ask.Run(
            number, case.seed, case.sample, 0, 1, 1, 0, how, 0, 0, len(programme.legs), programme.shift
        )  # fmt: skip
        row = unpack_spins(self.run(request), n)[0]
        return energy(dense_of(programme), fields, row.tolist()), tuple(row.tolist())


def dense_of(programme):
    J = np.zeros((programme.num_units,) * 2, int)
    J[np.triu_indices(len(J), 1)] = programme.couplings
    return J.tolist()


def first_reads(cases):
    """Return cases that a board can run: at least one leg, read 0."""
    return [replace(case, read=0) for case in cases if case.programme.legs]


def slots_case(rng, n, slots):
    """Return a programme and fields of several slots."""
    programme = Programme(
        tuple(rng.integers(-40, 40, n * (n - 1) // 2).tolist()), (0,) * n, (0,) * n, (), 3
    )
    return programme, rng.integers(-90, 90, (slots, n))


def expected_rows(programme, fields, *, seed, reads):
    """Return the rows of several slots by the definition, spins ±1."""
    return [
        run(replace(programme, fields=tuple(map(int, h))), seed=seed, sample=k, read=r).spins
        for k, h in enumerate(fields)
        for r in range(reads)
    ]
