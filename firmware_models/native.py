"""The reference firmware in this process: the C sources compiled for this machine, behind the seam of a device."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.profile import load_profile
from drivers.wire.constants import Memory, ResetCause
from firmware_models.build import FIRMWARE, SOURCES, STRICT, profile_header
from firmware_models.device import Kind
from isingeq.errors import CapabilityError

FLAGS = (*STRICT, "-O2", "-fPIC", "-shared")
WORD = 0xFFFFFFFF
_U8, _U16, _U32, _U64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64
_BOARD = ctypes.c_void_p
_CALLS = {
    "size": (_U32,),
    "start": (None, _BOARD, _U64, _U32, _U32, _U8),
    "fetch": (_BOARD, _BOARD, ctypes.POINTER(_U32)),
    "feed": (_U32, _BOARD, ctypes.c_char_p, _U32, _U32),
    "work": (_U32, _BOARD, _U32),
    "tick": (None, _BOARD, _U32),
    "fail": (None, _BOARD, _U8),
    "corrupt": (None, _BOARD, _U8, _U32, _U8),
    "busy": (_U8, _BOARD),
    "spins": (_U16, _BOARD),
    "boot": (_U32, _BOARD),
    "resets": (_U32, _BOARD),
}
"""Functions of `native.c`: what they return, then what they take."""


class NativeDevice:
    """A board whose firmware runs in this process.

    Attributes:
        descriptor: what it says of itself.
        kind: emulated: what answers is its own firmware.
    """

    kind: Kind = "emulated"

    def __init__(self, profile: str, *, uid: int, boot: int) -> None:
        """Switch a board on.

        Args:
            profile: name or path of its profile.
            uid: number of the board.
            boot: id of the first boot; each reset has the next.

        Raises:
            CapabilityError: no C compiler, or a profile that the firmware cannot be.
        """
        self.descriptor = load_profile(profile)
        self._call = _load(profile, str(cache_folder()))
        self._memory = ctypes.create_string_buffer(self._call["size"]())
        self._at = ctypes.addressof(self._memory)
        self._count = _U32()
        self._uid = uid
        self._sweep_s = self.descriptor.latency.sweep_s
        self._call["start"](self._at, uid, boot & WORD, 0, ResetCause.POWER)
        self._fetch()

    @property
    def busy(self) -> bool:
        """A run is under way."""
        return bool(self._call["busy"](self._at))

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes from the line; return replies and events."""
        out, ms = b"", _milliseconds(now)
        while data:
            data = data[self._call["feed"](self._at, data, len(data), ms) :]
            out += self._fetch()
        return out

    def work(self, now: float) -> tuple[bytes, float]:
        """Do one sweep of the run under way; return events and the seconds it took."""
        spins = self._call["spins"](self._at)
        sweeps = self._call["work"](self._at, 1)
        return self._fetch(), sweeps * spins * self._sweep_s

    def tick(self, now: float) -> bytes:
        """Let time pass; return events."""
        self._call["tick"](self._at, _milliseconds(now))
        return self._fetch()

    def reset(self, cause: ResetCause) -> bytes:
        """Start anew; return the BOOTED event."""
        boot, resets = self._call["boot"](self._at), self._call["resets"](self._at)
        self._call["start"](self._at, self._uid, (boot + 1) & WORD, resets + 1, cause)
        return self._fetch()

    def corrupt(self, memory: Memory, offset: int, flips: int) -> None:
        """Flip bits of a byte of memory."""
        self._call["corrupt"](self._at, memory, offset, flips)

    def fail(self, faults: int) -> bytes:
        """Let a fault arise; return the events that tell of it."""
        self._call["fail"](self._at, faults)
        return self._fetch()

    def _fetch(self) -> bytes:
        out = self._call["fetch"](self._at, ctypes.byref(self._count))
        return ctypes.string_at(out, self._count.value)


def cache_folder() -> Path:
    """Return where compiled firmware is kept, for this user alone."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "isingeq" / "firmware"


def build_library(profile: str, folder: Path, *, sources: Path = SOURCES) -> Path:
    """Return the firmware of a profile as a shared library, compiled unless these very sources were before.

    Raises:
        CapabilityError: no C compiler, one that refuses, or a profile that the firmware cannot be.
    """
    descriptor = load_profile(profile)
    header = profile_header(profile, descriptor)
    flags = (*FLAGS, f"-DCORE_MAX_UNITS={descriptor.units.most}")
    texts = [path.read_bytes() for path in sorted(sources.glob("*.[ch]"))]
    key = hashlib.sha256("\0".join([header, *flags]).encode() + b"\0".join(texts)).hexdigest()[:24]
    library = folder / f"{key}.so"
    if library.is_file():
        return library
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CapabilityError(
            "native firmware needs a C compiler, neither cc nor gcc is on the path: "
            "install one, or use the model without `native`"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = [str(sources / name) for name in (*FIRMWARE, "native.c")]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        (Path(scratch) / "profile.h").write_text(header, encoding="ascii")
        fresh = Path(scratch) / "firmware.so"
        command = [compiler, *flags, "-I", scratch, "-I", str(sources), *files, "-o", str(fresh)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise CapabilityError(f"{compiler} refused the firmware: {done.stderr.strip()[-500:]}")
        # Two processes may compile at once; whoever is last replaces like by like.
        fresh.replace(library)
    return library


@functools.cache
def _load(profile: str, folder: str) -> dict[str, Callable[..., Any]]:
    return calls_of(build_library(profile, Path(folder)))


def calls_of(path: Path) -> dict[str, Callable[..., Any]]:
    """Return the functions of a library that `build_library` made."""
    library = ctypes.CDLL(str(path))
    calls: dict[str, Callable[..., Any]] = {}
    for name, (result, *arguments) in _CALLS.items():
        call = getattr(library, f"native_{name}")
        call.restype, call.argtypes = result, arguments
        calls[name] = call
    return calls


def _milliseconds(now: float) -> int:
    return int(now * 1000) & WORD
