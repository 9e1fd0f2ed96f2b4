"""What a run is made of, as short texts that can be compared: whether it is this run that a file is of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np

from ..base.errors import InputError
from ..model.activations import to_plain
from ..model.clamp import Curve, curve_at
from ..model.data import Data
from ..model.expression import Expression
from ..model.network import Network, Weights
from ..model.phase import Clamp, NodeStart, Phase, Save
from ..model.series import TimeSeries
from ..model.state import State
from ..solvers import Settings

# A function of time is known by its values at so many times.
LOOKS = 9


def fingerprint(
    network: Network,
    weights: Weights,
    nodes: NodeStart | State,
    method: str,
    settings: Settings,
    save: Save,
    data: Data | None,
    probes: Mapping[str, str],
) -> dict[str, Any]:
    """What a run is made of, without its phases; `probes` describes these, by name."""
    start = nodes if isinstance(nodes, str) else digest(*nodes.x, *nodes.eps)
    return {
        "network": digest(json.dumps(_told(network), default=to_plain, sort_keys=True)),
        "weights": digest(*(array for part in weights if part is not None for array in part)),
        "nodes": start,
        "method": method,
        "rtol": settings.rtol,
        "atol": settings.atol,
        "max_steps": settings.max_steps,
        "step": settings.step,
        "seed": settings.seed or None,  # files of before there was noise have none
        "save": json.dumps(asdict(save)),
        "data": None if data is None else digest(data.inputs, data.targets, str(data.train)),
        "probes": dict(probes),
    }


def _told(network: Network) -> dict[str, Any]:
    """The network as plain values, without what is not there: files of before it could be do not have it."""
    absent = {"temperature": 0.0, "tau_eps": None}
    return {k: v for k, v in network.to_dict().items() if k not in absent or v != absent[k]}


def digest(*parts: Any) -> str:
    """A short text that differs where one of the `parts`, texts or arrays, does."""
    found = sha256()
    for part in parts:
        if isinstance(part, str):
            found.update(part.encode())
        else:
            array = np.ascontiguousarray(np.asarray(part, dtype=float))
            found.update(f"{array.shape}".encode())
            found.update(array.tobytes())
        found.update(b"|")
    return found.hexdigest()[:24]


def of_phase(phase: Phase) -> dict[str, Any]:
    """The same of a phase: of what it is, and of what it shows."""
    shown = phase.presentation and phase.presentation.to_dict()
    nodes = phase.nodes
    settings = {
        "name": phase.name,
        "duration": phase.duration,
        "learn": phase.learn,
        "until": phase.until,
        "settle_tol": phase.settle_tol,
        "samples": phase.samples,
        "presentation": shown,
        "nodes": nodes if nodes is None or isinstance(nodes, str) else digest(*nodes.x, *nodes.eps),
    }
    if phase.predictions != "free":  # files of before do not have it
        settings["predictions"] = phase.predictions
    clamps = {str(layer): _clamp(value, phase.duration) for layer, value in sorted(phase.clamp.items())}
    return {"settings": digest(json.dumps(settings, sort_keys=True)), "clamp": clamps}


def _clamp(value: Clamp, duration: float) -> str:
    if isinstance(value, TimeSeries):
        return digest(value.kind, value.t, value.values)
    if isinstance(value, Expression):
        return digest(str(value.text))
    if isinstance(value, Curve):
        return digest(*(curve_at(value, t) for t in np.linspace(0.0, duration, LOOKS)))
    return digest(value)


# What to say of each part that differs.
_SAID = {
    "network": "the network is another one",
    "weights": "the weights that it starts with are others (those of a file may have changed)",
    "nodes": "the nodes start otherwise",
    "method": "the method is {new}, which was {old}",
    "rtol": "rtol is {new}, which was {old}",
    "atol": "atol is {new}, which was {old}",
    "max_steps": "max_steps is {new}, which was {old}",
    "step": "step is {new}, which was {old}",
    "seed": "the noise has another seed",
    "save": "other times are to be saved",
    "data": "the data are others (those of a file may have changed)",
    "probes": "the probes are others",
}


def check_same(old: Mapping[str, Any], new: Mapping[str, Any], source: str) -> None:
    """Raise InputError, naming the difference, unless a run is made of what it was made of.

    Parameters
    ----------
    old, new : mapping
        `fingerprint`, and in ``phases`` a list of `of_phase`.
    source : str
        The file that says what it was.
    """
    for name, said in _SAID.items():
        if old.get(name) != new[name]:
            told = said.format(old=old.get(name), new=new[name])
            raise InputError("", f"is of another run: {told}; run it anew, or give what it was", source)
    difference = _phases_differ(old.get("phases") or [], new["phases"])
    if difference:
        raise InputError("", f"is of another run: {difference}; run it anew, or give what it was", source)


def _phases_differ(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> str:
    if len(old) != len(new):
        return f"there are {len(new)} phases, and there were {len(old)}"
    for k, (before, now) in enumerate(zip(old, new, strict=True)):
        if before.get("settings") != now["settings"]:
            return f"phase {k} is another one (its name, duration, what learns or what it shows)"
        for layer in sorted({*before.get("clamp", {}), *now["clamp"]}):
            if before.get("clamp", {}).get(layer) != now["clamp"].get(layer):
                return f"layer {layer} is clamped to other values in phase {k} (a file may have changed)"
    return ""
