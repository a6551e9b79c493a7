"""One host per device: a file for every port and every uid, which the kernel locks and, when its holder dies, unlocks.

The file says who holds it. It stays when the lock is let go, or two hosts could lock two files of one name.
"""

import json
import os
import shlex
import stat
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from drivers.errors import InUseError
from isingeq.errors import DeviceError

try:
    import fcntl
except ImportError:  # Windows: a port opens once there anyway
    fcntl = None  # type: ignore[assignment]

_TRIES, _PAUSE_S = 5, 0.01
"""Whoever looks whether a device is free holds its lock for a moment; that must not look like a host."""
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a device.

    Attributes:
        pid: of the process.
        command: that it was started by.
        since: when it took the device, in seconds since 1970.
    """

    pid: int
    command: str
    since: float

    def __str__(self) -> str:
        taken = time.localtime(self.since)
        today = time.localtime()[:3] == taken[:3]
        clock = time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", taken)
        return f"process {self.pid} ({self.command}) since {clock}, for {_span(time.time() - self.since)}"


class Lock:
    """A name that this process holds until `release` or its end."""

    def __init__(self, file: int) -> None:
        self._file = file

    def release(self) -> None:
        """Let others have it."""
        if self._file >= 0:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


def lock_port(path: str) -> Lock:
    """Take a port, by its path or URL.

    Raises:
        InUseError: somebody has it, be it this process.
    """
    return _take(f"port-{quote(path, safe='')}", path)


def lock_uid(uid: int, where: str) -> Lock:
    """Take the device of this number, whatever port it is at.

    Raises:
        InUseError: somebody has it, be it this process.
    """
    return _take(f"uid-{uid:x}", f"device {uid:#x} at {where}")


def lock_directory() -> Path:
    """Return the folder of the locks: that of the user's session, or one of the user's in the temporary folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "isingeq"
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"isingeq-{user}"


def _take(name: str, what: str) -> Lock:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        file = os.open(_own(lock_directory()) / f"{name}.lock", flags, 0o600)
    except OSError as error:
        raise DeviceError(f"{what} cannot be locked: {error.filename}: {error.strerror}") from None
    if not _locked(file):
        owner = _read(file)
        os.close(file)
        known = str(owner) if owner else "another process"
        raise InUseError(f"{what} is in use by {known}: end it, or take another device", owner)
    myself = Owner(os.getpid(), _short(command_line()), time.time())
    os.ftruncate(file, 0)
    os.write(file, json.dumps(asdict(myself)).encode())
    return Lock(file)


def _own(folder: Path) -> Path:
    """Return the folder of the locks, made if need be; anybody may have made another in the temporary folder.

    Raises:
        DeviceError: it is no folder, or one that others can get at.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    wrong = ""
    if not stat.S_ISDIR(found.st_mode):
        wrong = "a link" if stat.S_ISLNK(found.st_mode) else "no folder"
    elif hasattr(os, "getuid") and found.st_uid != os.getuid():
        wrong = "another user's"
    elif hasattr(os, "getuid") and found.st_mode & 0o077:
        wrong = f"open to others (mode {stat.S_IMODE(found.st_mode):o}, 700 is needed)"
    if wrong:
        raise DeviceError(
            f"{folder}, the folder of the locks, is {wrong}: "
            "remove it, or set XDG_RUNTIME_DIR to a folder of your own"
        )
    return folder


def _locked(file: int) -> bool:
    """Lock a file, and tell whether that worked."""
    if fcntl is None:
        return True
    for tried in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if tried < _TRIES - 1:
            time.sleep(_PAUSE_S)
    return False


def _read(file: int) -> Owner | None:
    """Return what the holder wrote; None while it has not yet."""
    try:
        return Owner(**json.loads(os.read(file, 4096)))
    except (ValueError, TypeError):
        return None


def command_line() -> str:
    """Return what this process was started by."""
    program, *arguments = sys.argv or [""]
    path = Path(program)
    name = path.parent.name if path.stem == "__main__" else path.name
    return shlex.join([name or "python", *arguments])


def _short(command: str) -> str:
    return command if len(command) <= _LONGEST else command[: _LONGEST - 1] + "…"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
