"""What the loop of many integrations is given, carries and leaves; see `pcode.solvers.many`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..base.status import Status
from ..model.dynamics import Constants
from ..model.state import State
from ..system.coupled import Parameters, Structure
from .stepping import Carry, Kind

# How a member ended, by its number in compiled code.
STATUSES = tuple(map(Status, ("success", "equilibrium", "max_steps", "step_too_small", "diverged")))
GOING = -1


class Members(NamedTuple):
    """What differs between members; all arrays have a first axis with one entry a member, C of them.

    Attributes
    ----------
    constants : Constants
        Its masks are the same for all, without that axis.
    state : State
        Nodes and weights at the start of the phase.
    y : array, shape (C, N), or None
        Unknowns where a member goes on after a jump of a clamp; None where no clamp jumps.
    steps, rejected : arrays, shape (C,)
        Steps so far.
    """

    constants: Constants
    state: State
    y: Any
    steps: Any
    rejected: Any


class Span(NamedTuple):
    """What all members share: an interval between two jumps of the clamps.

    Attributes
    ----------
    clamp, pieces
        See `Parameters`.
    begin, end : scalar
        In the phase's own time.
    stops : array, shape (S,)
        Times that no step may cross; the last is the end.
    times : array, shape (T,)
        Increasing times to save: the begin, those within, any number of infinite ones, and the end, for which
        the time is taken at which a member ends.
    rtol, atol, max_steps : scalar
    settle_tol, settles_from : scalar
        Residual at which a member is at rest, and from when on that counts.
    kink_tolerance : scalar
        See `base.kink_tolerance`.
    largest : scalar
        Largest absolute value of a clamp.
    count : scalar
        How many members there are; the arrays may have room for more.
    """

    clamp: tuple[Any, ...]
    pieces: tuple[Any, ...]
    begin: Any
    end: Any
    stops: Any
    times: Any
    rtol: Any
    atol: Any
    max_steps: Any
    settle_tol: Any
    settles_from: Any
    kink_tolerance: Any
    largest: Any
    count: Any


class Ended(NamedTuple):
    """Where the members have come.

    Attributes
    ----------
    y : array, shape (C, N)
    t, status, steps, rejected : arrays, shape (C,)
        Time, number in `STATUSES`, and steps.
    rows : array, shape (C, T, N)
        Unknowns at the times to save; NaN where a member ended before.
    """

    y: Any
    t: Any
    status: Any
    steps: Any
    rejected: Any
    rows: Any


class Root(NamedTuple):
    """The search for an event within the last step: an interval, the values at its ends, guesses."""

    a: Any
    b: Any
    fa: Any
    fb: Any
    side: Any
    guesses: Any
    seeking: Any


class Slot(NamedTuple):
    """A member that is being integrated."""

    member: Any
    p: Parameters
    bound: Any
    carry: Carry
    y: Any  # where it ends, if that is within a step
    t: Any
    row: Any  # the next time to save
    status: Any
    root: Root
    turning: Any  # a node has reached or left a kink within the last step, at a time that is sought or found
    mark: tuple[Any, Any]  # steps and time at the last look at its progress


class Static(NamedTuple):
    """On what the compiled code depends, besides shapes.

    Attributes
    ----------
    kind : Kind
        The method.
    structure : Structure
        Of the system without reductions.
    reduce : bool
        Whether to leave out unknowns that follow from others, see `pcode.system.reduction`.
    apart : bool
        Whether W may differ from M^T in a member.
    rests : bool
        Whether members end when they are at rest.
    slots : int
        How many members are integrated side by side.
    alone : bool
        Whether no other compiled code may run meanwhile, see `calls_lapack`.
    """

    kind: Kind
    structure: Structure
    reduce: bool
    apart: bool
    rests: bool
    slots: int
    alone: bool
