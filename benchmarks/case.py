"""One case: a network with its data and the methods that are to solve it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Data = Literal["random", "digits", "timescales"]

# The case of the command line, which is no network.
SHELL = "pcode run xor"

# And of learning from samples in turn.
LEARNING = "64-32-10 in turn"


@dataclass(frozen=True)
class Case:
    """One network with its data, horizon and tolerance, and the methods that are to solve it.

    Both ends are clamped, the feedback is learned, sigma is tanh, nu = tau = 1, and tau_eps where not said.

    Attributes
    ----------
    name : str
        The network, and delta/tau after an @.
    sizes : tuple of int
        n_0..n_n.
    batch : int
        Number of samples.
    ratio : float
        delta/tau.
    methods : tuple of str
        In the order of the table; see `contenders.GENERIC` for those that are not pcode's.
    references : tuple of str
        Tight-tolerance references, see `measure.REFERENCES`; a method is compared with the first of
        another family than its own.
    rtol : float
        Relative tolerance; the absolute one is a thousandth of it.
    horizon : float
        Length of the run, in units of delta.
    data : {"random", "digits", "timescales"}
        Normal numbers; all images but 360, which are held back; or those of the shipped scenario.
    tau_eps : float or None
        Time constant of the error nodes; 0: slaved errors. That of the values if None.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    ratio: float
    methods: tuple[str, ...]
    references: tuple[str, ...] = ()
    rtol: float = 1e-6
    horizon: float = 20.0
    data: Data = "random"
    tau_eps: float | None = None

    @property
    def network(self) -> str:
        """The case's name without delta/tau."""
        return self.name.partition("@")[0]

    @property
    def unknowns(self) -> int:
        """Number N of unknowns, none of them reduced away."""
        links = sum(a * b for a, b in pairwise(self.sizes))
        free, errors = sum(self.sizes[1:-1]), sum(self.sizes[1:])
        nodes = free + errors * (self.tau_eps != 0.0)
        return self.batch * nodes + 2 * links + errors
