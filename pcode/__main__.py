"""The command `pcode` as a process of its own; `python -m pcode` is the same."""

from __future__ import annotations

import os
import signal

for _name in ("SIGINT", "SIGTERM", "SIGHUP"):
    _signum = getattr(signal, _name, None)
    # Before there is anything to keep: not a traceback out of the imports below. What nohup has set stays.
    if _signum is not None and signal.getsignal(_signum) is not signal.SIG_IGN:
        signal.signal(_signum, lambda signum, _: os._exit(128 + signum))

import sys  # noqa: E402

from .cli import main  # noqa: E402

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
