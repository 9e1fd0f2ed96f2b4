"""`TimeSeries`: a clamp that follows values given at some times."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ..base import checks, units
from ..base.errors import InputError
from ..base.short import Short
from ..base.vectors import largest
from .clamp import ClampSchedule, Pieces, pieces_through
from .csv_file import read_columns
from .network import Array
from .npz_file import read_npz

SeriesKind = Literal["linear", "cubic"]

# The name of the column of times in a file, with or without a unit.
TIME_COLUMN = re.compile(r"(?:t|time)\s*(?:[(\[]\s*(\w+)\s*[)\]])?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class TimeSeries(Short):
    """Values that a clamped layer follows: interpolated between breakpoints, constant beyond them.

    Parameters
    ----------
    t : array_like, shape (T,), or pint.Quantity, or sequence of times such as "10 ms"
        Breakpoints in the phase's own time, never decreasing; a time given twice is a jump.
    values : array_like, shape (T, B, n_l)
        Values at the breakpoints. NaN leaves a node free; it must then be NaN at every breakpoint.
    kind : {"linear", "cubic"}
        Interpolation: straight lines, or `scipy.interpolate.CubicSpline`, one for each interval between
        jumps.
    time_unit : str, optional
        Unit of `t`. By default that of the first time with a unit, or else that of the network.

    Raises
    ------
    InputError
        If the shapes disagree, times decrease, a node is free at some breakpoints only, or there is no such
        kind; if values between breakpoints overflow.
    """

    t: Array
    values: Array
    kind: SeriesKind
    time_unit: str | None

    def __init__(
        self, t: Any, values: ArrayLike, kind: SeriesKind = "linear", time_unit: str | None = None
    ) -> None:
        own = None if time_unit is None else units.unit("time_unit", time_unit)
        times, unit = units.times("t", t)
        if own is not None and unit is not None:
            times = units.converted(times, unit, own)
        series = checks.real_array("values", values)
        if times.ndim != 1 or times.size < 1:
            raise InputError("t", "must be a list of times")
        if not np.isfinite(times).all() or (np.diff(times) < 0.0).any():
            raise InputError("t", "must be finite and never decrease")
        if (times[2:] == times[:-2]).any():
            raise InputError("t", "gives a time more than twice; a step needs it twice")
        if series.ndim != 3 or len(series) != times.size:
            what = f"have shape {series.shape}; must be ({times.size}, samples, nodes), one a time"
            raise InputError("values", what)
        if np.isinf(series).any():
            raise InputError("values", "must be finite, or NaN for a free node")
        if (np.isnan(series) != np.isnan(series[:1])).any():
            raise InputError("values", "a node must be free (NaN) at all times or at none")
        checks.word("kind", kind, get_args(SeriesKind))
        object.__setattr__(self, "t", times)
        object.__setattr__(self, "values", series)
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "time_unit", own or unit)
        _ = self.pieces

    @classmethod
    def load(
        cls,
        file: str | os.PathLike[str],
        kind: SeriesKind = "linear",
        *,
        samples: int = 1,
        time_unit: str | None = None,
    ) -> TimeSeries:
        """Read a time series from a file.

        Parameters
        ----------
        file : path
            A ``.csv`` file with a header: the times in the column ``t``, or with their unit in ``t (ms)``,
            and the values in the others, one a node, for all samples alike. Or an ``.npz`` file with the
            arrays ``t``, shape (T,), and ``values``, shape (T, n_l), for all samples alike, or (T, B, n_l).
        kind : {"linear", "cubic"}
        samples : int
            Number B of samples, for values that are alike.
        time_unit : str, optional
            Unit of the times, if the file does not say it; else they are converted into it.

        Raises
        ------
        InputError
            If the file cannot be read or holds something else, or as for a series that is given.
        """
        path = checks.path("file", file)
        if path.suffix.lower() == ".csv":
            t, values, unit = _from_csv(path)
        elif path.suffix.lower() == ".npz":
            t, values, unit = *_from_npz(path), None
        else:
            raise InputError("file", f"{path} must be an .npz or a .csv file")
        if values.ndim == 2:
            values = np.repeat(values[:, None], checks.whole("samples", samples, least=1), axis=1)
        try:
            series = cls(t, values, kind, unit or time_unit)
        except InputError as error:
            if error.where not in ("t", "values"):
                raise
            raise InputError("file", f"{path}: {error.where} {error.what}") from None
        return series if time_unit is None else series.in_unit(units.unit("time_unit", time_unit))

    def in_unit(self, unit: str) -> TimeSeries:
        """The same with its times in `unit`."""
        own = self.time_unit or unit
        t = self.t if own == unit else units.converted(self.t, own, unit)
        return TimeSeries(t, self.values, self.kind, unit)

    @cached_property
    def pieces(self) -> Pieces:
        """The same as piecewise polynomials."""
        pieces = pieces_through(self.t, np.nan_to_num(self.values), self.kind == "cubic")
        # A bound on the values: the sum of all terms, taken with the same sign, at the ends of the pieces.
        coefficients = pieces.coefficients
        largest = np.maximum(coefficients.max(axis=(2, 3)), -coefficients.min(axis=(2, 3)))
        lengths = np.diff(pieces.edges, prepend=pieces.edges[0], append=pieces.edges[-1])
        with np.errstate(over="ignore", invalid="ignore"):
            powers = lengths[:, None] ** np.arange(coefficients.shape[1])
            finite = np.isfinite((largest * powers).sum(axis=1))
        if not finite.all():
            k = int(np.argmin(finite))
            between = f"between t = {pieces.edges[k - 1]:g} and {pieces.edges[k]:g}"
            raise InputError("values", f"overflow {between}; take smaller values, or times further apart")
        return pieces

    @cached_property
    def schedule(self) -> ClampSchedule:
        """When it changes."""
        t, pieces = self.t, self.pieces
        twice = np.flatnonzero(t[1:] == t[:-1])
        before, after = (np.nan_to_num(self.values[k]) for k in (twice, twice + 1))
        jumps = t[twice][(before != after).any(axis=(1, 2))]
        moves = (pieces.coefficients[:, 1:] != 0.0).any(axis=(1, 2, 3))
        ends = np.append(pieces.edges[moves[:-1].nonzero()[0]], jumps)
        return ClampSchedule(t, jumps, float(ends.max(initial=0.0)), largest(self.values))

    def at(self, t: float, side: Literal["left", "right"] = "right") -> Array:
        """Values at time `t`, shape (B, n_l); at a jump those before ("left") or after ("right") it."""
        pieces = self.pieces.between(t if side == "right" else -np.inf, np.inf if side == "right" else t)
        values: Array = np.where(np.isnan(self.values[0]), np.nan, pieces.at(t, np))
        return values


def _from_csv(path: Path) -> tuple[Array, Array, str | None]:
    """Times, values of shape (T, n_l), and the unit of the times."""
    header, rows = read_columns(path)
    found = [(k, named) for k, name in enumerate(header) if (named := TIME_COLUMN.fullmatch(name))]
    if len(found) != 1 or len(header) < 2:
        what = f"{path} must have a column t of times and one for each node, not {', '.join(header)[:200]}"
        raise InputError("file", what)
    (k, named), table = found[0], np.array(rows, dtype=float).reshape(len(rows), len(header))
    unit = None if named[1] is None else units.unit("file", named[1])
    return table[:, k], np.delete(table, k, axis=1), unit


def _from_npz(path: Path) -> tuple[Array, Array]:
    """Times, and values of shape (T, n_l) or (T, B, n_l)."""
    arrays = read_npz(path, "file")
    if set(arrays) != {"t", "values"}:
        held = ", ".join(arrays) or "nothing"
        raise InputError("file", f"{path} must hold the arrays t and values; it holds {held}")
    return arrays["t"], arrays["values"]
