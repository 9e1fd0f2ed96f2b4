"""Activations of the user's own in a network that was read from a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..base import checks
from ..base.errors import InputError
from ..model import probing
from ..model.activation import Activation
from ..model.activations import activation_of
from ..model.importing import imported
from ..model.network import Network
from ..model.saved_activation import SavedActivation


def with_activations(network: Network, given: Any = None, allow_code: bool = False) -> Network:
    """`network` with the functions that its file names.

    Parameters
    ----------
    network : Network
    given : callable or Activation, or a sequence, or None
        See `Run.load`.
    allow_code : bool
        Import what is not given by its import path; what has none stays as it is.

    Raises
    ------
    InputError
        If a function cannot be imported, or is not the one that was saved.
    """
    entries = list(network.activation)
    saved = {one: None for one in entries if isinstance(one, SavedActivation)}
    if given is not None:
        entries = _given(network, given, list(saved))
    elif allow_code:
        found = {one: _loaded(one, imported("activation", one.function)) for one in saved if one.function}
        entries = [found.get(one, one) if isinstance(one, SavedActivation) else one for one in entries]
    return replace(network, activation=entries) if saved else network


def _given(network: Network, given: Any, saved: list[SavedActivation]) -> list[Any]:
    """The entries of the network with what was given."""
    names = ", ".join(map(str, network.activation))
    if not saved:
        raise InputError("activation", f"this run has none of its own ({names}); leave it out")
    if not checks.is_many(given):
        if len(saved) > 1:
            what = f"this run has {len(saved)} functions of its own; give one entry a layer, as in {names}"
            raise InputError("activation", what)
        one = _loaded(saved[0], given)
        return [one if isinstance(entry, SavedActivation) else entry for entry in network.activation]
    entries = tuple(given)
    if len(entries) != network.n:
        what = (
            f"has {len(entries)} entries; give one for each of the layers 0..{network.n - 1}, as in {names}"
        )
        raise InputError("activation", what)
    kept: list[Any] = []
    for layer, (was, one) in enumerate(zip(network.activation, entries, strict=True)):
        if isinstance(was, SavedActivation):
            kept.append(_loaded(was, one))
        elif isinstance(one, str) and one == was:
            kept.append(was)
        else:
            what = f"must be {str(was)!r} in layer {layer}, as in the run, not {checks.shown(one)}"
            raise InputError("activation", what)
    return kept


def _loaded(saved: SavedActivation, given: Any) -> Activation:
    """The activation that was saved, by what was given for it, if it is the one."""
    if isinstance(given, str):
        one = activation_of(given)
    elif isinstance(given, Activation):
        one = given
    else:
        try:
            one = Activation(given, name=saved.name, kinks=saved.kinks)
        except InputError as error:
            raise InputError("activation", error.what) from None
    if one.kinks != saved.kinks:
        what = f"what is given for the run's {saved} has {_told(one.kinks)}, and had {_told(saved.kinks)}"
        raise InputError("activation", f"{what}; give the activation of the run")
    differs = probing.differing(one.f, saved.values)
    if differs is not None:
        x, found, kept = differs
        what = f"what is given is not the run's {saved}: at x = {x:g} it is {found}, and was {kept}"
        raise InputError("activation", f"{what}; give the function of the run")
    return one


def _told(kinks: tuple[float, ...]) -> str:
    return f"kinks at {probing.told(kinks)}" if kinks else "no kinks"
