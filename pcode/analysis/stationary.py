"""How nodes with noise are distributed: moments along a phase, beside those of theory.

After a time that is left out (the burn-in) the saved times of a phase count as samples of the stationary law.
They depend on each other: over a time T they are worth T / T_int independent ones, where T_int is the
integrated autocorrelation time (`pcode.analysis.stationarity.moments`), and standard errors follow from that
number. With errors slaved, W = M^T, one temperature, weights and clamps held the law is that of Gibbs; in
other linear networks the covariance solves Lyapunov's equation; see docs/model.md, "Noise".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..base.errors import InputError
from ..base.short import Short
from ..base.tables import Column, Table
from ..model.network import Array
from ..model.variables import X, parsed_entry
from ..run.result import Run
from ..run.select import Choice, check_in_full, choose_samples, of_run, of_samples, times_of
from ..run.snapshot import PhaseOption, Snapshot, as_phase
from .result import Result, plain
from .stationarity.moments import autocorrelation_times, covariances
from .stationarity.theory import Law, Theory, theory_of

ASKS = "how nodes with noise are distributed, beside Gibbs' or Lyapunov's law; autocorrelation times"

# Part of a phase that is left out, where it is not said.
BURN_IN = 0.1

# Fewest saved times after that.
FEWEST = 20

# Saved times are even if they are so up to this part of their distance.
EVEN = 1e-3

# Most numbers in the covariances of all samples.
MOST = 4_000_000

# Marginal densities: of how many nodes, if it is not said, and how many bins they have at least and at most;
# in between the root of the number of values.
MARGINALS, FEWEST_BINS, MOST_BINS = 4, 15, 60

# Autocorrelation times that the time after the burn-in should last.
ENOUGH = 20.0


@dataclass(frozen=True, eq=False)
class Marginal(Short):
    """The density of one node of one sample.

    Attributes
    ----------
    name : str
        Such as x1[0,3], of node 0 of sample 3.
    edges : ndarray, shape (bins + 1,)
    density : ndarray, shape (bins,)
        What was seen.
    at, expected : ndarray, shape (P,)
        The density of the theory at some points; empty where it is not known.
    """

    name: str
    edges: Array
    density: Array
    at: Array
    expected: Array


@dataclass(frozen=True, eq=False)
class Stationary(Result):
    """Answer to the question `stationary`.

    Attributes
    ----------
    phase : str
    t_start, t_end : float
        The times between which values count, of the run.
    burn_in : float
        What was left out before.
    count : int
        How many times count.
    samples : tuple of int
        Rows of the data, B of them.
    names : tuple of tuple of str, shape (B, m)
        The free value nodes of each sample.
    mean, variance : ndarray, shape (B, m)
    covariance : ndarray, shape (B, m, m), or None
        None where there would be too many numbers.
    autocorrelation_time, effective_size : ndarray, shape (B, m)
    law : {"Gibbs", "Lyapunov", "unknown"}
        Which theory is beside it.
    why : str
        Why that one, in words.
    expected_mean, expected_variance : ndarray, shape (B, m), or None
    expected_covariance : ndarray, shape (B, m, m), or None
    mean_off, variance_off : float
        Largest distances from the theory in standard errors; NaN where there is none.
    marginals : tuple of Marginal
    """

    question: ClassVar[str] = "stationary"

    phase: str
    t_start: float
    t_end: float
    burn_in: float
    count: int
    samples: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    mean: Array
    variance: Array
    covariance: Array | None
    autocorrelation_time: Array
    effective_size: Array
    law: Law
    why: str
    expected_mean: Array | None
    expected_variance: Array | None
    expected_covariance: Array | None
    mean_off: float
    variance_off: float
    marginals: tuple[Marginal, ...]

    def lines(self) -> list[str]:
        """The answer in a few plain lines."""
        B, m = self.mean.shape
        nodes = f"{B * m:,} free value node{'s' * (B * m != 1)}"
        tell = f"mean variance {self.variance.mean():.4g}"
        if self.expected_variance is not None:
            tell += f", {self.expected_variance.mean():.4g} by the law ({self.law})"
        least, most = self.autocorrelation_time.min(), self.autocorrelation_time.max()
        lines = [
            f"{nodes} of {self.phase!r}, t = {self.t_start:g} to {self.t_end:g}: {tell}",
            f"burn-in {self.burn_in:g}{self.after_time}, after which {self.count:,} saved times count",
            f"autocorrelation times {least:.3g} to {most:.3g}{self.after_time}: "
            f"worth {self.effective_size.min():,.0f} to {self.effective_size.max():,.0f} independent values",
            self.why,
        ]
        if self.expected_mean is not None:
            off = (
                f"{self.mean_off:.2g} standard errors in the means, {self.variance_off:.2g} in the variances"
            )
            lines.append(f"largest distance from it of {B * m:,} nodes: {off}")
        if self.effective_size.min() < ENOUGH:
            right = f"it should last {ENOUGH:g} autocorrelation times or more after the burn-in"
            lines.append(f"too short for some nodes: {right}")
        return lines

    def tables(self) -> dict[str, Table]:
        """The tables `nodes` and `covariance`."""
        flat = [name for row in self.names for name in row]
        unit = self.time_unit

        def column(name: str, values: Array | None, head: str, unit: str = "") -> Column:
            known = np.full(self.mean.shape, np.nan) if values is None else values
            return Column(name, known.ravel().tolist(), head, unit)

        nodes = (
            Column("node", flat, "node"),
            column("mean", self.mean, "mean"),
            column("expected_mean", self.expected_mean, "by the law"),
            column("variance", self.variance, "variance"),
            column("expected_variance", self.expected_variance, "by the law"),
            column("autocorrelation_time", self.autocorrelation_time, "autocorrelation time", unit),
            column("effective_size", self.effective_size, "effective size"),
        )
        tables = {"nodes": Table("stationary moments of the free value nodes", nodes)}
        if self.covariance is None:
            return tables
        B, m = self.mean.shape
        expected = (
            np.full((B, m, m), np.nan) if self.expected_covariance is None else self.expected_covariance
        )
        pairs = [(b, i, j) for b in range(B) for i in range(m) for j in range(i, m)]
        columns = (
            Column("node", [self.names[b][i] for b, i, _ in pairs], "node"),
            Column("other", [self.names[b][j] for b, _, j in pairs], "other"),
            Column("covariance", [float(self.covariance[k]) for k in pairs], "covariance"),
            Column("expected", [float(expected[k]) for k in pairs], "by the law"),
        )
        return tables | {"covariance": Table("stationary covariance of the free value nodes", columns)}

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, for JSON."""
        values: dict[str, Any] = plain(super().to_dict())
        return values


@of_run
def stationary(
    run: Run,
    /,
    phase: PhaseOption = None,
    burn_in: float | str | None = None,
    samples: Choice = None,
    nodes: Sequence[str] | None = None,
) -> Stationary:
    """Moments of the value nodes along a phase with noise, beside those of theory.

    Parameters
    ----------
    run : Run
    phase : int, str, optional
        Index or name of a phase; the last where left out.
    burn_in : float or str, optional
        For how long after its start values do not count; a tenth of the phase where left out.
    samples : int or sequence of int, optional
        Rows of the data; all that the phase shows where left out.
    nodes : sequence of str, optional
        Nodes whose marginal densities are wanted, such as ["x1[0]"], or ["x1[0,3]"] of sample 3; the first
        few where left out.

    Returns
    -------
    Stationary

    Raises
    ------
    InputError
        If there is no noise or no such phase, sample or node, all value nodes are clamped, or saved times are
        too few or not even.
    """
    run, index, _ = as_phase(run, phase)
    if not run.network.noisy:
        raise InputError("run", "has no noise, and so no stationary law; run it with temperature above 0")
    check_in_full(run, index)
    chosen = choose_samples(run, samples, [index])
    start = Snapshot.of(run, index).of_samples(chosen)
    free = np.concatenate([start.free(layer) for layer in range(run.network.n + 1)], axis=1)
    m = int(free[0].sum())
    if not m or (free.sum(axis=1) != m).any():
        what = (
            "all value nodes are clamped"
            if not free.any()
            else "samples have different numbers of free nodes"
        )
        raise InputError(
            "phase", f"{what} in {start.record.name!r}; choose another phase, or one of its samples"
        )
    t, values, left = _counted(run, index, burn_in, chosen, free)
    dt = float(t[-1] - t[0]) / (len(t) - 1)
    times = autocorrelation_times(values, dt)
    size = dt * len(t) / times
    covariance = covariances(values) if values.shape[1] * m * m <= MOST else None
    mean, variance = values.mean(axis=0), values.var(axis=0)
    theory = theory_of(start, free, (values.min(axis=0), values.max(axis=0)))
    names = _names(run, chosen, free)
    expected = None if theory.covariance is None else np.einsum("bii->bi", theory.covariance)
    return Stationary(
        phase=start.record.name,
        t_start=float(t[0]),
        t_end=float(t[-1]),
        burn_in=left,
        count=len(t),
        samples=chosen,
        names=names,
        mean=mean,
        variance=variance,
        covariance=covariance,
        autocorrelation_time=times,
        effective_size=size,
        law=theory.law,
        why=theory.why,
        expected_mean=theory.mean,
        expected_variance=expected,
        expected_covariance=theory.covariance,
        mean_off=_off(mean, theory.mean, variance / size),
        variance_off=_off(variance, expected, 2.0 * variance**2 / size),
        marginals=tuple(_marginal(values, theory, names, *of) for of in _wanted(names, chosen, nodes)),
    )


def _counted(
    run: Run, index: int, burn_in: float | str | None, samples: tuple[int, ...], free: Array
) -> tuple[Array, Array, float]:
    """The times that count, the values of the free nodes then, shape (K, B, m), and what is left out."""
    record, rows = run.phases[index], np.flatnonzero(run.data["phase"].to_numpy() == index)
    lasted = record.t_end - record.t_start
    left = BURN_IN * lasted if burn_in is None else run.network.time("burn_in", burn_in)
    if not 0.0 <= left < lasted:
        raise InputError("burn_in", f"must be 0 or more and less than {lasted:g}, how long the phase lasted")
    t = times_of(run, index)
    kept = t >= record.t_start + left
    t, rows = t[kept], rows[kept]
    if len(t) < FEWEST:
        what = f"only {len(t)} times of {record.name!r} were saved after the burn-in"
        raise InputError("run", f"{what}; run it anew with more of them ([save] nodes), {FEWEST} at least")
    gaps = np.diff(t)
    if np.ptp(gaps[:-1]) > EVEN * gaps[0]:
        what = f"the saved times of {record.name!r} are not evenly spaced, as correlations need it"
        raise InputError("run", f'{what}; run it anew with spacing = "linear" in [save]')
    layers = [of_samples(run, run.data[name].to_numpy()[:], samples) for name in X.names(run.network.n)]
    values = np.concatenate([layer[rows] for layer in layers], axis=2)
    return t, values[:, free].reshape(len(t), len(samples), -1), float(left)


def _names(run: Run, samples: tuple[int, ...], free: Array) -> tuple[tuple[str, ...], ...]:
    """Names of the free value nodes of each sample."""
    places = [(layer, i) for layer, size in enumerate(run.network.sizes) for i in range(size)]
    return tuple(
        tuple(f"{X}{layer}[{i},{sample}]" for (layer, i), there in zip(places, row, strict=True) if there)
        for sample, row in zip(samples, free, strict=True)
    )


def _off(found: Array, expected: Array | None, squared_error: Array) -> float:
    """The largest distance in standard errors."""
    if expected is None:
        return float("nan")
    return float(np.max(np.abs(found - expected) / np.sqrt(np.maximum(squared_error, 1e-300))))


def _wanted(
    names: tuple[tuple[str, ...], ...], samples: tuple[int, ...], nodes: Sequence[str] | None
) -> list[tuple[int, int]]:
    """Row of the sample and place of the node of each marginal density."""
    if nodes is None:
        return [(0, k) for k in range(min(MARGINALS, len(names[0])))]
    found = []
    for name in [nodes] if isinstance(nodes, str) else nodes:
        entry = parsed_entry(name)
        whole = ""
        if entry is not None:
            variable, layer, numbers = entry
            sample = numbers[1] if len(numbers) > 1 else samples[0]
            whole = f"{variable}{layer}[{numbers[0]},{sample}]"
        places = [(b, row.index(whole)) for b, row in enumerate(names) if whole in row]
        if not places:
            what = f"there is no free value node {name!r} among those asked for"
            raise InputError("nodes", f"{what}; there are {names[0][0]} to {names[-1][-1]}")
        found += places
    return found


def _marginal(
    values: Array, theory: Theory, names: tuple[tuple[str, ...], ...], b: int, node: int
) -> Marginal:
    bins = int(np.clip(np.sqrt(len(values)), FEWEST_BINS, MOST_BINS))
    density, edges = np.histogram(values[:, b, node], bins=bins, density=True)
    at, expected = np.zeros(0), np.zeros(0)
    if theory.grid:
        at, expected = theory.grid[b].marginal(node)
    elif theory.mean is not None and theory.covariance is not None:
        mean, sd = theory.mean[b, node], np.sqrt(theory.covariance[b, node, node])
        at = mean + sd * np.linspace(-4.5, 4.5, 301)
        expected = np.exp(-0.5 * ((at - mean) / sd) ** 2) / (sd * np.sqrt(2.0 * np.pi))
    return Marginal(names[b][node], edges, density, at, expected)
