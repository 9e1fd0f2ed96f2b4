"""What must hold of a result, checked on its saved rows: finite values, clamps, invariants, energies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.network import Array
from .dataset import ENERGIES
from .identities import energy_off, settling_off, slaved_off
from .record import PhaseRecord
from .result import Run
from .select import as_recorded

# What follows from the equations exactly may be off in a result by so many times rtol, and as many atol;
# and what is computed again from the same numbers, by rounding errors.
ALLOWED, ROUNDING = 100.0, 1e-9


def checks_of(run: Run) -> dict[str, dict[str, Any]]:
    """Each check by name: ``holds``, and how far it is ``off`` at most, relative to 1 + the largest value.

    One that says nothing of this run has ``why`` instead.

    ``finite``: all that was saved of samples that are shown is finite, of a run that did not diverge.
    ``clamps``: layers that are clamped to constants have one value throughout a phase. ``feedback``: where
    all of M and W learn, W - M^T decays as exp(-lambda t / delta). ``joints``: weights do not jump between
    two phases. ``energy`` and ``energy_slaved``: those that were saved are those of the saved nodes and, in
    rows where they are known, weights. ``settling``: in linear networks with W = M^T and weights held, the
    rates of the nodes never rise; see `pcode.run.identities`.
    """
    allowed = ALLOWED * (float(run.data.attrs["rtol"]) + float(run.data.attrs["atol"]))
    found = {
        "clamps": _or(_clamps(run), "no phase has a layer that is clamped to constants"),
        "feedback": _or(_feedback(run), "no phase has M and W that learn throughout"),
        "joints": _or(_joints(run), "there are no two phases with saved weights"),
        "energy": energy_off(run),
        "energy_slaved": slaved_off(run),
        "settling": settling_off(run),
    }
    checks: dict[str, dict[str, Any]] = {"finite": {"holds": _finite(run)}}
    for name, off in found.items():
        most = ROUNDING if name.startswith("energy") else allowed
        checks[name] = {"why": off} if isinstance(off, str) else {"holds": off <= most, "off": off}
    return checks


def _or(off: float | None, why: str) -> float | str:
    return why if off is None else off


def violations(run: Run) -> list[str]:
    """What does not hold, in words."""
    said = {
        "finite": "saved values are not finite",
        "clamps": "nodes clamped to constants moved",
        "feedback": "W - M^T did not decay as exp(-lambda t / delta)",
        "joints": "weights jumped between two phases",
        "energy": "F is not that of the error nodes",
        "energy_slaved": "the slaved energy is not that of the nodes and weights",
        "settling": "rates of a linear network with held weights rose",
    }
    failed = {name: one for name, one in checks_of(run).items() if not one.get("holds", True)}
    if run.status.failed:
        failed.pop("finite", None)  # its status says so
    by = {name: f" (by {one['off']:.1e})" if "off" in one else "" for name, one in failed.items()}
    return [f"check {name} failed: {said[name]}{by[name]}" for name in failed]


def _finite(run: Run) -> bool:
    data = run.data
    there = data["sample_number"].to_numpy() >= 0
    names = [str(name) for name, one in data.data_vars.items() if one.dims[:2] == ("time", "sample")]
    nodes = all(bool(np.isfinite(data[name].to_numpy()[there]).all()) for name in names)
    others = [name for name, one in data.data_vars.items() if one.dims[:1] == ("weight_time",)]
    return nodes and all(bool(np.isfinite(data[name].to_numpy()).all()) for name in (*others, *ENERGIES))


def _off(values: Array, right: Array) -> float:
    """The largest distance, relative to 1 + the largest value; 0 where nothing is finite."""
    with np.errstate(all="ignore"):
        distance = np.abs(values - right) / (1.0 + np.max(np.abs(right), initial=0.0))
    return float(np.max(distance[np.isfinite(distance)], initial=0.0))


def _clamps(run: Run) -> float | None:
    phase, off = run.data["phase"].to_numpy(), []
    for k, record in enumerate(run.phases):
        rows = np.flatnonzero(phase == k)
        if record.presentation is None and rows.size:
            for layer, one in record.clamp.items():
                if one.still:
                    values = run.data[f"x{layer}"].to_numpy()[rows, : len(record.samples)]
                    off.append(_off(values, values[:1]))
    return max(off, default=None)


def _rows(run: Run, k: int) -> Any:
    return np.flatnonzero(run.data["weight_phase"].to_numpy() == k)


def _feedback(run: Run) -> float | None:
    network, off = run.network, []
    if network.feedback != "learned":
        return None
    for k, record in enumerate(run.phases):
        rows = _rows(run, k)
        if record.learn is True and rows.size:
            off += [_decay(run, record, rows, link) for link in range(network.n)]
    return max(off, default=None)


def _decay(run: Run, record: PhaseRecord, rows: Any, link: int) -> float:
    M, W = (run.data[f"{name}{link}"].to_numpy()[rows] for name in ("M", "W"))
    since = as_recorded(record, run.data["weight_time"].to_numpy()[rows]) - record.t_start
    shrunk = np.exp(-run.network.weight_decay * since / run.network.deltas[link])
    apart = W - M.transpose(0, 2, 1)
    size = 1.0 + float(np.max(np.abs(M), initial=0.0))
    return _off(apart / size, shrunk[:, None, None] * apart[:1] / size)


def _joints(run: Run) -> float | None:
    off = []
    names = [v for kind in run.network.weight_variables for v in kind.names(run.network.n)]
    for k in range(1, len(run.phases)):
        before, after = _rows(run, k - 1), _rows(run, k)
        if before.size and after.size:
            off += [
                _off(values[after[0]], values[before[-1]])
                for values in (run.data[name].to_numpy() for name in names)
            ]
    return max(off, default=None)
