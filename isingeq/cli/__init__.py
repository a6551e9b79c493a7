"""The command line. Commands import what they need when they run, so that help comes at once."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code.

    Args:
        arguments: without the program's name; None takes those of the process.
    """
    from isingeq.cli.commands import app

    try:
        code = app(args=arguments, prog_name="isingeq", standalone_mode=False)
    except Exception as error:
        # A command reports its own errors; what is left is how it was called.
        if not hasattr(error, "format_message"):
            raise
        if text := error.format_message():  # without any command the help was shown, and no more
            print(f"error: {text} (see isingeq --help)", file=sys.stderr)
        sys.exit(2)
    sys.exit(code or 0)
