"""The long form: ``python -m soak [--quick] [--seed N] [PART ...]``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from .faults import faults
from .files import inputs, results
from .interruptions import interruptions
from .memory import sizes
from .resumes import resumes
from .scenarios import scenarios
from .tally import Tally


class Part(NamedTuple):
    """A part of the soak.

    Attributes
    ----------
    carry_out : callable
        Of the number of cases and a seed.
    many, few : int
        How many cases the long form has, and the short one.
    minutes : float
        How long it may take; cases that are left then are counted as not reached.
    """

    carry_out: Callable[[int, int], Tally]
    many: int
    few: int
    minutes: float


# An hour together.
PARTS: dict[str, Part] = {
    "scenarios": Part(scenarios, 12_000, 200, 14),
    "inputs": Part(inputs, 1_500, 100, 4),
    "results": Part(results, 1_500, 40, 12),
    "faults": Part(faults, 330, 11, 10),
    "memory": Part(sizes, 1_000, 40, 6),
    "resumes": Part(resumes, 60, 4, 5),
    "interruptions": Part(interruptions, 20, 1, 9),
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
        part, began = PARTS[name], time.monotonic()
        Tally.deadline = began + 60.0 * part.minutes
        tally = part.carry_out(part.few if chosen.quick else part.many, chosen.seed)
        print(f"{name}: {tally} ({time.monotonic() - began:.0f} s)", flush=True)  # noqa: T201
        failed += len(tally.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
