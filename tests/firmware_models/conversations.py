"""Conversations with a board: requests of every kind, every number just inside or just outside its range."""

import struct
from dataclasses import dataclass, field

import numpy as np

from drivers.wire import requests as ask
from drivers.wire.cobs import stuff
from drivers.wire.constants import (
    RESET_MAGIC,
    SHUTDOWN_MAGIC,
    BeginFlag,
    Flag,
    Memory,
    Opcode,
    Parameter,
    RunFlag,
    Start,
)
from drivers.wire.crc import couplings_digest, crc16
from drivers.wire.frame import Frame, encode_frame
from drivers.wire.layout import pack
from drivers.wire.packing import packed_bytes

SESSIONS = 0x1234, 0x0777


@dataclass
class Talker:
    """Makes requests that follow from what it said before; some of them are wrong on purpose.

    It knows nothing of the answers: it is a host only as far as a good request needs one.
    """

    descriptor: object
    rng: np.random.Generator
    strong: bool = False
    guarded_too: bool = True
    silence_too: bool = True
    most_noise: int = 2000
    session: int = SESSIONS[0]
    sequence: int = 0
    num_spins: int = 0
    couplings: bytearray = field(default_factory=bytearray)
    running: bool = False
    run_id: int = 0
    rows: int = 0
    greeting: bytes = b""
    sent: list = field(default_factory=list)

    def integer(self, low, high):
        return int(self.rng.integers(low, high, endpoint=True))

    def chance(self, of):
        return self.rng.uniform() < of

    def bytes(self, count):
        return self.rng.integers(0, 256, max(count, 0), dtype=np.uint8).tobytes()

    def around(self, limit, top):
        """A number up to a limit; seldom one more, or anything."""
        limit = max(limit, 0)
        if self.chance(0.04):
            return min(top, limit + self.integer(0, 2))
        if self.chance(0.02):
            return self.integer(0, top)
        return self.integer(0, limit)

    @property
    def num_slots(self):
        return self.descriptor.slots(self.num_spins) if self.num_spins else 0

    @property
    def num_pairs(self):
        return self.num_spins * (self.num_spins - 1) // 2

    def hello(self, *, options=None):
        if options is None:
            options = int(self.strong)
        self.sequence = self.integer(0, 65535)
        hello = ask.Hello(1, 1, options, self.integer(0, 2**32 - 1))
        self.running = False
        self.greeting = self.said(Opcode.HELLO, pack(hello))
        return self.greeting

    def said(self, opcode, payload, *, flags=0):
        frame = Frame(opcode, self.session, self.sequence, payload, flags, self.strong)
        self.sequence = (self.sequence + 1) % 65536
        self.sent.append(frame)
        return encode_frame(frame)

    def next(self):
        """Bytes of the next request, or of one that disturbs."""
        if self.sent and self.chance(0.06):
            return self.disturbance()
        opcode, payload = self.request()
        if self.chance(0.02):
            payload = payload[: self.integer(0, len(payload))]
        elif self.chance(0.01):
            payload += self.bytes(self.integer(1, 3))
        if len(payload) + 10 > self.descriptor.limits.frame:
            payload = payload[: self.descriptor.limits.frame - 10]
        return self.said(opcode, payload)

    def disturbance(self):
        kind = self.integer(0, 12)
        if kind <= 2:
            again = self.sent[-self.integer(1, min(len(self.sent), 10))]
            flags = Flag.RETRANSMISSION if self.chance(0.5) else 0
            return encode_frame(
                Frame(
                    again.opcode, again.session, again.sequence, again.payload, flags, self.strong
                )
            )
        if kind == 3:
            ahead = (self.sequence + self.integer(1, 40000)) % 65536
            return encode_frame(
                Frame(Opcode.ECHO, self.session, ahead, self.bytes(3), 0, self.strong)
            )
        if kind == 4:
            return encode_frame(Frame(Opcode.STATUS, self.session ^ 1, self.sequence, b""))
        if kind == 5:
            return self.bytes(self.integer(1, 40)) + b"\0"
        if kind == 6:
            broken = bytearray(encode_frame(self.sent[-1]))
            broken[self.integer(0, len(broken) - 2)] ^= 1 << self.integer(0, 7)
            return bytes(broken)
        if kind == 7:
            return self.bytes(self.integer(1, self.most_noise)).replace(b"\0", b"\1") + b"\0"
        if kind == 8:
            return self.greeting
        if kind == 9:
            return self.hello() + self.behind()
        if kind == 10 and self.running:
            return self.stopped()
        return self.odd()

    def stopped(self):
        """End the run under way, and go on from rows that never came."""
        run = next(frame for frame in reversed(self.sent) if frame.opcode == Opcode.RUN)
        ended = self.said(Opcode.ABORT, run.payload[:4])
        again = bytes([run.payload[0] ^ 1]) + run.payload[1:20] + bytes([Start.LAST])
        return ended + self.said(Opcode.RUN, again + run.payload[21:])

    def behind(self):
        """A request that counts as answered, though in a new session nothing was."""
        before = (self.sequence - self.integer(1, 10)) % 65536
        opcode = int(self.rng.choice([Opcode.BEGIN, Opcode.RUN, Opcode.STATUS, Opcode.LOAD_LEGS]))
        return encode_frame(Frame(opcode, self.session, before, b"\1", 0, self.strong))

    def odd(self):
        """A frame with a right check, to be dropped all the same: too short, of another version, too weak a check."""
        first, opcode, size = [
            (0x10, Opcode.STATUS, -self.integer(1, 6)),
            (0x20, Opcode.STATUS, 0),
            (0x10, Opcode.ECHO, self.integer(59, 90)),
            (0x10, Opcode.HELLO, 7),
        ][self.integer(0, 3)]
        header = bytes([first, opcode]) + struct.pack("<HH", self.session, self.sequence)
        body = header[: 6 + min(size, 0)] + self.bytes(size)
        return stuff(body + crc16(body).to_bytes(2, "little")) + b"\0"

    def request(self):
        kinds = [
            (self.describe, 1), (self.echo, 2), (self.nothing, 3), (self.set_parameter, 2.5), (self.get_parameter, 1),
            (self.begin, 1.2), (self.load_couplings, 6), (self.load_fields, 5), (self.commit, 4), (self.look, 5),
            (self.load_states, 3), (self.load_clamps, 2), (self.load_legs, 4), (self.patch_fields, 4),
            (self.copy_slots, 2), (self.run, 8), (self.run_word, 4), (self.read, 6), (self.stream, 2),
            (self.correlate, 0.5), (self.guarded, 0.15 * self.guarded_too),
            (self.unknown, 0.3),
        ]  # fmt: skip
        weights = np.array([weight for _, weight in kinds])
        return kinds[self.rng.choice(len(kinds), p=weights / weights.sum())][0]()

    def describe(self):
        return Opcode.DESCRIBE, pack(ask.Describe(self.around(936, 65535), self.around(300, 65535)))

    def echo(self):
        most = self.descriptor.limits.frame - 10
        length = self.integer(0, 30) if self.chance(0.8) else self.around(most - 1, most)
        return Opcode.ECHO, self.bytes(length)

    def nothing(self):
        return int(self.rng.choice([Opcode.STATUS, Opcode.COUNTERS])), b""

    def set_parameter(self):
        value = int(self.chance(0.7)) if self.chance(0.9) else self.integer(-(2**31), 2**31 - 1)
        parameter = 1 + self.around(0, 255) % 3
        if parameter == Parameter.SILENCE_MS and not self.silence_too:
            value = min(value, 0)  # where time passes, it would end runs by chance
        return Opcode.SET_PARAMETER, pack(ask.SetParameter(parameter, value))

    def get_parameter(self):
        return Opcode.GET_PARAMETER, pack(ask.GetParameter(self.around(2, 255)))

    def begin(self):
        most = self.descriptor.units.most
        keep = self.chance(0.4)
        n = self.num_spins if keep and self.chance(0.8) else self.integer(1, 14)
        if self.chance(0.1):
            n = self.around(most, 65535)
        flags = BeginFlag.KEEP if keep else 0
        if self.chance(0.03):
            flags = self.integer(0, 255)
        if 1 <= n <= most and flags < 2 and not self.running:
            if not (flags and n == self.num_spins):
                self.couplings = bytearray(n * (n - 1) // 2)
            self.num_spins = n
        return Opcode.BEGIN, pack(ask.Begin(n, flags))

    def load_couplings(self):
        count = min(self.integer(0, self.num_pairs), self.descriptor.limits.frame - 14)
        offset = self.around(self.num_pairs - count, 2**32 - 1)
        values = self.rng.integers(-127, 127, count, endpoint=True).astype(np.int8)
        if self.chance(0.15) and count:
            values[self.integer(0, count - 1)] = -128
        if offset + count <= self.num_pairs and not (values == -128).any():
            self.couplings[offset : offset + count] = values.tobytes()
        return Opcode.LOAD_COUPLINGS, pack(ask.LoadCouplings(offset, values.tobytes()))

    def field_values(self, count):
        width = 1 if self.chance(0.5) else 2
        low, high = (-128, 127) if width == 1 else (-32767, 32767)
        values = self.rng.integers(low, high, count, endpoint=True)
        if self.chance(0.03) and count and width == 2:
            values[self.integer(0, count - 1)] = -32768
        data = values.astype(f"<i{width}").tobytes()
        return (width if self.chance(0.97) else self.integer(0, 255)), data

    def load_fields(self):
        size = self.num_slots * self.num_spins
        count = self.integer(0, min(size, (self.descriptor.limits.frame - 20) // 2))
        width, data = self.field_values(count)
        offset = self.around(size - count, 2**32 - 1)
        return Opcode.LOAD_FIELDS, pack(ask.LoadFields(offset, width, data))

    def patch_fields(self):
        spins = tuple(
            self.around(self.num_spins - 1, 65535)
            for _ in range(self.integer(0, min(self.num_spins, 4)))
        )
        room = (self.descriptor.limits.frame - 30) // max(2 * len(spins), 1)
        slots = self.integer(0, min(self.num_slots, room))
        width, data = self.field_values(slots * len(spins))
        slot = self.around(self.num_slots - slots, 65535)
        return Opcode.PATCH_FIELDS, pack(
            ask.PatchFields(slot, slots, width, len(spins), spins, data)
        )

    def copy_slots(self):
        slots = self.integer(0, max(1, self.num_slots // 2))
        slot, source = (self.around(self.num_slots - slots, 65535) for _ in range(2))
        return Opcode.COPY_SLOTS, pack(ask.CopySlots(slot, slots, source))

    def packed(self, offset, count):
        width = packed_bytes(self.num_spins) if self.num_spins else 1
        data = bytearray(self.bytes(count))
        if self.num_spins % 8 and not self.chance(0.05):
            for k in range(count):
                if (offset + k) % width == width - 1:
                    data[k] &= (1 << self.num_spins % 8) - 1
        return bytes(data)

    def load_states(self):
        size = self.num_slots * packed_bytes(self.num_spins)
        count = self.integer(0, min(size, self.descriptor.limits.frame - 20))
        offset = self.around(size - count, 2**32 - 1)
        return Opcode.LOAD_STATES, pack(ask.LoadStates(offset, self.packed(offset, count)))

    def load_clamps(self):
        size = packed_bytes(self.num_spins)
        count = self.integer(0, size)
        offset = self.around(size - count, 65535)
        data = bytes(
            a & b for a, b in zip(self.packed(offset, count), self.bytes(count), strict=True)
        )
        return Opcode.LOAD_CLAMPS, pack(ask.LoadClamps(offset, data))

    def load_legs(self):
        count = self.integer(0, 4) if self.chance(0.9) else self.integer(0, 33)
        legs = np.column_stack(
            [self.rng.integers(0, 65536, (count, 2)), self.rng.integers(1, 7, count)]
        )
        if self.chance(0.7):
            legs[:, :2] >>= 8
        if count and self.chance(0.04):
            legs[0, 2] = 0
        leg = self.around(0 if self.chance(0.7) else self.descriptor.schedule.legs, 65535)
        return Opcode.LOAD_LEGS, pack(ask.LoadLegs(leg, legs.astype("<u2").tobytes()))

    def commit(self):
        digest = couplings_digest(self.num_spins, bytes(self.couplings))
        return Opcode.COMMIT, pack(ask.Commit(digest if self.chance(0.95) else digest ^ 1))

    def look(self):
        memory = Memory(self.integer(0, 4))
        n, slots = self.num_spins, self.num_slots
        row = packed_bytes(n) if n else 0
        size = (n * (n - 1) // 2, slots * n, slots * row, row, self.descriptor.schedule.legs)[
            memory
        ]
        count = self.around(size, 2**32 - 1)
        payload = pack(ask.Stretch(memory, self.around(size - count, 2**32 - 1), count))
        if self.chance(0.03):
            payload = bytes([self.integer(0, 255)]) + payload[1:]
        return int(self.rng.choice([Opcode.READBACK, Opcode.DIGEST])), payload

    def run(self):
        slots = self.integer(1, max(self.num_slots, 1)) if self.chance(0.2) else 1
        slots = min(slots, max(self.num_slots, 1))
        slot = 0 if self.chance(0.5) else self.around(self.num_slots - slots, 65535)
        if self.chance(0.02):
            slots = self.around(0, 65535)
        rows = self.descriptor.rows(self.num_spins) if self.num_spins else 1
        reads = self.integer(1, min(5, max(rows // max(slots, 1), 1)))
        if self.chance(0.03):
            reads = self.around(0, 65535)
        self.run_id = self.run_id if self.chance(0.1) else self.integer(0, 300)
        self.rows = slots * reads
        start = int(self.rng.choice([0, 0, 1, 2])) if self.chance(0.97) else self.integer(3, 255)
        flags = RunFlag.ANNOUNCE if self.chance(0.5) else 0
        if self.chance(0.02):
            flags = self.integer(0, 255)
        numbers = ask.Run(
            self.run_id, self.integer(0, 2**32 - 1), self.integer(0, 2**32 - 1), slot, slots, reads,
            0 if self.chance(0.6) else self.integer(0, 5), Start(start) if start < 3 else start, flags,
            self.around(0, 65535), self.integer(1, 3) if self.chance(0.95) else self.around(33, 65535),
            self.around(15, 255),
        )  # fmt: skip
        return Opcode.RUN, pack(numbers)

    def named_run(self):
        return self.run_id if self.chance(0.95) else self.integer(0, 2**32 - 1)

    def run_word(self):
        opcode = int(self.rng.choice([Opcode.POLL, Opcode.POLL, Opcode.ABORT]))
        return opcode, pack(ask.RunId(self.named_run()))

    def read(self):
        count = self.around(min(self.rows, 60), 65535)
        row = self.around(self.rows - count, 2**32 - 1)
        return Opcode.READ, pack(ask.Read(self.named_run(), row, count))

    def stream(self):
        row = self.around(self.rows, 2**32 - 1)
        return Opcode.STREAM, pack(
            ask.Stream(self.named_run(), row, self.around(self.rows, 2**32 - 1))
        )

    def correlate(self):
        return Opcode.CORRELATE, pack(ask.Correlate(self.named_run(), 0, 1))

    def guarded(self):
        opcode = Opcode.RESET if self.chance(0.8) else Opcode.SHUTDOWN
        magic = RESET_MAGIC if opcode == Opcode.RESET else SHUTDOWN_MAGIC
        return opcode, pack(ask.Guarded(magic if self.chance(0.7) else 1))

    def unknown(self):
        return self.integer(0x27, 0x7D), self.bytes(self.integer(0, 5))
