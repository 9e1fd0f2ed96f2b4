"""The time constants of a network: one unit for all, and what else follows from them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from ..base import units
from ..base.errors import InputError
from .variables import parsed

# The fields that are time constants.
TIMES = ("tau", "tau_eps", "delta")


class Clocks:
    """What a `Network` does with its time constants."""

    # Fields of the network; a time constant is a number, or a tuple of several.
    time_unit: Any
    tau: Any
    tau_eps: Any
    delta: Any

    @property
    @abstractmethod
    def n(self) -> int:
        """Number of the last layer; the layers are 0..n."""

    # Whether a number without a unit is a time in `time_unit`.
    _bare: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Bring the time constants into one unit."""
        given = {name: value for name in TIMES if (value := vars(self)[name]) is not None}
        # A time with a unit is a tuple too.
        several = {k: v for k, v in given.items() if isinstance(v, tuple) and not isinstance(v, units.Time)}
        single: dict[str, Any] = {}
        for name, value in given.items():  # in this order: the first that has a unit gives it
            listed = {f"{name}[{k}]": one for k, one in enumerate(several.get(name, ()))}
            single |= listed or {name: value}
        right = "give it with a unit too, or set time_unit"
        unit, times = units.common(self.time_unit, single, right)
        object.__setattr__(self, "_bare", self.time_unit is not None or unit is None)
        object.__setattr__(self, "time_unit", unit)
        for name in given:
            ones = tuple(times[f"{name}[{k}]"] for k in range(len(several.get(name, ()))))
            object.__setattr__(self, name, times[name] if not ones else ones if len({*ones}) > 1 else ones[0])
        self._check_limit()

    def _check_limit(self) -> None:
        """Raise InputError unless tau is 0 in all layers or in none, and tau_eps 0 where tau is."""
        if not all(self.taus) and any(self.taus):
            raise InputError("tau", "must be 0 in all layers (nodes always at rest) or in none")
        if not any(self.taus) and any(self.taus_eps):
            what = "must be 0, or left out, with tau = 0: nodes that are always at rest have errors at rest"
            raise InputError("tau_eps", what)

    def check_unit(self, where: str, unit: str | None) -> None:
        """Raise InputError, naming `where`, unless times that have this unit, or none, go with the network's.

        If the network has no unit, times must have none; if it has been given times with a unit but no
        `time_unit`, they must have one.
        """
        if unit is not None and self.time_unit is None:
            what = f"has a unit ({unit}), but tau and delta have none; give them with one, or set time_unit"
            raise InputError(where, what)
        if unit is None and not self._bare:
            unit = self.time_unit
            what = f'has no unit, but tau and delta have one; write it with one, such as "10 {unit}", or set'
            raise InputError(where, f"{what} time_unit")

    def time(self, where: str, value: Any) -> float:
        """A time, such as a number or "10 ms", as a number in the unit of the network.

        Raises
        ------
        InputError
            Naming `where`, if it is no time, or has a unit where the network has none.
        """
        time = units.time(where, value)
        if not isinstance(time, units.Time):
            return time
        self.check_unit(where, time.unit)
        return float(units.converted(time.value, time.unit, str(self.time_unit)))

    @property
    def taus(self) -> tuple[float, ...]:
        """The time constant of the value nodes of each layer, l = 0..n."""
        return self._each_of(self.tau, self.n + 1)

    @property
    def taus_eps(self) -> tuple[float, ...]:
        """The time constant of the error nodes of each layer, l = 1..n; 0 where they are slaved."""
        if self.tau_eps is None:
            return self.taus[1:]
        return self._each_of(self.tau_eps, self.n)

    @property
    def own_taus_eps(self) -> tuple[float, ...]:
        """`taus_eps` where errors have a clock of their own; empty where it is that of the values."""
        return () if self.taus_eps == self.taus[1:] else self.taus_eps

    @property
    def limit(self) -> bool:
        """Whether tau = 0: the singular limit, in which the nodes are always at rest."""
        return not any(self.taus)

    @property
    def slaved(self) -> tuple[int, ...]:
        """The layers, of 1..n, whose errors are slaved to the values; empty in the singular limit."""
        return () if self.limit else tuple(k for k, tau in enumerate(self.taus_eps, start=1) if tau == 0.0)

    @property
    def shortest_tau(self) -> float:
        """The smallest positive time constant of the nodes; 0 in the singular limit."""
        return min((tau for tau in (*self.taus, *self.taus_eps) if tau > 0.0), default=0.0)

    @property
    def longest_tau(self) -> float:
        """The largest time constant of the value nodes: tau, if they all have the same."""
        return max(self.taus)

    def with_longest_tau(self, tau: float) -> Self:
        """The same with the clocks of the nodes scaled so that this is the largest tau; 0 for the limit."""
        if tau == 0.0 or self.limit:
            return self._with(tau=tau, tau_eps=None)
        factor = tau / self.longest_tau
        values = tuple(factor * one for one in self.taus) if isinstance(self.tau, tuple) else tau
        errors = None if self.tau_eps is None else self._scaled_errors(factor)
        return self._with(tau=values, tau_eps=errors)

    def with_errors_faster(self, ratio: float) -> Self:
        """The same with tau/tau_eps at least `ratio`, and just that in one layer; infinite: slaved errors.

        Of several tau_eps the proportions are kept; where all errors are slaved, all layers have the ratio.
        """
        own = self.errors_faster
        each = tuple(tau / ratio for tau in self.taus[1:])
        return self._with(tau_eps=self._scaled_errors(own / ratio) if math.isfinite(own) else each)

    @property
    def errors_faster(self) -> float:
        """The smallest tau/tau_eps of the layers 1..n; infinite if all errors are slaved."""
        pairs = zip(self.taus[1:], self.taus_eps, strict=True)
        return min((tau / own for tau, own in pairs if own > 0.0), default=math.inf)

    @staticmethod
    def _each_of(times: Any, count: int) -> tuple[float, ...]:
        return times if isinstance(times, tuple) else (times,) * count

    def _with(self, **times: Any) -> Self:
        return replace(self, **times)  # type: ignore[type-var]

    def _scaled_errors(self, factor: float) -> tuple[float, ...]:
        return tuple(factor * one for one in self.taus_eps)

    @property
    def tau_text(self) -> str:
        """Tau in words: a number, or where the layers differ one for each; with tau_eps if it is another."""
        told = _each(self.tau)
        if self.tau_eps is None or not self.own_taus_eps:
            return told
        return f"{told}, tau_eps = {_each(self.tau_eps)}"

    @property
    def deltas(self) -> tuple[float, ...]:
        """The time constant of the weights of each link, l = 0..n-1."""
        return self._each_of(self.delta, self.n)

    @property
    def shortest_delta(self) -> float:
        """The smallest delta of its links, where one number is needed."""
        return min(self.deltas)

    @property
    def delta_text(self) -> str:
        """Delta in words: a number, or where the links differ one for each."""
        return _each(self.delta)

    def deltas_of(self, learn: bool | Sequence[str]) -> tuple[float, ...]:
        """The time constants of the links of which some weights learn; of all links if none does.

        Parameters
        ----------
        learn : bool or sequence of str
            As for `Phase`.
        """
        if isinstance(learn, bool):
            return self.deltas
        links = [variable.link(layer) for variable, layer in map(parsed, learn)]
        return tuple(self.deltas[link] for link in sorted({*links}))


def _each(times: float | tuple[float, ...]) -> str:
    """A time in words, or several in brackets."""
    return f"[{', '.join(f'{one:g}' for one in times)}]" if isinstance(times, tuple) else f"{times:g}"
