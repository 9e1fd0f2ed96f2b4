"""Random networks of every kind in random states, for hypothesis."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

import pcode
from pcode.model.state import State

ACTIVATION = st.sampled_from(["identity", "tanh", "logistic", "relu", "leaky_relu", "softplus", "square"])


@st.composite
def situations(draw):
    """A network with random weights in a random state, clamped in a random way."""
    n = draw(st.integers(1, 4))
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=n + 1, max_size=n + 1)))
    positive = st.floats(0.1, 10.0)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    links = list(pairwise(sizes))
    masked = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    mask = [rng.random(link) < 0.6 if one else None for link, one in zip(links, masked, strict=True)]
    network = pcode.Network(
        sizes=sizes,
        activation=draw(st.lists(ACTIVATION, min_size=n, max_size=n)),
        tau=draw(positive | st.lists(positive, min_size=n + 1, max_size=n + 1)),
        tau_eps=draw(st.none() | st.just(0.0) | st.lists(st.just(0.0) | positive, min_size=n, max_size=n)),
        delta=draw(positive | st.lists(positive, min_size=n, max_size=n)),
        nu=draw(st.lists(positive, min_size=n, max_size=n)),
        weight_decay=draw(st.sampled_from([0.0, 0.3])),
        node_decay=draw(st.sampled_from([0.0, 0.2])),
        feedback=draw(st.sampled_from(["tied", "learned", "fixed"])),
        bias=draw(st.booleans()),
        mask=mask,
    )
    batch = draw(st.integers(1, 3))

    def array(*shape):
        return rng.standard_normal(shape)

    there = [np.ones(link) if m is None else m for m, link in zip(mask, links, strict=True)]
    W = None if network.feedback == "tied" else tuple(array(*m.T.shape) * m.T for m in there)
    beta = tuple(array(size) * network.bias for size in sizes[1:])
    weights = pcode.Weights(tuple(array(*m.shape) * m for m in there), W, beta)
    listed = st.lists(st.sampled_from(network.learnable), min_size=1, unique=True)
    clamp = {}
    for layer, size in enumerate(sizes):
        kind = draw(st.sampled_from(["free", "clamped", "partly", "series"]))
        values = array(batch, size)
        if kind == "partly":
            values[rng.random((batch, size)) < 0.5] = np.nan
        if kind == "series":
            clamp[layer] = pcode.TimeSeries([0.0, 2.0], np.stack([values, array(batch, size)]))
        elif kind != "free":
            clamp[layer] = values
    phase = pcode.Phase("any", clamp, duration=2.0, learn=draw(st.booleans() | listed))
    state = State(tuple(array(batch, s) for s in sizes), tuple(array(batch, s) for s in sizes[1:]), weights)
    return network, phase, state, draw(st.floats(0.0, 2.0))


def smooth_around(network, state):
    """Whether finite differences with steps of up to 1e-5 keep off the kinks of relu."""
    layers = zip(network.activation, state.x, strict=False)  # the last layer has no activation
    return all(np.abs(x).min() > 1e-5 for name, x in layers if name in ("relu", "leaky_relu"))
