"""Random networks by every method, beside a solution of the equations by NumPy and SciPy alone.

``python -m benchmarks.agreement --count 200`` prints, for every method, the share of the networks whose
nodes and weights at all saved times are within 50 rtol of it, and the largest error; errors are relative to
1 + the largest size of a variable. The networks are of every kind: feedback, activations and variances by
layer, masks, time series with steps, decays, weights that learn or are held.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import pcode
from tests.flow import reference

RTOL, BOUND = 1e-6, 50.0

# Variables beyond this size belong to a network that is not stable; it is drawn again.
LARGEST = 20.0

SIZES = ((2, 3, 2), (3, 2), (1, 2, 2, 1))
ACTIVATIONS = ("tanh", "logistic", "relu", "identity", "leaky_relu", "softplus")
FEEDBACK = ("tied", "learned", "fixed")
CLAMPS = ("constant", "mask", "series")
BATCH = 2

Case = tuple[pcode.Network, pcode.Phase, pcode.Weights]


def kinds(count: int) -> Iterator[dict[str, Any]]:
    """Kinds of networks, each to be compiled once: every value of every property, in turn."""
    for k in range(count):
        sizes = SIZES[k % len(SIZES)]
        n = len(sizes) - 1
        names = [ACTIVATIONS[(k + k // 6 + 2 * layer) % len(ACTIVATIONS)] for layer in range(n)]
        yield {
            "sizes": sizes,
            "activation": names,
            "feedback": FEEDBACK[(k // 2) % 3],
            "clamp": CLAMPS[(k // 3) % 3],
            "learn": k % 4 != 3,
        }


def draw(kind: dict[str, Any], rng: np.random.Generator) -> Case:
    """A network of a kind with its phase and weights."""
    sizes, n = kind["sizes"], len(kind["sizes"]) - 1
    network = pcode.Network(
        sizes=sizes,
        activation=kind["activation"],
        tau=float(rng.uniform(0.5, 2.0)),
        delta=float(rng.uniform(20.0, 200.0)),
        nu=rng.uniform(0.3, 2.0, n).tolist(),
        weight_decay=float(rng.choice([0.0, 0.05])),
        node_decay=float(rng.choice([0.0, 0.1])),
        feedback=kind["feedback"],
    )
    W = "transpose" if rng.random() < 0.5 else "independent"
    weights = network.init_weights(rng, scale=0.9, W=W)
    weights = weights._replace(beta=tuple(0.3 * rng.standard_normal(size) for size in sizes[1:]))
    low, high = (rng.standard_normal((BATCH, size)) for size in (sizes[0], sizes[-1]))
    clamp: dict[int, Any] = {0: low, n: high}
    if kind["clamp"] == "mask":
        clamp[n] = np.where(np.arange(sizes[-1]) % 2 == 1, np.nan, high)
    if kind["clamp"] == "series":
        values = np.stack([low, low + 0.5, -low, 0.3 * low, low])
        clamp[0] = pcode.TimeSeries([0.0, 4.0, 4.0, 9.0, 20.0], values)
    return network, pcode.Phase("any", clamp, duration=20.0, learn=kind["learn"]), weights


def errors(case: Case, methods: Sequence[str]) -> dict[str, float] | None:
    """Largest error of each method in units of rtol; None where the network is not stable."""
    network, phase, weights = case
    save = pcode.Save(nodes=23, weights=23, spacing="linear")
    found: dict[str, float] = {}
    exact: Any = None
    for method in methods:
        run = pcode.simulate(
            network, [phase], weights=weights, method=method, rtol=RTOL, atol=1e-3 * RTOL, save=save
        )
        if exact is None:
            first = run.data.isel(time=0)
            x = [first[f"x{k}"].to_numpy() for k in range(network.n + 1)]
            eps = [first[f"eps{k}"].to_numpy() for k in range(1, network.n + 1)]
            exact = reference(network, phase, weights, x, eps, list(run.data["time"].to_numpy()[1:]))
            if max(np.abs(a).max() for row in exact for part in row for a in part) > LARGEST:
                return None
        found[method] = _distance(run, exact) / RTOL if not run.status.failed else np.inf
    return found


def _distance(run: pcode.Run, exact: list[Any]) -> float:
    """Largest distance of nodes and weights from the exact ones, relative to 1 + their size."""
    held = not run.phases[0].learn
    far = 0.0
    for kind, first, part in (("x", 0, 0), ("eps", 1, 1), ("M", 0, 2), ("W", 0, 3), ("beta", 1, 4)):
        if part > 1 and (held or (kind == "W" and run.network.feedback == "tied")):
            continue
        for k in range(len(exact[0][part])):
            true = np.stack([row[part][k] for row in exact])
            values = run.data[f"{kind}{k + first}"].to_numpy()[1:]
            far = max(far, float(np.abs(values - true).max() / (1.0 + np.abs(true).max())))
    return far


def measure(count: int, seed: int, methods: Sequence[str], many: int) -> dict[str, list[float]]:
    """Errors of `count` stable networks of `many` kinds, by method."""
    rng, found = np.random.default_rng(seed), {method: list[float]() for method in methods}
    listed = list(kinds(many))
    done = 0
    while done < count:
        made = errors(draw(listed[done % many], rng), methods)
        if made is not None:
            done += 1
            for method, error in made.items():
                found[method].append(error)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--kinds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    methods = [name for name in pcode.METHODS if name != "auto"]
    found = measure(asked.count, asked.seed, methods, asked.kinds)
    for method, far in found.items():
        share = np.mean(np.array(far) <= BOUND)
        line = f"{method:10} {share:7.1%} of {len(far)} within {BOUND:g} rtol, worst {max(far):.3g} rtol"
        print(line)  # noqa: T201


if __name__ == "__main__":
    main()
