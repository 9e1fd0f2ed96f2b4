"""A solution of the model by NumPy and SciPy alone: an oracle for whole runs of small networks.

The equations are the README's, with matrices. Where sigma' jumps at 0 the solution is Filippov's, by modes:
each node is below its kink, above it, or held there, and a step that leaves a mode is cut when it does.
Nothing of pcode is used but the containers.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.integrate import DOP853

KINKED = {"relu": 0.0, "leaky_relu": 0.01}
SIGMA = {
    "identity": (lambda v: v, np.ones_like),
    "tanh": (np.tanh, lambda v: 1.0 - np.tanh(v) ** 2),
    "logistic": (lambda v: 1.0 / (1.0 + np.exp(-v)), lambda v: np.exp(-v) / (1.0 + np.exp(-v)) ** 2),
    "softplus": (lambda v: np.logaddexp(0.0, v), lambda v: 1.0 / (1.0 + np.exp(-v))),
    "square": (lambda v: v * v, lambda v: 2.0 * v),
    "relu": (lambda v: np.maximum(v, 0.0), None),
    "leaky_relu": (lambda v: np.where(v > 0.0, v, 0.01 * v), None),
}
BELOW, HELD, ABOVE = -1, 0, 1


class Flow:
    """The equations of a network in one phase, for one flat vector of all its variables.

    `clamp` maps a layer to a function of time with values of shape (B, n_l), NaN where a node is free.
    """

    def __init__(self, network, clamp, batch, learn, fixed=False):
        self.network, self.clamp, self.batch, self.learn = network, clamp, batch, learn
        self.fixed = fixed  # predictions at the forward pass
        sizes, n = network.sizes, network.n
        shapes = [(batch, size) for size in sizes] + [(batch, size) for size in sizes[1:]]
        shapes += network.links
        if network.feedback != "tied":
            shapes += [(b, a) for a, b in network.links]
        shapes += [(size,) for size in sizes[1:]]
        self.shapes, self.ends = shapes, np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
        self.n = n
        self.free = [
            np.isnan(clamp[k](0.0)) if k in clamp else np.ones((batch, sizes[k]), bool) for k in range(n + 1)
        ]

    def split(self, y):
        parts = [y[a:b].reshape(s) for a, b, s in zip(self.ends, self.ends[1:], self.shapes, strict=False)]
        n = self.n
        x, eps, M = parts[: n + 1], parts[n + 1 : 2 * n + 1], parts[2 * n + 1 : 3 * n + 1]
        W = [m.T for m in M] if self.network.feedback == "tied" else parts[3 * n + 1 : 4 * n + 1]
        return x, eps, M, W, parts[-n:]

    def join(self, x, eps, M, W, beta):
        W = [] if self.network.feedback == "tied" else list(W)
        return np.concatenate([np.ravel(a) for a in [*x, *eps, *M, *W, *beta]])

    def clamped(self, t, x):
        return [np.where(self.free[k], x[k], np.nan_to_num(self.clamp[k](t))) if k in self.clamp else x[k]
                for k in range(self.n + 1)]  # fmt: skip

    def at(self, x, M, beta):
        """Where predictions and slopes are evaluated: `x`, or the forward pass from its clamped values."""
        if not self.fixed:
            return x
        found = [x[0]]
        for k, name in enumerate(self.network.activation):
            mu = SIGMA[name][0](found[k]) @ M[k] + beta[k]
            found.append(np.where(self.free[k + 1], mu, x[k + 1]))
        return found

    def slaved(self, x, eps, M, beta):
        """The errors, with those that are slaved (tau_eps = 0 in their layer) as the values give them."""
        net, at = self.network, self.at(x, M, beta)
        s = [SIGMA[name][0](at[k]) for k, name in enumerate(net.activation)]
        return [
            eps[k] if tau else (x[k + 1] - s[k] @ M[k] - beta[k]) / net.nu[k]
            for k, tau in enumerate(net.taus_eps)
        ]

    def kink_rates(self, t, y):
        """tau dx/dt at the kink, seen from below and from above, of every kinked layer."""
        if self.fixed:  # no rate depends on sigma of a node
            return {}
        x, eps, M, W, beta = self.split(y)
        eps = self.slaved(self.clamped(t, x), eps, M, beta)
        found = {}
        for k, name in enumerate(self.network.activation):
            if name in KINKED:
                h, e = eps[k] @ W[k], eps[k - 1] if k else 0.0
                found[k] = (KINKED[name] * h - e, h - e)
        return found

    def slopes(self, k, x, mode):
        name = self.network.activation[k]
        if name not in KINKED:
            return SIGMA[name][1](x)
        return np.where(x > 0.0 if self.fixed else mode[k] == ABOVE, 1.0, KINKED[name])

    def rates(self, t, y, mode):
        net, n = self.network, self.n
        x, eps, M, W, beta = self.split(y)
        x = self.clamped(t, x)
        eps = self.slaved(x, eps, M, beta)
        at = self.at(x, M, beta)
        s = [SIGMA[name][0](at[k]) for k, name in enumerate(net.activation)]
        dx = []
        for k in range(n + 1):
            rate = -net.node_decay * x[k]
            if k < n:
                rate = rate + self.slopes(k, at[k], mode) * (eps[k] @ W[k])
            if k > 0:
                rate = rate - eps[k - 1]
            moves = self.free[k] & (mode[k] != HELD) if k in mode else self.free[k]
            dx.append(np.where(moves, rate / net.taus[k], 0.0))
        mu = [s[k] @ M[k] + beta[k] for k in range(n)]
        deps = [
            (x[k + 1] - mu[k] - net.nu[k] * eps[k]) / tau if tau else 0.0 * eps[k]
            for k, tau in enumerate(net.taus_eps)
        ]
        lam, deltas = net.weight_decay, np.broadcast_to(net.delta, n)
        mask = [1.0 if there is None else np.array(there, float) for there in net.mask or [None] * n]

        def on(name, k):
            learns = self.learn if isinstance(self.learn, bool) else name in self.learn
            return float(learns) / deltas[k]

        dM = [on(f"M{k}", k) * (mask[k] * (s[k].T @ eps[k]) / self.batch - lam * M[k]) for k in range(n)]
        dW = [
            (net.feedback == "learned")
            * on(f"W{k}", k)
            * (np.transpose(mask[k]) * (eps[k].T @ s[k]) / self.batch - lam * W[k])
            for k in range(n)
        ]
        dbeta = [net.bias * on(f"beta{k + 1}", k) * (eps[k].mean(axis=0) - lam * beta[k]) for k in range(n)]
        return self.join(dx, deps, dM, dW, dbeta)

    def first_mode(self, t, y):
        """Modes where no free node stands exactly at its kink."""
        x = self.clamped(t, self.split(y)[0])
        return {k: np.where(x[k] > 0.0, ABOVE, BELOW) for k in self.kink_rates(t, y)}

    def beyond(self, t, y, mode):
        """By how much each node is outside its mode, per kinked layer; negative inside."""
        x = self.split(y)[0]
        rates = self.kink_rates(t, y)
        return {
            k: np.where(
                self.free[k],
                np.where(m == HELD, np.maximum(-rates[k][0], rates[k][1]), -m * x[k]),
                -np.inf,
            )
            for k, m in mode.items()
        }

    def change(self, t, y, mode, far):
        """The modes after those nodes that are `far` have changed theirs, and y with them at the kink."""
        x, *rest = self.split(y.copy())
        mode = {k: m.copy() for k, m in mode.items()}
        for k, (below, above) in self.kink_rates(t, y).items():
            hit = far[k]
            stays = hit & (mode[k] != HELD) & (below >= 0.0) & (above <= 0.0)
            up = np.where(mode[k] == HELD, above > -below, mode[k] == BELOW)
            mode[k] = np.where(stays, HELD, np.where(hit, np.where(up, ABOVE, BELOW), mode[k]))
            x[k][hit] = 0.0
        return self.join(x, *rest), mode

    def solve(self, y, t0, t1, times, rtol=1e-11, atol=1e-13):
        """The variables at `times` within [t0, t1], and at t1; clamps are smooth in between."""
        rows, due, mode = [], list(times), self.first_mode(t0, y)
        t, solver = t0, None
        while t < t1:
            if solver is None:
                first = (
                    {}
                    if t1 - t < 1e-9
                    else {
                        "max_step": 0.25
                        * min(tau for tau in (*self.network.taus, *self.network.taus_eps) if tau)
                    }
                )
                solver = DOP853(
                    lambda s, z, m=mode: self.rates(s, z, m), t, y, t1, rtol=rtol, atol=atol, **first
                )
            before = t
            solver.step()
            assert solver.status != "failed"
            between = solver.dense_output()
            worst = {k: far.max(initial=-1.0) for k, far in self.beyond(solver.t, solver.y, mode).items()}
            cut = max(worst.values(), default=-1.0) > 1e-13
            t = self._moment(between, mode, before, solver.t) if cut else solver.t
            while due and due[0] <= t:
                rows.append(between(due.pop(0)))
            y = between(t) if cut else solver.y
            if cut:
                far = {k: part > 0.0 for k, part in self.beyond(t, y, mode).items()}
                y, mode = self.change(t, y, mode, far)
                solver = None
        return rows, y

    def _moment(self, between, mode, low, high):
        """The first moment, by bisection, at which a node is outside its mode."""
        for _ in range(60):
            middle = 0.5 * (low + high)
            out = (
                max(far.max(initial=-1.0) for far in self.beyond(middle, between(middle), mode).values())
                > 1e-13
            )
            low, high = (low, middle) if out else (middle, high)
        return high


def reference(network, phase, weights, x, eps, times):
    """x, eps, M, W, beta at `times` (in the phase, rising, the last its end), each a list of layers."""
    batch = len(x[0])
    series = {k: v for k, v in phase.clamp.items() if hasattr(v, "t")}
    fixed = phase.predictions == "fixed"
    steps = sorted({float(t) for v in series.values() for t in v.t if 0.0 < t < phase.duration})
    W = weights.W if weights.W is not None else ()
    rows, y = [], None
    for t0, t1 in pairwise([0.0, *steps, phase.duration]):
        flow = Flow(
            network, {k: _clamp(v, t0, t1) for k, v in phase.clamp.items()}, batch, phase.learn, fixed
        )
        if y is None:
            y = flow.join(flow.clamped(0.0, x), eps, weights.M, W, weights.beta)
        inside = [t for t in times if t0 < t <= t1]
        found, y = flow.solve(y, t0, t1, inside)
        for t, row in zip(inside, found, strict=True):
            values = flow.split(row)
            x = flow.clamped(t, values[0])
            rows.append((x, flow.slaved(x, values[1], values[2], values[-1]), *values[2:]))
    return rows


def _clamp(value, t0, t1):
    """A function of time that is right from t0 to t1, both included, for a constant or a series."""
    if not hasattr(value, "t"):
        return lambda t: np.asarray(value)
    first = np.flatnonzero(value.t <= t0)[-1] if (value.t <= t0).any() else 0
    last = np.flatnonzero(value.t >= t1)[0] if (value.t >= t1).any() else len(value.t) - 1
    a, b = value.values[first], value.values[last]
    ta, tb = value.t[first], value.t[last]
    return lambda t: a if tb <= ta else a + (b - a) * np.clip((t - ta) / (tb - ta), 0.0, 1.0)
