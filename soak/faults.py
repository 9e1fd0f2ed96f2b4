"""Faults in the right-hand side at random evaluations: NaN, infinite and huge values, and exceptions.

They come from an activation that calls back to Python: it counts how often it is evaluated, and misbehaves at
one evaluation, or from one on. Whatever a solver is in the midst of, what comes of it is a result that can be
read, whose status is right, or an error in one line.
"""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import pcode
from pcode.base.errors import InputError, cut
from pcode.cli import main

from .resumes import X, Y, shown
from .tally import Tally, check_line

# Seconds that a case may take: it may compile for a while.
SECONDS = 120.0

# What is to be seen of a fault that a solver has got over: the run that it would have been, within this.
SAME = 1e-3

METHODS = tuple(pcode.METHODS)
OF_LIMIT = ("RK45", "DOP853")

SCENARIO = """
[network]
sizes = [2, 4, 1]
activation = "soak.faults:sigma"
tau = 1.0
delta = 20.0
nu = 0.5
[data]
name = "xor"
[[phase]]
clamp = "both"
duration = 8.0
[[phase]]
clamp = "input"
learn = false
duration = 8.0
[solver]
method = "{method}"
"""


@dataclass
class Fault:
    """What an evaluation gives instead of a number.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    at : int
        The evaluation, counted from 1; 0 for none.
    lasts : bool
        Whether all later ones do the same.
    count : int
        Evaluations so far.
    """

    kind: str = "nan"
    at: int = 0
    lasts: bool = False
    count: int = 0

    def __call__(self, x: Any) -> Any:
        """What is added to sigma(x)."""
        self.count += 1
        if self.at and (self.count >= self.at if self.lasts else self.count == self.at):
            value = KINDS[self.kind]
            if isinstance(value, BaseException):
                raise value
            return np.full(np.shape(x), value)
        return np.zeros(np.shape(x))


KINDS: dict[str, float | Exception] = {
    "nan": np.nan,
    "inf": np.inf,
    "huge": -1e200,
    "ValueError": ValueError("odd\nvalue \x1b[31m" + "x" * 500),
    "ZeroDivisionError": ZeroDivisionError("division by zero"),
    "MemoryError": MemoryError(),
    "RuntimeError": RuntimeError("singular"),
    "InputError": InputError("x", "is wrong"),
}

_fault = Fault()


def sigma(x: Any) -> Any:
    """tanh, with the present fault."""
    x = jnp.asarray(x)
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    still = jax.lax.stop_gradient(x)
    return jnp.tanh(x) + jax.pure_callback(lambda x: _fault(x), shape, still, vmap_method="broadcast_all")


SIGMA = pcode.Activation(sigma, name="faulty", kinks=[])


@contextmanager
def faulty(fault: Fault) -> Iterator[Fault]:
    """A stretch with a fault. JAX itself logs what a function that it calls back raises."""
    global _fault
    before, _fault = _fault, fault
    log = logging.getLogger("jax")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield fault
    finally:
        _fault = before
        log.setLevel(level)


def phases(kind: str) -> tuple[pcode.Network, list[pcode.Phase]]:
    """A network, and what is done with it."""
    given: dict[str, Any] = {"tau": 0.0 if kind == "limit" else 1.0, "delta": 20.0, "nu": 0.5}
    network = pcode.Network((2, 4, 1), SIGMA, **given)
    rest = pcode.Phase("test", {0: X}, learn=False, until="equilibrium", duration=60.0)
    if kind == "in turn":
        return network, [shown(hold=1.0, passes=2), rest]
    return network, [pcode.Phase("train", {0: X, 2: Y}, duration=8.0), rest]


def simulated(method: str, kind: str, **ways: Any) -> pcode.Run:
    """The run of a network with the present fault."""
    network, given = phases(kind)
    save = pcode.Save(nodes=20, weights=10)
    return pcode.simulate(network, given, weights=network.init_weights(0), method=method, save=save, **ways)


@cache
def undisturbed(method: str, kind: str) -> tuple[pcode.Run, int, int]:
    """The run without a fault, how often it evaluates the activation, and how often before its first step."""
    simulated(method, kind)  # programs that are compiled are traced with a few evaluations
    with faulty(Fault()) as none:
        run = simulated(method, kind)
    with faulty(Fault()) as first:
        simulated(method, kind, stop=lambda: True)
    return run, none.count, first.count


def disturbed(method: str, kind: str, fault: Fault, file: Path) -> str:
    """What becomes of a run with a fault.

    Raises
    ------
    AssertionError, ValueError
        If it is not told, the result cannot be read again, or it looks right and is not.
    """
    whole, _, first = undisturbed(method, kind)
    refused = None
    try:
        with faulty(fault):
            run = simulated(method, kind)
    except InputError as error:
        refused = str(error)
    if refused is not None:
        check_line(refused)
        assert fault.at <= first, f"refused, though it was under way: {refused}"
        return "refused"
    check_line(cut(run.message))
    run.save(file)
    read = pcode.Run.load(file, activation=SIGMA)
    assert (read.status, read.message) == (run.status, run.message)
    assert (np.diff(read.data["time"]) > 0.0).all()
    if run.status.failed:
        assert fault.count >= fault.at, "failed without a fault"
        return str(run.status)
    assert run.status is whole.status, run.status
    for name in ("x1", "x2", "M0", "M1"):
        off = np.abs(run.data[name].to_numpy()[-1] - whole.data[name].to_numpy()[-1]).max()
        assert off <= SAME, f"{name} is off by {off:.1e}, but the status is {run.status}"
    return "got over"


def faults(count: int, seed: int) -> Tally:
    """So many runs with a fault at a random evaluation, by each method in turn; a tenth by the command."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="pcode-soak-") as name:
        for k in range(seed, seed + count):
            rng = np.random.default_rng(k)
            method = METHODS[k % len(METHODS)]
            own = ("held", "in turn", *(("limit",) if method in OF_LIMIT else ()))
            kind = str(rng.choice(own))
            what, lasts = str(rng.choice(list(KINDS))), bool(rng.random() < 0.5)
            told = f"{k}: {method}, {kind}, {what}{' from then on' * lasts}"

            def act(
                method: str = method, kind: str = kind, what: str = what, lasts: bool = lasts, rng: Any = rng
            ) -> str:
                _, most, _ = undisturbed(method, kind)
                fault = Fault(what, int(rng.integers(1, most + 1)), lasts)
                if rng.random() < 0.1:
                    return f"pcode run: {commanded(method, fault, Path(name))}"
                return disturbed(method, kind, fault, Path(name) / "run.nc")

            tally.case(told, act, SECONDS)
    return tally


def commanded(method: str, fault: Fault, folder: Path) -> str:
    """What becomes of a run by the command, of a scenario that names the activation."""
    (folder / "case.toml").write_text(SCENARIO.format(method=method), encoding="utf-8")
    target, out, err = folder / "out", io.StringIO(), io.StringIO()
    before = os.getcwd()
    os.chdir(folder)
    try:
        with faulty(fault), redirect_stdout(out), redirect_stderr(err):
            code = main(["run", "case.toml", "--allow-code", "--out", str(target), "--force"])
    finally:
        os.chdir(before)
    assert code in (0, 1, 2), (code, err.getvalue())
    assert "Traceback" not in out.getvalue() + err.getvalue(), err.getvalue()
    if code:
        check_line(err.getvalue())
    if code < 2:
        status = pcode.Run.load(target / "run.nc", activation=sigma).status
        assert json.loads((target / "report.json").read_text())["status"] == str(status)
        assert status.failed == (code == 1), (code, status)
    return f"exit code {code}"
