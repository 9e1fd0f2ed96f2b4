"""`Presentation`: samples or mini-batches that a phase shows one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..base import checks, units
from ..base.errors import InputError
from ..base.near import hint

Order = Literal["given", "shuffled"]
Nodes = Literal["carry", "feedforward", "zero", "equilibrium"]

# Upper bound on passes and sizes, beyond any run.
MOST = 10**12

EQUILIBRIUM = "equilibrium"


@dataclass(frozen=True)
class Presentation:
    """How a phase shows its samples: in mini-batches, one after another.

    Parameters
    ----------
    size : int
        Samples shown at a time. The last mini-batch of a pass is smaller where it does not divide their
        number.
    hold : float, str or pint.Quantity
        How long each is shown, > 0: a number in the unit of tau, or a time with a unit such as "10 ms". Or
        "equilibrium": until everything is at rest as for ``Phase(until="equilibrium")``, weights that learn
        included, or `limit` has passed.
    passes : int
        How often all samples are shown.
    order : {"given", "shuffled"}
        The order in each pass: that of the samples, or a random one, drawn anew for each pass.
    seed : int
        Seed of the random orders.
    ramp : float, str or pint.Quantity
        Time, a part of `hold`, in which clamped values go linearly from those of the mini-batch before to the
        new ones; 0 for a switch at once. There is none at the phase's start.
    nodes : {"carry", "feedforward", "zero", "equilibrium"}
        Where nodes start at each switch. With carry, row k of a mini-batch goes on from row k of the one
        before, values and errors; the first starts as the phase does, and so does a row that the one before
        lacks. The others are those of `pcode.simulate`.
    limit : float, str or pint.Quantity, optional
        With ``hold="equilibrium"``, the longest a mini-batch is shown.
    time_unit : str, optional
        Unit of its times. By default that of the first that has one, or else that of the network.

    Raises
    ------
    InputError
        If a value is of the wrong kind or out of range, or `limit` does not go with `hold`.
    """

    size: int = 1
    hold: Any = None
    passes: int = 1
    order: Order = "given"
    seed: int = 0
    ramp: Any = 0.0
    nodes: Nodes = "carry"
    limit: Any = None
    time_unit: str | None = None

    def __post_init__(self) -> None:
        def keep(key: str, value: object) -> None:
            object.__setattr__(self, key, value)

        keep("size", checks.whole("size", self.size, least=1, most=MOST))
        keep("passes", checks.whole("passes", self.passes, least=1, most=MOST))
        keep("seed", checks.whole("seed", self.seed, least=0))
        checks.word("order", self.order, get_args(Order))
        checks.word("nodes", self.nodes, get_args(Nodes))
        self._keep_times()

    def _keep_times(self) -> None:
        rests = isinstance(self.hold, str) and not any(map(str.isdigit, self.hold))
        if rests and self.hold != EQUILIBRIUM:
            what = f'must be a time, or "{EQUILIBRIUM}", not {checks.shown(self.hold)}'
            raise InputError("hold", f"{what}{hint(self.hold, [EQUILIBRIUM])}")
        if self.hold is None:
            raise InputError("hold", f'is missing; give a time, or "{EQUILIBRIUM}" with a limit')
        if rests and self.limit is None:
            raise InputError("limit", f'is missing; hold = "{EQUILIBRIUM}" needs the longest time')
        if not rests and self.limit is not None:
            raise InputError("limit", f'goes with hold = "{EQUILIBRIUM}" only; leave it out')
        longest = "limit" if rests else "hold"
        own = None if self.time_unit is None else units.unit("time_unit", self.time_unit)
        given = {key: units.time(key, getattr(self, key)) for key in (longest, "ramp")}
        unit, found = units.common(own, given, "give both with a unit, or none")
        lasts = checks.number(longest, found[longest], above=0.0)
        ramp = checks.number("ramp", found["ramp"], least=0.0)
        if ramp > lasts:
            raise InputError("ramp", f"is a part of {longest}, so at most {lasts:g}, not {ramp:g}")
        for key, value in {longest: lasts, "ramp": ramp, "time_unit": unit}.items():
            object.__setattr__(self, key, value)

    @property
    def until(self) -> Literal["equilibrium"] | None:
        """How each mini-batch ends, as for `Phase`: at "equilibrium", or None for after its time."""
        return "equilibrium" if self.hold == EQUILIBRIUM else None

    @property
    def longest(self) -> float:
        """The longest time for which a mini-batch is shown."""
        return float(self.limit if self.until else self.hold)

    def in_unit(self, unit: str) -> Presentation:
        """The same with its times in `unit`."""
        own = self.time_unit or unit
        times = {key: getattr(self, key) for key in ("hold", "ramp", "limit")}
        kept = {
            key: units.converted(value, own, unit) if isinstance(value, float) else value
            for key, value in times.items()
        }
        rest = {key: getattr(self, key) for key in ("size", "passes", "order", "seed", "nodes")}
        return Presentation(**rest, **kept, time_unit=unit)

    def per_pass(self, samples: int) -> int:
        """Number of mini-batches of a pass through so many samples."""
        return -(-samples // self.size)

    def count(self, samples: int) -> int:
        """Number of mini-batches in all passes."""
        return self.passes * self.per_pass(samples)

    def rows(self, samples: int, first: int = 0, last: int | None = None) -> list[NDArray[np.int64]]:
        """The rows of the phase that the mini-batches `first` to `last` (exclusive) show, in turn.

        Parameters
        ----------
        samples : int
            Number B of the phase's rows.
        first, last : int, optional
            All by default.
        """
        each, count = self.per_pass(samples), self.count(samples)
        last = count if last is None else last
        shown: list[NDArray[np.int64]] = []
        for k in range(first // each, -(-last // each)):
            order = self._order(samples, k)
            batches = [order[start : start + self.size] for start in range(0, samples, self.size)]
            shown += batches[max(first - k * each, 0) : last - k * each]
        return shown

    def _order(self, samples: int, k: int) -> NDArray[np.int64]:
        """The order of the rows in pass `k`; it does not depend on the number of passes."""
        if self.order == "given":
            return np.arange(samples)
        return np.random.default_rng([self.seed, k]).permutation(samples)

    def to_dict(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(vars(self))


def ramp_from(before: Any, new: Any, xp: Any = np) -> Any:
    """Clamped values at which a ramp to `new` begins, shape (B, n_l): those of the presentation before.

    The new ones where there were none: in free nodes, and in rows that the one before lacks.

    Parameters
    ----------
    before, new : array, shapes (B', n_l), (B, n_l)
        NaN where a node is free.
    xp : module
        NumPy, or JAX's NumPy.
    """
    kept = min(len(before), len(new))
    known = xp.where(xp.isnan(before[:kept]) | xp.isnan(new[:kept]), new[:kept], before[:kept])
    return known if kept == len(new) else xp.concatenate([known, new[kept:]])


def size_within(presentation: Presentation, samples: int) -> Sequence[int]:
    """Sizes of the mini-batches of a pass.

    Raises
    ------
    InputError
        If a mini-batch is larger than the data.
    """
    if presentation.size > samples:
        what = f"must be at most the number of samples, {samples}, not {presentation.size}"
        raise InputError("presentation.size", what)
    full, left = divmod(samples, presentation.size)
    return [presentation.size] * full + [left] * (left > 0)
