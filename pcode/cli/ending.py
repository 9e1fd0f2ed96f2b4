"""How a command ends: its exit code, and one line on stderr; and when the search for garbage begins."""

from __future__ import annotations

import gc
import sys

DONE, FAILED, BAD_INPUT, BROKEN_PIPE = 0, 1, 2, 141


def complain(message: str, code: int = BAD_INPUT) -> int:
    """Say what is wrong, in one line on stderr; return the exit code."""
    print(f"pcode: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201 - the command's own output
    return code


def imports_done() -> None:
    """Begin to look for garbage, where `main` has put that off; what imports have made stays."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(50_000)
        gc.enable()
