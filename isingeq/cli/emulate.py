"""`isingeq emulate`: a board that is not there, behind a pty or a TCP port, for any program to attach to."""

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isingeq.cli.output import Debug, Json, Output, Quiet, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from firmware_models.bridge import Bridge

_LOOK_S = 0.1
"""Between looks at whether to stop."""


def emulate(
    board: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE|lm3s|avr|native",
            help="A profile for its model in Python, an emulated part with the reference firmware, "
            "or that firmware compiled for this machine.",
        ),
    ],
    tcp: Annotated[
        int | None,
        typer.Option("--tcp", metavar="PORT", min=0, max=65535, help="Listen here; 0: any port."),
    ] = None,
    link: Annotated[
        Path | None,
        typer.Option("--link", metavar="PATH", help="Keep a symbolic link to the pty."),
    ] = None,
    baud: Annotated[
        int | None, typer.Option("--baud", min=1, help="Pace the line to this rate.")
    ] = None,
    faults: Annotated[
        str, typer.Option("--faults", metavar="PLAN", help="flip:0.001,reset@RUN:2 or a .toml.")
    ] = "",
    native: Annotated[
        bool, typer.Option("--native", help="Run a profile's firmware in C, compiled here.")
    ] = False,
    ideal: Annotated[
        bool, typer.Option("--ideal", help="Leave out the imperfections of a profile.")
    ] = False,
    elf: Annotated[
        str, typer.Option("--elf", metavar="FILE", help="Another firmware for lm3s or avr.")
    ] = "",
    uid: Annotated[int, typer.Option("--uid", min=0, help="Number of the board.")] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of imperfections and faults.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Serve an emulated board until Ctrl-C; the first line says what to attach to."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from firmware_models.bridge import DEVICE_ENDED
        from firmware_models.faults import plan_from
        from firmware_models.serving import check_plan, serve, target
        from isingeq.errors import ConfigError, DeviceError
        from isingeq.experiments.stopping import stop_on_signal

        if tcp is not None and link is not None:
            raise ConfigError("--link is for a pty, and --tcp makes none: leave one of them away")
        plan = plan_from(faults, seed=seed)
        check_plan(plan, board, elf=elf)
        start, kind = target(board, native=native, uid=uid, seed=seed, ideal=ideal, elf=elf)
        with (
            stop_on_signal(lambda: None) as stop,
            serve(start, tcp=tcp, link=link, baud=baud, faults=plan) as bridge,
        ):
            url = bridge.url if link is None else str(link.absolute())
            spec = f"{url}?kind={kind}"
            output.answer(f"{board} ({kind}) at {url}")
            output.line(f"attach it with --backend '{spec}'")
            with _status(output) as show:
                while not (stop() or bridge.traffic.ended):
                    time.sleep(_LOOK_S)
                    show(_told(bridge))
            ended = bridge.traffic.ended
        output.line((f"{ended}; " if ended == DEVICE_ENDED else "") + _told(bridge))
        output.result(
            {
                "board": board,
                "kind": kind,
                "url": url,
                "spec": spec,
                "baud": baud,
                "bytes_to_device": bridge.traffic.to_device,
                "bytes_to_host": bridge.traffic.to_host,
                "faults": dict(bridge.line.struck),
                "ended": ended or "stopped",
            }
        )
        if ended not in ("", DEVICE_ENDED):
            raise DeviceError(f"{board} is gone: {ended}")


def _told(bridge: "Bridge") -> str:
    traffic, struck = bridge.traffic, sorted(bridge.line.struck.items())
    faults = "".join(f", {kind} {count}" for kind, count in struck if count)
    return f"{traffic.to_device} bytes to the device, {traffic.to_host} to the host{faults}"


@contextmanager
def _status(output: Output) -> "Iterator[Callable[[str], None]]":
    """Yield a function that keeps one line on a terminal up to date."""
    if output.quiet or not output.console.is_terminal:
        yield lambda text: None
        return
    with output.console.status("", spinner="line") as line:
        yield line.update
