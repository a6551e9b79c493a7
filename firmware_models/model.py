"""A served device in this process, behind a line, on a clock that never waits: the transport `model://`.

Time passes where something takes time: bytes on a paced line, the device by its latency model, and the host's
waiting when nothing comes. What the host computes in between takes none.
"""

import heapq
import itertools
import math
import secrets

from drivers.errors import LinkLostError
from drivers.profile import load_profile
from drivers.wire.constants import Memory, ResetCause
from firmware_models.device import Device, Kind
from firmware_models.faults import Incident, Way, plan_from
from firmware_models.line import Line, Passage
from firmware_models.server import Server
from isingeq.errors import ConfigError

MOST_UID = 2**64 - 1


class ModelTransport:
    """A device behind a line, seen from the host (`drivers.transport.Transport`).

    Attributes:
        url: as the user wrote it.
        kind: that of the device.
        baud: of the line; None where bytes take no time.
        device: at the far end.
        line: in between.
        back_at: time at which an unplugged device can be opened again; infinite for never.
    """

    def __init__(self, device: Device, *, url: str, line: Line, now: float = 0.0) -> None:
        self.url = url
        self.kind: Kind = device.kind
        self.baud = line.baud
        self.device = device
        self.line = line
        self.back_at = math.inf
        self._now = self._device_at = self._work_at = self._deaf_until = now
        self._coming: dict[Way, list[tuple[float, int, Passage]]] = {way: [] for way in Way}
        self._order = itertools.count()
        self._inbox = bytearray()
        self._gone = ""

    def now(self) -> float:
        """Return seconds since the device was first opened, on its own clock."""
        return self._now

    def write(self, data: bytes) -> None:
        """Send bytes; they arrive when the line lets them.

        Raises:
            LinkLostError: unplugged or closed.
        """
        self._check()
        idle = self._device_at <= self._now and not self.device.busy
        if self.line.plain and idle and not self._coming[Way.TO_DEVICE]:
            self._device_at = self._now
            self._answer(self.device.feed(data, self._now))
        else:
            self._expect(self.line.to_device(data, self._now))

    def read(self, timeout: float) -> bytes:
        """Return what has arrived; else let time pass, `timeout` seconds at most, until something does.

        Raises:
            LinkLostError: unplugged or closed.
        """
        self._check()
        end = self._now + max(timeout, 0.0)
        while not self._inbox:
            at, way = self._next()
            if at > end:
                self._now = end
                if self._device_at <= end:
                    self._device_at = end
                    self._answer(self.device.tick(end))
                break
            self._now = max(self._now, at)
            if way is not Way.TO_HOST:
                self._device_at = max(self._device_at, at)
            if way is None:
                data, seconds = self.device.work(at)
                self._work_at = at + seconds
                self._answer(data + self.device.tick(at))
            else:
                self._arrive(heapq.heappop(self._coming[way])[2])
        found = bytes(self._inbox)
        self._inbox.clear()
        return found

    def close(self) -> None:
        """Let go of the device."""
        self._gone = self._gone or "is closed"

    def _check(self) -> None:
        if self._gone:
            raise LinkLostError(f"{self.url} {self._gone}: open it again")

    def _next(self) -> tuple[float, Way | None]:
        """Return when something happens next, and where to; None for the end of a slice of the run under way.

        A busy device listens between two sweeps; what it hears takes it the time of a command, so that time passes
        even for a host that polls without a pause.
        """
        host, device = self._coming[Way.TO_HOST], self._coming[Way.TO_DEVICE]
        found: tuple[float, Way | None] = (math.inf, None)
        if self.device.busy:
            found = (max(self._work_at, self._device_at), None)
        if device:
            takes = self.device.descriptor.latency.command_s if self.device.busy else 0.0
            at = max(device[0][0], self._device_at) + takes
            found = (at, Way.TO_DEVICE) if at < found[0] or not self.device.busy else found
        return (host[0][0], Way.TO_HOST) if host and host[0][0] <= found[0] else found

    def _expect(self, passages: list[Passage]) -> None:
        for passage in passages:
            heapq.heappush(self._coming[passage.way], (passage.at, next(self._order), passage))

    def _answer(self, data: bytes) -> None:
        """Send what the device says at its own time."""
        if not data:
            return
        if self.line.plain and self._device_at <= self._now:
            self._inbox += data
        else:
            self._expect(self.line.to_host(data, self._device_at))

    def _arrive(self, passage: Passage) -> None:
        """Let bytes reach their end, or an incident the device."""
        if passage.way is Way.TO_HOST:
            self._inbox += passage.data
            return
        self._device_at = max(self._device_at, passage.at)
        if passage.incident is not None:
            self._befall(passage.incident)
        elif passage.at >= self._deaf_until:
            self._answer(self.device.feed(passage.data, self._device_at))

    def _befall(self, incident: Incident) -> None:
        match incident.kind:
            case "reset":
                booted = self.device.reset(ResetCause.PIN)
                self._device_at += self.device.descriptor.latency.boot_s
                self._deaf_until = self._device_at
                self._answer(booted)
            case "corrupt":
                bits = (1 << min(incident.size, 8)) - 1
                self.device.corrupt(Memory[incident.memory], incident.offset, bits)
            case "stall":
                self._device_at += incident.lasts_s
            case "unplug":
                self.back_at = self._device_at + incident.lasts_s
                self._gone = "is unplugged"
                _unplugged[self.url] = self
                self._check()


_unplugged: dict[str, ModelTransport] = {}
"""Devices whose plug was pulled, by the URL that finds them again: opening one plugs it in."""


def open_model(
    rest: str, *, native: bool = False, baud: int | None = None, uid: int = 0, seed: int = 0,
    ideal: bool = False, faults: str = "",
) -> ModelTransport:  # fmt: skip
    """Open a model of a board, with power just switched on.

    Args:
        rest: name of a profile that ships, or path of one.
        native: run the firmware in C, compiled for this machine, instead of its model in Python.
        baud: pace the line to this rate.
        uid: of the board; 0 for a board that has none.
        seed: of imperfections, and of faults where their plan names none.
        ideal: leave imperfections out.
        faults: a plan, as text or path (`firmware_models.faults`).

    Raises:
        ConfigError: no such profile or fault.
        LinkLostError: it was unplugged, for ever.
    """
    options = {"native": native, "baud": baud, "uid": uid, "seed": seed, "ideal": ideal}
    query = "&".join(f"{key}={value}" for key, value in {**options, "faults": faults}.items() if value)  # fmt: skip
    url = f"model://{rest}" + f"?{query}" * bool(query)
    if url in _unplugged and _unplugged[url].back_at == math.inf:
        raise LinkLostError(f"{url} is unplugged for good: nothing is there to open")
    pulled = _unplugged.pop(url, None)
    if pulled is not None:
        now = max(pulled.now(), pulled.back_at)
        return ModelTransport(pulled.device, url=url, line=pulled.line, now=now)
    device = open_device(rest, native=native, uid=uid, seed=seed, ideal=ideal)
    line = Line(plan_from(faults, seed=seed), baud=baud)
    return ModelTransport(device, url=url, line=line)


def open_device(
    profile: str, *, native: bool = False, uid: int = 0, seed: int = 0, ideal: bool = False
) -> Device:
    """Return a board without a line, for whoever serves it; boot ids are drawn, as on a board.

    Raises:
        ConfigError: no such profile, or a uid or seed that no board has.
    """
    if not 0 <= uid <= MOST_UID or seed < 0:
        raise ConfigError(f"uid={uid} and seed={seed}: both count from 0, and a uid has 64 bits")
    boot = secrets.randbits(32)
    if native:
        from firmware_models.native import NativeDevice

        return NativeDevice(profile, uid=uid, boot=boot)
    return Server(load_profile(profile), uid=uid, boot=boot, ideal=ideal, seed=seed)
