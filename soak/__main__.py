"""The long form: ``python -m soak [--quick] [--seed N] [PART ...]``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from .faults import faults
from .files import inputs, results
from .interruptions import interruptions
from .memory import sizes
from .resumes import resumes
from .scenarios import scenarios
from .tally import Tally

# Each part with the number of its cases in the long form, and in the short one.
PARTS: dict[str, tuple[Callable[[int, int], Tally], int, int]] = {
    "scenarios": (scenarios, 12_000, 200),
    "inputs": (inputs, 1_500, 100),
    "results": (results, 1_500, 40),
    "faults": (faults, 330, 11),
    "memory": (sizes, 1_000, 40),
    "resumes": (resumes, 60, 4),
    "interruptions": (interruptions, 20, 1),
}


def main(arguments: list[str] | None = None) -> int:
    """Carry out the parts that are asked for; return the exit code, 1 where a case failed."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all if none")
    parser.add_argument("--quick", action="store_true", help="the short form, of a minute or two")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    failed, Tally.loud = 0, True
    for name in chosen.parts or PARTS:
        part, many, few = PARTS[name]
        began = time.perf_counter()
        tally = part(few if chosen.quick else many, chosen.seed)
        print(f"{name}: {tally} ({time.perf_counter() - began:.0f} s)", flush=True)  # noqa: T201
        failed += len(tally.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
