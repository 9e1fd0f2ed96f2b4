"""What figures show of a sweep: a number along one or two of its axes, mean and spread over the others."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy  # whose statistics take a third of a second to import, and are imported when they are used
import xarray as xr

from ..base import checks
from ..base.errors import InputError
from ..base.near import did_you_mean
from ..base.status import Status
from ..model.network import Array, Network
from .sweep import LAYER, PHASE, Sweep

Spread = Literal["ci", "sd", "range", "none"]
SPREADS = ("ci", "sd", "range", "none")

# Ratios of two time constants, of which a sweep changes one or both.
RATIOS = {
    "delta/tau": ("network.delta", "network.tau"),
    "tau/delta": ("network.tau", "network.delta"),
    "tau/tau_eps": ("network.tau", "network.tau_eps"),
    "tau_eps/tau": ("network.tau_eps", "network.tau"),
}

# Draws for the interval of a mean, from the same seed each time.
DRAWS, SEED = 1000, 0


@dataclass(frozen=True)
class Along:
    """What changes along an axis of a sweep.

    Attributes
    ----------
    name : str
        The key, or a ratio such as ``delta/tau``.
    dim : str
        The dimension of the axis.
    values : ndarray
        Numbers or texts, one for each place along it.
    """

    name: str
    dim: str
    values: Any

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return bool(self.values.dtype.kind in "fiu")

    @property
    def even_in_log(self) -> bool:
        """Whether the values are positive and spread over a decade in equal ratios, or more evenly so."""
        if not self.numeric or self.values.size < 2 or self.values.min() <= 0:
            return False
        gaps, ratios = np.diff(np.sort(self.values)), np.diff(np.sort(np.log(self.values)))
        if self.values.max() < 10 * self.values.min() * (1 - 1e-9):
            return False
        return bool(np.std(ratios) / np.mean(ratios) < np.std(gaps) / np.mean(gaps) or self.values.size == 2)

    @property
    def is_seed(self) -> bool:
        """Whether it is the seed of random numbers, whose values mean nothing by themselves."""
        return self.name.endswith(".seed")


def along(sweep: Sweep, given: str, where: str) -> Along:
    """What is called `given`, a swept key or the end of one, or ``delta/tau`` or ``tau/delta``.

    Raises
    ------
    InputError
        If the sweep does not change it; it names the option `where`.
    """
    name = checks.text(where, given)
    if name in RATIOS:
        return _ratio(sweep, name, where)
    key = sweep.find(name, sweep.keys, where)
    (dim,) = sweep.data[key].dims
    return Along(key, str(dim), sweep.data[key].to_numpy())


def _ratio(sweep: Sweep, name: str, where: str) -> Along:
    upper, lower = RATIOS[name]
    swept = [key for key in (upper, lower) if key in sweep.keys]
    dims = {str(sweep.data[key].dims[0]) for key in swept}
    if len(dims) != 1:
        what = "changes along two axes" if dims else "is the same at all points"
        raise InputError(where, f"{name} {what}; give one of {', '.join(sweep.keys)}")
    network = tomllib.loads(str(sweep.data.attrs.get("scenario", ""))).get("network", {})
    of = [
        sweep.data[key].to_numpy()
        if key in swept
        else network.get(key.removeprefix("network."), getattr(Network, key.removeprefix("network.")))
        for key in (upper, lower)
    ]
    arrays = [np.asarray(one) for one in of]
    if any(one.dtype.kind not in "fiu" or one.ndim > 1 for one in arrays):
        raise InputError(where, f"{name}: tau and delta must be plain numbers; give one of the swept keys")
    with np.errstate(divide="ignore"):
        return Along(name, dims.pop(), arrays[0] / arrays[1])


def usual_axes(sweep: Sweep) -> list[Along]:
    """What a figure shows by default: the axes with several values that are no seeds."""
    found = [along(sweep, keys[0], "x") for keys in sweep.axes]
    return [one for one in found if one.values.size > 1 and not one.is_seed]


def usual_number(sweep: Sweep) -> str:
    """The number that a figure shows by default: the first of a few that the sweep has."""
    known = ("settling_time", "accuracy", "error", "energy_final")
    there = [name for name in known if name in sweep.numbers and sweep.data[name].notnull().any()]
    return there[0] if there else "energy_final"


def number(sweep: Sweep, given: str, phase: str | int | None, layer: int | None, where: str) -> xr.DataArray:
    """The variable called `given`, or its end, over the sweep's axes alone; NaN where the run has failed.

    Parameters
    ----------
    sweep : Sweep
    given : str
    phase : str or int or None
        Which phase, where there is a number for each; the last one that has any where left out.
    layer : int or None
        Likewise which of the layers 1..n; the last where left out.
    where : str
        The option to name in errors.

    Raises
    ------
    InputError
        If there is no such number, phase or layer, or it is nowhere known.
    """
    name = sweep.find(checks.text(where, given), sweep.numbers, where)
    complete = sweep.data["status"].isin([str(status) for status in Status if not status.failed])
    found = sweep.data[name].astype(float).where(complete).assign_attrs(sweep.data[name].attrs)
    if PHASE in found.dims:
        found = found.isel({PHASE: _phase(sweep, found, phase)})
    if LAYER in found.dims:
        layers = found[LAYER].to_numpy().tolist()
        if layer is not None and layer not in layers:
            raise InputError("layer", f"must be one of 1..{layers[-1]}, not {checks.shown(layer)}")
        found = found.sel({LAYER: layers[-1] if layer is None else layer})
    if not found.notnull().any():
        raise InputError(where, f"{name} is not known at any point that has not failed; give another number")
    return found


def _phase(sweep: Sweep, found: xr.DataArray, phase: str | int | None) -> int:
    names = sweep.data[PHASE].to_numpy().tolist()
    if phase is None:
        known = [k for k in range(len(names)) if found.isel({PHASE: k}).notnull().any()]
        return known[-1] if known else len(names) - 1
    if isinstance(phase, int) and 0 <= phase < len(names):
        return phase
    if phase in names:
        return int(names.index(phase))
    hint = did_you_mean(phase, names, f"there are {', '.join(names)}")
    raise InputError("phase", f"there is no phase {checks.shown(phase)}; {hint}")


def pooled(found: xr.DataArray, *dims: str) -> Array:
    """The values with `dims` first, in this order, and all others as one last axis."""
    others = [dim for dim in found.dims if dim not in dims]
    ordered = found.transpose(*dims, *others).to_numpy()
    return ordered.reshape(*ordered.shape[: len(dims)], -1)


class Spreads(NamedTuple):
    """Mean and spread of values: arrays of one shape, NaN where nothing is known."""

    mean: Array
    low: Array
    high: Array


def spread(values: Array, how: str = "ci", where: str = "spread") -> Spreads:
    """Mean of the known values over the last axis, and their spread.

    Parameters
    ----------
    values : ndarray, shape (..., K)
        NaN where a value is not known.
    how : {"ci", "sd", "range", "none"}
        The interval in which the mean is with 95%, by a bootstrap of 1000 draws, as seaborn has it; one
        standard deviation (with K - 1) to both sides; the least and the largest value; or none.
    where : str
        The option to name in errors.
    """
    checks.word(where, how, SPREADS)
    flat = values.reshape(-1, values.shape[-1])
    rows = np.array([_spread(row[np.isfinite(row)], how) for row in flat]).reshape(-1, 3)
    shape = values.shape[:-1]
    return Spreads(*(rows[:, k].reshape(shape) for k in range(3)))


def _spread(values: Array, how: str) -> tuple[float, float, float]:
    if not values.size:
        return (np.nan, np.nan, np.nan)
    mean = float(values.mean())
    if how == "none" or values.size == 1:
        return (mean, mean, mean)
    if how == "range":
        return (mean, float(values.min()), float(values.max()))
    if how == "sd":
        deviation = float(values.std(ddof=1))
        return (mean, mean - deviation, mean + deviation)
    drawn = np.random.default_rng(SEED).choice(values, (DRAWS, values.size)).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return (mean, float(low), float(high))


class PowerLaw(NamedTuple):
    """A power law y = factor x^slope through points, and half of the slope's 95% interval (Student's t)."""

    slope: float
    error: float
    factor: float


def power_law(x: Array, y: Array) -> PowerLaw | None:
    """The power law that fits best in logarithms; None with fewer than three points that are positive."""
    used = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    if used.sum() < 3:
        return None
    fit: Any = scipy.stats.linregress(np.log(x[used]), np.log(y[used]))
    error = float(fit.stderr * scipy.stats.t.ppf(0.975, used.sum() - 2))
    return PowerLaw(float(fit.slope), error, float(np.exp(fit.intercept)))
