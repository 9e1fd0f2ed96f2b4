"""The methods for equations without noise; those for noise have tests of their own, tests/test_noise.py."""

import pcode
from pcode.solvers import StochasticSolver

DETERMINISTIC = [name for name, one in pcode.METHODS.items() if not isinstance(one, StochasticSolver)]
