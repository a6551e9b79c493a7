"""What is attached: every port, and who answers there.

A port that another process holds is named and left alone. At all others HELLO is said, at all of them at once.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from drivers.errors import InUseError
from drivers.lock import Owner, lock_port, lock_uid
from drivers.session import Session
from drivers.transport import open_transport, port_path, serial_ports
from drivers.wire.constants import BOOT_TIMEOUT_MS, Opcode
from drivers.wire.requests import Nothing
from isingeq.errors import DeviceError
from isingeq.registry import parse_spec

_ANSWER_S = 2.0
"""For a device that has said HELLO to say the rest."""


@dataclass(frozen=True, slots=True)
class Found:
    """A port.

    Attributes:
        url: as it was given, or the path of the port.
        description: what the system knows of it.
        uid: of the device; None where none answered.
        vendor: of the board.
        model: of the board.
        firmware: its version.
        version: of the protocol.
        state: of the device, in lower case.
        owner: who holds it.
        why: it is not known to be a device.
    """

    url: str
    description: str = ""
    uid: int | None = None
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    version: int | None = None
    state: str = ""
    owner: Owner | None = None
    why: str = ""

    @property
    def answered(self) -> bool:
        """A device is there."""
        return self.uid is not None

    def as_dict(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return asdict(self)


def discover(
    given: Iterable[str] = (), *, options: Mapping[str, str] | None = None,
    without: Iterable[str] = (), wait_s: float = BOOT_TIMEOUT_MS / 1000,
) -> list[Found]:  # fmt: skip
    """Return what is given and all serial ports besides, each once.

    Args:
        given: URLs and paths with their options; a path may hold wildcards.
        options: of the serial ports, as in a SPEC.
        without: paths to leave alone.
        wait_s: how long a device may take to answer; boards with a boot loader take more than a second.
    """
    left = set(without)
    ports = {port.path: port.description for port in serial_ports()}
    wanted = {url: ports.get(url, "") for url in (*_expanded(given), *ports)}
    urls = [url for url in wanted if _once(_path(url), left)]
    if not urls:
        return []
    with ThreadPoolExecutor(len(urls)) as threads:
        found = threads.map(
            lambda url: probe(url, options=options if url in ports else None, wait_s=wait_s), urls
        )
        return [replace(one, description=wanted[one.url]) for one in found]


def probe(
    url: str, *, options: Mapping[str, str] | None = None, wait_s: float = BOOT_TIMEOUT_MS / 1000
) -> Found:
    """Return who answers at a URL, whose own options may follow a question mark.

    Raises:
        ConfigError: a URL or option that makes no sense.
    """
    spec = parse_spec(f"serial:{url}")
    try:
        path = port_path(spec.argument)
        lock = None if path is None else lock_port(path)
        try:
            with closing(
                open_transport(spec.argument, {**(options or {}), **spec.options})
            ) as transport:
                session = Session(transport, timeout=_ANSWER_S, boot_timeout=wait_s)
                return _found(url, session, shared=lock is not None)
        finally:
            if lock is not None:
                lock.release()
    except InUseError as error:
        return Found(url, owner=error.owner, why="in use")
    except DeviceError as error:
        return Found(url, why=str(error))


def _found(url: str, session: Session, *, shared: bool) -> Found:
    maker, welcome = session.descriptor.maker, session.welcome
    condition = session.ask(Opcode.STATUS, Nothing())
    found = Found(
        url, "", welcome.uid, maker.vendor, maker.model, maker.firmware, welcome.version,
        condition.state.name.lower(),
    )  # fmt: skip
    if shared and welcome.uid:
        try:
            lock_uid(welcome.uid, url).release()
        except InUseError as error:
            return replace(found, owner=error.owner)
    return found


def _expanded(given: Iterable[str]) -> Iterable[str]:
    for url in given:
        if "://" not in url and any(mark in url for mark in "*["):
            path = Path(url)
            yield from map(str, sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor)))))
        else:
            yield url


def _path(url: str) -> str:
    """Return what a URL stands for, or itself where nothing can be told."""
    try:
        return port_path(url.partition("?")[0]) or url
    except DeviceError:
        return url


def _once(path: str, seen: set[str]) -> bool:
    known = path in seen
    seen.add(path)
    return not known
