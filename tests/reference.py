"""The model written again, plainly: node by node and sample by sample, from the README's equations.

An oracle for the vector field. Nothing of pcode is used but the containers.
"""

from __future__ import annotations

import math

import numpy as np

SIGMA = {
    "identity": (lambda v: v, lambda v: 1.0),
    "tanh": (math.tanh, lambda v: 1.0 - math.tanh(v) ** 2),
    "logistic": (
        lambda v: 1.0 / (1.0 + math.exp(-v)),
        lambda v: math.exp(-v) / (1.0 + math.exp(-v)) ** 2,
    ),
    "relu": (lambda v: max(v, 0.0), lambda v: 1.0 if v > 0.0 else 0.0),
    "leaky_relu": (lambda v: max(v, 0.01 * v), lambda v: 1.0 if v > 0.0 else 0.01),
    "softplus": (lambda v: math.log1p(math.exp(v)), lambda v: 1.0 / (1.0 + math.exp(-v))),
    "square": (lambda v: v * v, lambda v: 2.0 * v),
}


def rates(network, x, eps, M, W, beta):
    """dx (every node as if free), deps, dM, dW, dbeta; `eps[l]`, `beta[l]` by layer l, entry 0 unused."""
    n, sizes = network.n, network.sizes
    deltas = network.deltas
    eps = [
        e if not k or network.taus_eps[k - 1] else slaved(network, k, x, M, beta) for k, e in enumerate(eps)
    ]
    masks = [
        np.ones(m.shape) if mask is None else np.array(mask, float)
        for mask, m in zip(network.masks, M, strict=True)
    ]
    lam, lam_x = network.weight_decay, network.node_decay
    B = len(x[0])
    f = [SIGMA[name][0] for name in network.activation]
    df = [SIGMA[name][1] for name in network.activation]
    dx = [np.zeros_like(a) for a in x]
    deps = [None] + [np.zeros_like(eps[k]) for k in range(1, n + 1)]
    dM = [np.zeros_like(a) for a in M]
    dW = [np.zeros_like(a) for a in W]
    dbeta = [None] + [np.zeros_like(beta[k]) for k in range(1, n + 1)]
    for b in range(B):
        for k in range(n + 1):
            for i in range(sizes[k]):
                rate = -lam_x * x[k][b, i]
                if k < n:
                    fed_back = sum(eps[k + 1][b, j] * W[k][j, i] for j in range(sizes[k + 1]))
                    rate += df[k](x[k][b, i]) * fed_back
                if k > 0:
                    rate -= eps[k][b, i]
                    mu = beta[k][i] + sum(
                        f[k - 1](x[k - 1][b, j]) * M[k - 1][j, i] for j in range(sizes[k - 1])
                    )
                    if network.taus_eps[k - 1] > 0.0:
                        deps[k][b, i] = (
                            x[k][b, i] - mu - network.nu[k - 1] * eps[k][b, i]
                        ) / network.taus_eps[k - 1]
                dx[k][b, i] = rate / network.taus[k]
    for k in range(n):
        for i in range(sizes[k]):
            for j in range(sizes[k + 1]):
                hebb = masks[k][i, j] * sum(f[k](x[k][b, i]) * eps[k + 1][b, j] for b in range(B)) / B
                dM[k][i, j] = (hebb - lam * M[k][i, j]) / deltas[k]
                dW[k][j, i] = (hebb - lam * W[k][j, i]) / deltas[k]
        for j in range(sizes[k + 1]):
            mean = sum(eps[k + 1][b, j] for b in range(B)) / B
            dbeta[k + 1][j] = (mean - lam * beta[k + 1][j]) / deltas[k]
    return dx, deps, dM, dW, dbeta


def slaved(network, k, x, M, beta):
    """The errors of layer `k` with tau_eps = 0."""
    f = np.vectorize(SIGMA[network.activation[k - 1]][0])
    return (x[k] - f(x[k - 1]) @ M[k - 1] - beta[k]) / network.nu[k - 1]


def feedforward(network, x0, M, beta):
    """The plain feedforward pass in NumPy; `beta` in the order of Weights. Returns the output."""
    x = np.asarray(x0)
    for k in range(network.n):
        f = np.vectorize(SIGMA[network.activation[k]][0])
        x = f(x) @ M[k] + beta[k]
    return x
