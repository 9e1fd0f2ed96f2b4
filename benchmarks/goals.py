"""What is to be reached, and whether it was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from .case import Case
from .measurement import Measurement

# Errors that differ by no more than this factor count as equal.
EQUAL = 2.0

# Tighter tolerances to try, as fractions of the case's, until the error is as small as the contender's.
TIGHTER = (10**-0.5, 1e-1, 10**-1.5, 1e-2, 10**-2.5, 1e-3, 10**-3.5, 1e-4)


@dataclass(frozen=True)
class Verdict:
    """What was to be reached, what was, and whether that is enough (None: it cannot be told)."""

    target: str
    found: str
    reached: bool | None


class Bench(Protocol):
    """What measures; see `measure.Bench`."""

    def get(self, case: Case, method: str, rtol: float | None = None) -> Measurement:
        """The measurement of `method` on `case`."""


class Goal(Protocol):
    """Something that a method is to reach on a case."""

    @property
    def method(self) -> str:
        """The method that is to reach it."""

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """Whether it does; may measure what has not been measured yet."""


def fastest(measured: list[Measurement]) -> tuple[Measurement | None, float, bool]:
    """The fastest of several, its seconds, and whether it took longer than that: it was given up."""
    solved = [m for m in measured if m.seconds is not None]
    if solved:
        best = min(solved, key=lambda m: m.seconds or math.inf)
        return best, best.seconds or math.inf, False
    given_up = [m for m in measured if m.status == "timeout"]
    if not given_up:
        return None, math.inf, False
    return given_up[0], min(float(m.reason.strip("> s")) for m in given_up), True


@dataclass(frozen=True)
class Faster:
    """`method` takes 1/`factor` of the time of the best of `against`, at equal accuracy."""

    method: str
    against: tuple[str, ...]
    factor: float

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """See `Goal`. Where the error is larger, it is judged at a tolerance where it is not."""
        ours = bench.get(case, self.method)
        best, seconds, longer = fastest([bench.get(case, name) for name in self.against])
        target = f"{self.factor:g}x faster than {' and '.join(self.against)}"
        if ours.seconds is None or best is None:
            return Verdict(target, "-", None if ours.status in ("absent", "ok") else False)
        ratio = seconds / ours.seconds
        found = f"{'over ' if longer else ''}{ratio:.3g}x"
        if ours.error is None or best.error is None or ours.error <= EQUAL * best.error:
            return Verdict(target, found, ratio >= self.factor or (None if longer else False))
        found += " at equal rtol"
        for fraction in TIGHTER:
            if case.rtol * fraction < 1e-10:
                break
            tighter = bench.get(case, self.method, case.rtol * fraction)
            if tighter.seconds and tighter.error is not None and tighter.error <= EQUAL * best.error:
                ratio = seconds / tighter.seconds
                return Verdict(target, f"{found}, {ratio:.3g}x at equal error", ratio >= self.factor)
        return Verdict(target, f"{found}, equal error not reached", False)


@dataclass(frozen=True)
class NearBest:
    """`method` takes at most `factor` times what the best of all others takes."""

    method: str
    factor: float

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """See `Goal`."""
        ours = bench.get(case, self.method)
        others = [bench.get(case, name) for name in case.methods if name != self.method]
        best, seconds, longer = fastest(others)
        target = f"at most {self.factor:g}x the best of the others"
        if ours.seconds is None or best is None or longer:
            return Verdict(target, "-", None if ours.status in ("absent", "ok") else False)
        ratio = ours.seconds / seconds
        return Verdict(target, f"{ratio:.3g}x {best.method}", ratio <= self.factor)


@dataclass(frozen=True)
class NoSlower:
    """`method` takes at most `factor` times what it takes on another case."""

    method: str
    than: Case
    factor: float

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """See `Goal`."""
        ours, theirs = (bench.get(one, self.method).seconds for one in (case, self.than))
        target = f"at most {self.factor:g}x {self.than.name}"
        if ours is None or theirs is None:
            return Verdict(target, "-", None)
        return Verdict(target, f"{ours / theirs:.3g}x", ours <= self.factor * theirs)


@dataclass(frozen=True)
class NoMoreSteps:
    """`method` tries no more steps than `against`."""

    method: str
    against: str

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """See `Goal`."""
        ours, theirs = bench.get(case, self.method), bench.get(case, self.against)
        target = f"no more steps than {self.against}"
        if ours.steps is None or theirs.steps is None:
            return Verdict(target, "-", None)
        tried = [ours.steps, theirs.steps]
        if ours.rejected is not None and theirs.rejected is not None:
            tried = [ours.steps + ours.rejected, theirs.steps + theirs.rejected]
        return Verdict(target, f"{tried[0]:,} against {tried[1]:,}", tried[0] <= tried[1])


@dataclass(frozen=True)
class Within:
    """`method` takes at most `seconds`."""

    method: str
    seconds: float

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """See `Goal`."""
        ours = bench.get(case, self.method)
        found = "-" if ours.seconds is None else f"{ours.seconds:.3g} s"
        return Verdict(f"{self.seconds:g} s", found, (ours.seconds or math.inf) <= self.seconds)


@dataclass(frozen=True)
class Memory:
    """`method` holds at most `megabytes`, in units of 1e6 bytes."""

    method: str
    megabytes: float

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """See `Goal`."""
        ours = bench.get(case, self.method)
        found = "-" if ours.peak_mb is None else f"{ours.peak_mb:,.0f} MB"
        reached = ours.ok and (ours.peak_mb or math.inf) <= self.megabytes
        return Verdict(f"{self.megabytes:,.0f} MB", found, reached)


@dataclass(frozen=True)
class Accuracy:
    """`method` ends with weights that classify at least `share` of the images held back."""

    method: str
    share: float

    def judge(self, bench: Bench, case: Case) -> Verdict:
        """See `Goal`."""
        ours = bench.get(case, self.method)
        found = "-" if ours.accuracy is None else f"{ours.accuracy:.1%}"
        return Verdict(f"{self.share:.0%} accuracy", found, (ours.accuracy or 0.0) >= self.share)


@dataclass(frozen=True)
class Flat:
    """The time of `method` over `cases` stays within `factor`."""

    method: str
    cases: tuple[str, ...]
    factor: float

    def judge(self, bench: Bench, cases: list[Case]) -> Verdict:
        """Whether it does, over `cases`, the cases of those names."""
        seconds = [bench.get(case, self.method).seconds for case in cases]
        target = f"within a factor {self.factor:g} over delta/tau"
        known = [s for s in seconds if s is not None]
        if len(known) < len(seconds):
            return Verdict(target, "-", False)
        ratio = max(known) / min(known)
        return Verdict(target, f"{ratio:.3g}x", ratio <= self.factor)


@dataclass(frozen=True)
class Growth:
    """The time of `method` over `cases` grows no faster than N to the power of `exponent`."""

    method: str
    cases: tuple[str, ...]
    exponent: float

    def judge(self, bench: Bench, cases: list[Case]) -> Verdict:
        """Whether it does, by least squares over `cases`; the steepest piece is told too."""
        seconds = [bench.get(case, self.method).seconds for case in cases]
        target = f"no faster than N^{self.exponent:g}"
        if any(s is None for s in seconds):
            return Verdict(target, "-", False)
        points = sorted(
            (math.log(case.unknowns), math.log(s or 1.0)) for case, s in zip(cases, seconds, strict=True)
        )
        mean_n, mean_s = (sum(p[k] for p in points) / len(points) for k in (0, 1))
        slope = sum((n - mean_n) * (s - mean_s) for n, s in points) / sum(
            (n - mean_n) ** 2 for n, _ in points
        )
        pieces = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
        found = f"N^{slope:.2f}; at the steepest N^{max(pieces):.2f}"
        return Verdict(target, found, slope <= self.exponent)
