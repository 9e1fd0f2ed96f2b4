"""The members of an ensemble: checks of what is given of each, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import solvers
from ..base import checks
from ..base.errors import InputError
from ..base.near import hint
from ..base.short import Short
from ..model.network import Array, Network, Weights
from ..model.phase import Phase
from ..run.ensemble import OVER
from .arguments import weights_of

# Most members, beyond any memory.
MOST_MEMBERS = 10**7


@dataclass(frozen=True, eq=False)
class Group(Short):
    """The members of an ensemble.

    Attributes
    ----------
    networks : tuple of Network
    weights : tuple of Weights
    seeds : tuple of int or None
    over : dict of str to ndarray
        The values of what differs, shapes (C,), or (C, n) where some have one for each layer or link.
    """

    networks: tuple[Network, ...]
    weights: tuple[Weights, ...]
    seeds: tuple[int, ...] | None
    over: dict[str, Array]

    def __len__(self) -> int:
        return len(self.networks)

    @property
    def outermost(self) -> list[int]:
        """Members with the smallest and the largest of each value, and the first."""
        ends = [k for values in self.over.values() for k in _ends(values)]
        return sorted({0, *ends})


def _ends(values: Array) -> tuple[int, int]:
    each = values if values.ndim == 1 else values.min(axis=1)
    return int(each.argmin()), int(each.argmax())


def members_of(network: Network, weights: Any, seeds: Any, init: Any, over: Any) -> Group:
    """The members, as `pcode.simulate_many` is told.

    Raises
    ------
    InputError
        If weights and seeds are both given or both missing, lengths differ, or a value does not fit.
    """
    drawn, numbers = _weights(network, weights, seeds, init)
    networks, values = _networks(network, over, len(drawn), "weights" if numbers is None else "seeds")
    return Group(networks, drawn, numbers, values)


def _weights(
    network: Network, weights: Any, seeds: Any, init: Any
) -> tuple[tuple[Weights, ...], tuple[int, ...] | None]:
    if (weights is None) == (seeds is None):
        which = "both are given" if weights is not None else "neither is given"
        raise InputError("weights, seeds", f"{which}; give one of them, with an entry for each member")
    if weights is not None:
        if init is not None:
            raise InputError("init", "says how weights are drawn, which goes with seeds; leave it out")
        listed = _listed("weights", weights, "a list of Weights, one a member")
        return tuple(_named(f"weights[{k}]", network, one) for k, one in enumerate(listed)), None
    listed = _listed("seeds", seeds, "whole numbers of 0 or more, one a member, such as range(100)")
    numbers = tuple(checks.whole(f"seeds[{k}]", seed, least=0) for k, seed in enumerate(listed))
    given: Any = {} if init is None else init
    right = 'arguments of Network.init_weights by name, such as {"scale": 1.5}'
    checks.instance("init", given, Mapping, right)
    known = ("init", "scale", "W")
    for name in given:
        if name not in known:
            what = f"has no {checks.shown(name)}; there are {', '.join(known)}{hint(name, known)}"
            raise InputError("init", what)
    try:
        return tuple(network.init_weights(seed, **given) for seed in numbers), numbers
    except InputError as error:
        raise error.within("init") from None


def _listed(where: str, values: Any, right: str) -> tuple[Any, ...]:
    # Weights are tuples too, but those of one member.
    if isinstance(values, Weights):
        raise InputError(where, f"must be {right}; these are of one member")
    listed = values if isinstance(values, range) else checks.listed(where, values, right)
    if not 1 <= len(listed) <= MOST_MEMBERS:
        raise InputError(where, f"has {len(listed):,} entries; an ensemble has 1 to {MOST_MEMBERS:,} members")
    return tuple(listed)


def _named(where: str, network: Network, weights: Any) -> Weights:
    try:
        return weights_of(network, weights)
    except InputError as error:
        raise InputError(f"{where}{error.where.removeprefix('weights')}", error.what) from None


def _networks(
    network: Network, over: Any, count: int, of: str
) -> tuple[tuple[Network, ...], dict[str, Array]]:
    """The networks of the members, and the values in which they differ."""
    given: Any = {} if over is None else over
    right = 'a mapping from numbers of the network to lists, such as {"tau": [1.0, 2.0]}'
    checks.instance("over", given, Mapping, right)
    listed: dict[str, tuple[Any, ...]] = {}
    for name, values in given.items():
        if name not in OVER:
            known = f"{', '.join(OVER)}{hint(name, OVER)}"
            what = f"{checks.shown(name)} cannot differ between members; there are {known}"
            raise InputError("over", what)
        listed[name] = checks.listed(f"over[{name}]", values, "a list with one value a member")
        if len(listed[name]) != count:
            what = f"has {len(listed[name])} values and there are {count} {of}; must have one value a member"
            raise InputError(f"over[{name}]", what)
    if not listed:
        return (network,) * count, {}
    networks = tuple(_changed(network, listed, k) for k in range(count))
    return networks, {name: _values(networks, name) for name in listed}


def _changed(network: Network, listed: Mapping[str, tuple[Any, ...]], k: int) -> Network:
    """The network of member `k`."""
    changed = network
    for name, values in listed.items():
        try:
            changed = replace(changed, **{name: values[k]})
        except InputError as error:
            raise InputError(f"over[{name}][{k}]", error.what) from None
    return changed


def _values(networks: tuple[Network, ...], name: str) -> Array:
    """The values of a number, shape (C,), or (C, n) if they differ by layer or link in a member."""
    name = {"tau": "taus", "tau_eps": "taus_eps", "delta": "deltas"}.get(name, name)
    each = np.array([getattr(network, name) for network in networks])
    if each.ndim == 2 and (each == each[:, :1]).all():
        return each[:, 0]
    return each


def check_together(network: Network, group: Group, phases: Iterable[Phase], method: str) -> None:
    """Raise InputError if the members cannot be integrated together.

    `phases` must fit the network.
    """
    known = [name for name, solver in solvers.METHODS.items() if isinstance(solver, solvers.DiffraxSolver)]
    solvers.by_name(method)
    if method != "auto" and method not in known:
        what = (
            f"{method} integrates one member at a time; there are auto, {', '.join(known)}, or use simulate"
        )
        raise InputError("method", what)
    if any(one.limit for one in group.networks):
        raise InputError("tau", "is 0, which simulate can do, for one member at a time; must be above 0 here")
    if len({one.slaved for one in group.networks}) > 1:
        what = (
            "is 0 in some members and not in others, which have other unknowns; simulate these on their own"
        )
        raise InputError("over[tau_eps]", what)
    for k, phase in enumerate(phases):
        if phase.presentation is not None:
            what = "simulate shows samples one after another, for one member at a time; leave it out here"
            raise InputError(f"phases[{k}].presentation", what)
