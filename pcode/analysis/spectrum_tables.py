"""The answer to `spectrum` as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from ..base.tables import Column, Table
from ..model.network import Array
from .spectra.modes import Eigenvalues
from .spectra.rates import OSCILLATION, Rates

# The dimensions of the figures of `Rates`: times, ratios, and rates otherwise.
_TIMES = (
    "node_growth_period", "ring_period", "step_euler", "step_rk45", "node_settling", "weight_settling",
)  # fmt: skip
_RATIOS = ("damping_ratio", "gap", "stiffness")

_HEADS = {"node": "nodes", "weight": "weights", "ring": "ringing", "step": "longest stable step"}


def eigenvalue_table(
    groups: dict[str, Eigenvalues | None], samples: Sequence[int], fraction: float, time: str, rate: str
) -> Table:
    """One row for each eigenvalue, slowest first; `time` and `rate` are the units.

    Parameters
    ----------
    groups : dict of str to Eigenvalues or None
        Eigenvalues by what they belong to.
    samples : sequence of int
        The rows of the data.
    fraction : float
        Part of its start to which a mode falls in its settling time.
    """
    parts = {name: part for name, part in groups.items() if part is not None}
    orders = {name: np.lexsort((-p.values.imag, -p.values.real)) for name, p in parts.items()}
    values = np.concatenate([np.zeros(0, complex), *(parts[name].values[k] for name, k in orders.items())])
    still = np.concatenate([np.zeros(0), *(np.full(p.values.size, p.still) for p in parts.values())])
    decays = (np.abs(values) > still) & (values.real < 0.0)
    constant = np.where(decays, -1.0 / np.where(decays, values.real, -1.0), np.nan)
    rings = np.abs(values.imag) > np.maximum(still, OSCILLATION * np.abs(values))
    period = np.where(rings, 2.0 * np.pi / np.where(rings, np.abs(values.imag), 1.0), np.nan)
    numbers = [samples[b] if b >= 0 else None for name, k in orders.items() for b in parts[name].samples[k]]
    ends = [f"at the ends of the spectrum only for the {name}" for name, p in parts.items() if not p.exact]
    about = ", ".join([f"eigenvalue of the Jacobian; settled to {100 * fraction:g}%", *ends])
    return Table(
        about,
        (
            Column("of", [name for name, k in orders.items() for _ in k], "of"),
            Column("sample", numbers, "sample"),
            Column("real", values.real.tolist(), r"$\mathrm{Re}\,\lambda$", rate),
            Column("imaginary", values.imag.tolist(), r"$\mathrm{Im}\,\lambda$", rate),
            Column("time_constant", constant.tolist(), r"$-1/\mathrm{Re}\,\lambda$", time),
            Column("period", period.tolist(), "period", time),
            Column("settling_time", (-math.log(fraction) * constant).tolist(), r"$t_\mathrm{settle}$", time),
        ),
    )


def rate_table(rates: Rates, time: str, rate: str) -> Table:
    """One row for each figure that follows from the eigenvalues."""
    names = [one.name for one in fields(rates) if getattr(rates, one.name) is not None]
    return Table(
        "figure that follows from the eigenvalues",
        (
            Column("quantity", names, "quantity", typeset=_in_words),
            Column("value", [float(getattr(rates, name)) for name in names], "value"),
            Column("unit", [_unit(name, time, rate) for name in names], "unit"),
        ),
    )


def course_table(times: Array, course: Sequence[Rates], time: str, rate: str) -> Table:
    """One row for each moment along the phase."""
    columns = (
        Column(one.name, [getattr(at, one.name) for at in course], _in_words(one.name),
               _unit(one.name, time, rate))
        for one in fields(Rates)
    )  # fmt: skip
    return Table("moment of the phase", (Column("time", times.tolist(), "$t$", time), *columns))


def _unit(name: str, time: str, rate: str) -> str:
    return time if name in _TIMES else "" if name in _RATIOS else rate


def _in_words(name: str) -> str:
    first, _, rest = name.partition("_")
    words = {"rk45": "RK45", "euler": "explicit Euler"}.get(rest, rest.replace("_", " "))
    return f"{_HEADS[first]}, {words}" if first in _HEADS and rest else name.replace("_", " ")
