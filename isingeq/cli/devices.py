"""`isingeq devices`: what is attached."""

from typing import TYPE_CHECKING, Annotated

import typer

from isingeq.cli.output import Debug, Json, Quiet, command

if TYPE_CHECKING:
    from drivers.discovery import Found

_NONE = (
    "no device answers: is it powered, its cable one for data, its port yours to open (--all says why not)? "
    "isingeq emulate or model://ref-arm192 gives one to try"
)
_ABSENT = 8
"""Exit code where a URL that was named has no device."""


def devices(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL...]", help="Look here too: URLs, paths, or paths with *."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show the ports without a device, and why.")
    ] = False,
    baud: Annotated[
        int | None, typer.Option("--baud", min=1, help="Rate at which serial ports are asked.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the devices attached, and who uses them; fail if one that is named does not answer."""
    with command(json=json, quiet=quiet, debug=debug) as output:
        from drivers.discovery import discover

        options = {} if baud is None else {"baud": str(baud)}
        found = discover(urls or (), options=options)
        asked = set(urls or ())
        shown = [f for f in found if everything or f.answered or f.owner or f.url in asked]
        if shown:
            columns = ("port", "device", "uid", "protocol", "state")
            output.table("devices", columns, [_cells(one) for one in shown])
        if not any(one.answered or one.owner for one in found):
            output.answer(_NONE)
        output.result({"devices": [one.as_dict() for one in shown]})
        if any(one.url in asked and not (one.answered or one.owner) for one in found):
            raise typer.Exit(_ABSENT)


def _cells(found: "Found") -> tuple[str, ...]:
    used = f"in use by {found.owner}" if found.owner else ""
    if not found.answered:
        return found.url, "", "", "", used or found.why
    named = f"{found.vendor} {found.model}, firmware {found.firmware}"
    state = f"{found.state}, {used}" if used else found.state
    return found.url, named, f"{found.uid:#x}", str(found.version), state
