"""Phases followed by NumPy and SciPy alone: the equations, a dense trajectory, and its settling times."""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import root

SIGMA = {
    "identity": (lambda x: x, np.ones_like),
    "tanh": (np.tanh, lambda x: 1.0 - np.tanh(x) ** 2),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "softplus": (lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x))),
}


def cut(v, shapes):
    """A flat vector as arrays of these shapes."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(v, ends[:-1]), shapes, strict=True)]


class Reference:
    """A phase of a run: its start, and the equations as model.md has them."""

    def __init__(self, run, index=0):
        self.net, self.record = run.network, run.phases[index]
        n, samples = run.network.n, list(self.record.samples)
        row = np.flatnonzero(run.data["phase"].values == index)[0]
        weight_row = np.flatnonzero(run.data["weight_phase"].values == index)[0]
        self.x = [run.data[f"x{k}"].values[row][samples] for k in range(n + 1)]
        eps = [run.data[f"eps{k}"].values[row][samples] for k in range(1, n + 1)]
        M = [run.data[f"M{k}"].values[weight_row] for k in range(n)]
        tied, learned = self.net.feedback == "tied", self.net.feedback == "learned"
        W = [m.T for m in M] if tied else [run.data[f"W{k}"].values[weight_row] for k in range(n)]
        beta = [run.data[f"beta{k}"].values[weight_row] for k in range(1, n + 1)]
        self.weights, self.batch = (M, W, beta), len(samples)
        self.free = [k for k in range(n + 1) if k not in self.record.clamp]
        nodes = [self.x[k] for k in self.free] + eps
        slow = M + (W if learned else []) + beta if self.record.learn else []
        self.names = [f"x{k}" for k in self.free] + [f"eps{k}" for k in range(1, n + 1)]
        self.shapes, self.slow_shapes = [a.shape for a in nodes], [a.shape for a in slow]
        self.node_count = sum(a.size for a in nodes)
        self.y0 = np.concatenate([a.ravel() for a in nodes + slow])

    def split(self, v):
        """M, W and beta from the unknowns among them."""
        n = self.net.n
        if not self.record.learn:
            return self.weights
        parts = cut(v, self.slow_shapes)
        W = {"tied": [m.T for m in parts[:n]], "learned": parts[n : 2 * n], "fixed": self.weights[1]}
        return parts[:n], W[self.net.feedback], parts[-n:]

    def node_rates(self, z, M, W, beta):
        """d/dt of the nodes, and all of them."""
        net, parts = self.net, cut(z, self.shapes)
        x, eps = list(self.x), parts[len(self.free) :]
        for k, part in zip(self.free, parts, strict=False):
            x[k] = part
        rates = []
        for k in self.free:
            rate = -net.node_decay * x[k] - (eps[k - 1] if k else 0.0)
            rates.append(rate + (SIGMA[net.activation[k]][1](x[k]) * (eps[k] @ W[k]) if k < net.n else 0.0))
        mu = [SIGMA[net.activation[k]][0](x[k]) @ M[k] + beta[k] for k in range(net.n)]
        rates += [x[k + 1] - mu[k] - net.nu[k] * eps[k] for k in range(net.n)]
        return np.concatenate([rate.ravel() for rate in rates]) / net.tau, x, eps

    def rates(self, t, y):
        net, weights = self.net, self.split(y[self.node_count :])
        dz, x, eps = self.node_rates(y[: self.node_count], *weights)
        if not self.record.learn:
            return dz
        hebb = [SIGMA[net.activation[k]][0](x[k]).T @ eps[k] / self.batch for k in range(net.n)]
        moved = hebb + ([h.T for h in hebb] if net.feedback == "learned" else [])
        moved += [e.mean(axis=0) for e in eps]
        slow = zip(moved, cut(y[self.node_count :], self.slow_shapes), strict=True)
        return np.concatenate([dz, *((d - net.weight_decay * w).ravel() / net.delta for d, w in slow)])

    def distances(self, t):
        """Root mean square over samples of each layer's distance from the rest of the moment, by name."""
        y = solve_ivp(self.rates, (0.0, t[-1]), self.y0, "DOP853", t, rtol=1e-10, atol=1e-13).y
        rests, z = np.empty((t.size, self.node_count)), y[: self.node_count, -1]
        for k in reversed(range(t.size)):
            if self.record.learn or k == t.size - 1:
                weights = self.split(y[self.node_count :, k])
                z = root(lambda z, w=weights: self.node_rates(z, *w)[0], z, tol=1e-12).x
            rests[k] = z
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        parts = np.split(y[: self.node_count].T - rests, ends, axis=1)
        return {n: np.sqrt((p**2).sum(axis=1) / self.batch) for n, p in zip(self.names, parts, strict=True)}


def settled_at(t, distance, fraction):
    """The first of `t` from which on the distance stays below the part of its largest; NaN for none."""
    above = np.flatnonzero(distance > fraction * distance.max())
    return np.nan if above[-1] == t.size - 1 else t[above[-1] + 1]
