"""Data, weights and result files changed at random, each read and made use of, or refused in one line."""

from __future__ import annotations

import io
import json
import os
import random
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import pcode
from pcode.analysis import ask
from pcode.base import shipped
from pcode.base.errors import InputError
from pcode.plotting.recipes import Recipe
from pcode.run.ensemble import Ensemble
from pcode.run.result import Run
from pcode.run.sweep import Sweep
from pcode.scenario import Scenario

from . import mutations
from .scenarios import checked
from .tally import Tally, check_line

SCENARIO = """
[network]
sizes = [2, 3, 1]
[weights]
init = "file"
file = "w.npz"
[data]
file = "{data}"
[[phase]]
clamp = {{ 0 = "input", 2 = {{ file = "{series}" }} }}
duration = 2.0
"""

PRESENTED = """
title = "presented"
[network]
sizes = [2, 3, 1]
[data]
name = "xor"
[[phase]]
name = "train"
clamp = "both"
presentation = { size = 1, hold = 0.5, passes = 2, order = "shuffled", ramp = 0.1 }
[[phase]]
name = "test"
clamp = { 0 = "sin(t)", 2 = { t = [0.0, 1.0], values = [[[0.0]], [[1.0]]] } }
learn = false
duration = 1.0
[save]
nodes = 8
weights = 4
presentation_nodes = "full"
[probes]
loss = "loss"
[solver]
method = "DOP853"
"""

# Questions and recipes, of those that take a moment, and how many seconds the use of a result may take.
QUESTIONS = ("convergence", "certificate", "equilibrium", "spectrum", "backprop")
LONG = ("filmstrip", "slow_manifold", "overview", "phase_plane", "separation")
TIMES, TO_USE = 2, 60.0


def inputs(count: int, seed: int) -> Tally:
    """So many files of data, weights and time series, of which one is changed, named by a scenario."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="pcode-soak-") as name:
        folder, before = Path(name), os.getcwd()
        os.chdir(folder)
        try:
            good = _good_inputs()
            for k in range(count):
                rng = random.Random(f"{seed}-{k}")
                changed = rng.choice(list(good))
                data, series = rng.choice(("d.npz", "d.csv")), rng.choice(("s.npz", "s.csv"))
                data, series = (changed if changed[0] == one[0] else one for one in (data, series))
                Path("case.toml").write_text(SCENARIO.format(data=data, series=series), encoding="utf-8")
                for file, content in good.items():
                    Path(file).write_bytes(_changed(rng, file, content) if file == changed else content)
                case = f"{seed}-{k} {changed}"
                tally.case(case, lambda file=changed: checked(["check", "case.toml"], "case.toml", file))
        finally:
            os.chdir(before)
    return tally


def _good_inputs() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(4, 1))
    rows = "\n".join(",".join(map(repr, row)) for row in np.hstack([x, y]).tolist())
    weights = {"M0": np.ones((2, 3)), "M1": np.ones((3, 1)), "beta1": np.zeros(3), "beta2": np.zeros(1)}
    series = {"t": np.array([0.0, 1.0, 2.0]), "values": rng.normal(size=(3, 1))}
    steps = "\n".join(f"{t},{v[0]!r}" for t, v in zip(series["t"], series["values"].tolist(), strict=True))
    return {
        "d.npz": _npz({"inputs": x, "targets": y}),
        "d.csv": f"input0,input1,target0\n{rows}\n".encode(),
        "w.npz": _npz(weights),
        "s.npz": _npz(series),
        "s.csv": f"t (ms),y\n{steps}\n".replace(" (ms)", "").encode(),
    }


def _npz(arrays: dict[str, Any], packed: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(array))
    return out.getvalue()


def _changed(rng: random.Random, file: str, content: bytes) -> bytes:
    if file.endswith(".csv") or rng.random() < 0.4:
        if file.endswith(".csv") and rng.random() < 0.4:
            cells = content.decode().split(",")
            cells[rng.randrange(len(cells))] = rng.choice((*mutations.WORDS, *map(_told, mutations.NUMBERS)))
            return ",".join(cells).encode("utf-8", "surrogatepass")
        return mutations.damaged(rng, content)
    with np.load(io.BytesIO(content)) as held:
        arrays: dict[str, Any] = dict(held)
    name = rng.choice(list(arrays))
    kind = rng.randrange(5)
    if kind == 0:
        arrays[name] = _other(rng, arrays[name])
        return _npz(arrays, rng.random() < 0.5)
    if kind == 1:
        arrays[rng.choice(mutations.KEYS) or "e"] = arrays.pop(name)
        return _npz({key[:200]: value for key, value in arrays.items()})
    return _odd_zip(rng, content, f"{name}.npy")


def _told(number: Any) -> str:
    return str(number)


def _other(rng: random.Random, array: Any) -> Any:
    """An array of another kind or shape."""
    return rng.choice(
        (
            lambda a: a.astype(">f4"),
            lambda a: np.asfortranarray(a),
            lambda a: a.astype(complex),
            lambda a: a.astype(object),
            lambda a: a.astype(str),
            lambda a: a.astype("S8"),
            lambda a: a > 0.0,
            lambda a: a.astype(np.float16),
            lambda a: a.astype(np.longdouble),
            lambda a: a.astype("M8[s]"),
            lambda a: np.zeros(a.shape, dtype=[("a", float), ("b", object)]),
            lambda a: np.array(3.0),
            lambda a: np.zeros((0, *a.shape[1:])),
            lambda a: a * np.nan,
            lambda a: np.full(a.shape, np.inf),
            lambda a: a[None],
            lambda a: a.T,
            lambda a: np.array([{"a": 1}, None], dtype=object),
        )
    )(array)


def _odd_zip(rng: random.Random, content: bytes, member: str) -> bytes:
    """The archive with an odd member besides, or with one that says something else than it is."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as given,
        zipfile.ZipFile(out, "w") as made,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for name in given.namelist():
            data = given.read(name)
            if name == member:
                data = rng.choice((_promise, _bomb, _cut, _deep))(data)
            made.writestr(name, data, zipfile.ZIP_DEFLATED)
        if rng.random() < 0.4:
            extra = rng.choice(
                ("README.txt", "../../evil.npy", "\x1b[31m.npy", member, "a" * 5000 + ".npy", "d/")
            )
            made.writestr(extra, rng.choice((b"", b"hello", content[:200])))
    return out.getvalue()


def _promise(_: bytes) -> bytes:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\x00" * 64


def _bomb(_: bytes) -> bytes:
    size = 60_000_000
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({size // 8},), }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(size)


def _cut(data: bytes) -> bytes:
    return data[:-7]


def _deep(_: bytes) -> bytes:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': " + b"(" * 3000 + b")" * 3000 + b", }"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def results(count: int, seed: int) -> Tally:
    """So many files of runs, ensembles and sweeps, changed by bytes or by what they hold, and made use of."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="pcode-soak-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        good, file = _good_results(folder), folder / "case.nc"
        for k in range(count):
            rng = random.Random(f"{seed}-{k}")
            kind = rng.choice(list(good))
            file.write_bytes(good[kind])
            if rng.random() < 0.6:
                file.write_bytes(mutations.damaged(rng, good[kind]))
            else:
                _change_held(rng, file)
            read: list[Any] = []
            tally.case(f"{seed}-{k} {kind}", lambda kind=kind, read=read: _read(kind, file, read))
            for one in read:
                act = lambda rng=rng, one=one: _used(rng, one)  # noqa: E731
                tally.case(f"{seed}-{k} {kind}, used", act, TO_USE)
    return tally


def _good_results(folder: Path) -> dict[str, bytes]:
    """Small files of each kind of result."""
    path, good = folder / "good.nc", {}
    for kind in ("run", "presented", "ensemble"):
        _made(kind).save(path)
        good[kind] = path.read_bytes()
    for data in sorted((Path(__file__).parents[1] / "tests" / "data").glob("*.nc"))[:1]:
        good["older"] = data.read_bytes()
    with h5py.File(path, "w") as file:
        file.attrs["sweep_axes"] = json.dumps([["network.nu"]])
        file.attrs["title"] = "a sweep"
        nu = file.create_dataset("network.nu", data=np.array([0.1, 1.0]))
        nu.make_scale("network.nu")
        for name, values in {"steps": np.array([3, 4]), "t_end": np.array([1.0, 2.0])}.items():
            file.create_dataset(name, data=values).dims[0].attach_scale(nu)
        words = h5py.string_dtype()
        for name in ("status", "message"):
            made = file.create_dataset(name, data=np.array(["success", "success"], dtype=object), dtype=words)
            made.dims[0].attach_scale(nu)
    good["sweep"] = path.read_bytes()
    return good


def _made(kind: str) -> Any:
    network = pcode.Network((2, 3, 1), nu=0.5)
    x, y = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]), np.array([[0.0], [1.0], [0.5]])
    phases = [
        pcode.Phase("train", {0: x, 2: y}, duration=3.0),
        pcode.Phase("test", {0: x[:1], 1: [[0.5, np.nan, np.nan]]}, duration=1.0, learn=False),
    ]
    if kind == "presented":
        return Scenario.parse(PRESENTED, Path("presented.toml")).simulate()
    if kind == "ensemble":
        return pcode.simulate_many(network, phases[:1], seeds=[0, 1], save=pcode.Save(nodes=6, weights=3))
    weights = network.init_weights(0)
    return pcode.simulate(
        network, phases, weights=weights, method="DOP853", save=pcode.Save(nodes=8, weights=5)
    )


def _change_held(rng: random.Random, path: Path) -> None:
    """Change an attribute, or an array, of a file of HDF5."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        place = file[rng.choice(names)] if rng.random() < 0.6 else file
        keys = list(place.attrs)
        if keys and (rng.random() < 0.5 or not isinstance(place, h5py.Dataset)):
            _change_attribute(rng, place, rng.choice(keys))
        elif isinstance(place, h5py.Dataset):
            _change_array(rng, place)


def _change_attribute(rng: random.Random, place: Any, key: str) -> None:
    held = place.attrs[key]
    if rng.random() < 0.15:
        del place.attrs[key]
        return
    if isinstance(held, str) and held[:1] in "{[" and rng.random() < 0.8:
        changed = mutations.document(rng, {"held": json.loads(held)}, 1).get(
            "held", rng.choice((None, 5, "[5]"))
        )
        new: Any = json.dumps(changed, default=str)
    else:
        new = rng.choice(
            (5, -1, 1e300, np.nan, "[5]", "\x1b[31m", "", "a" * 9000, [1, 2], np.arange(3.0), b"\xff")
        )
    try:
        place.attrs[key] = new
    except (TypeError, ValueError, OSError, OverflowError, UnicodeEncodeError):
        place.attrs[key] = "[5]"


def _change_array(rng: random.Random, array: Any) -> None:
    kind, name, group = rng.randrange(4), array.name, array.parent
    if kind == 0 and array.size and array.dtype.kind in "fi":
        at = tuple(rng.randrange(size) for size in array.shape)
        array[at] = rng.choice(
            (0, -1, 5, 10**9) if array.dtype.kind == "i" else (np.nan, np.inf, -1e308, 7.0)
        )
        return
    values = array[()]
    del group[name]
    if kind == 1:
        return
    if kind == 2 and values.ndim:
        values = np.concatenate([values, values[:1]]) if rng.random() < 0.5 else values[:-1]
    elif values.dtype.kind in "fi":
        values = values.astype(rng.choice(("f4", "i2", "S4", "c16", "?", ">i8")))
    group.create_dataset(name, data=values)


def _read(kind: str, path: Path, read: list[Any]) -> str:
    """Read a result into the list; what is wrong with it is told then."""
    loads: dict[str, Callable[[Path], Any]] = {"sweep": Sweep.load, "ensemble": Ensemble.load}
    try:
        read.append(loads.get(kind, Run.load)(path))
    except InputError as error:
        check_line(str(error), path.name)
        return "refused"
    return "right"


def _used(rng: random.Random, one: Any) -> str:
    """Make use of a result in some ways."""
    if isinstance(one, Sweep):
        _each([lambda: repr(one), one._repr_html_, one.to_dataframe])
        _each([lambda: Recipe.load("sweep_lines").draw(one).draw_without_rendering()])
    elif isinstance(one, Ensemble):
        _each([lambda: repr(one), one.to_dataframe, lambda: repr(one.member(0))])
        _each([lambda what=what: one.to_dataframe(what) for what in ("nodes", "weights", "energy")])
    else:
        _each(_uses(rng, one))
    return "used"


def _uses(rng: random.Random, run: Run) -> list[Callable[[], Any]]:
    uses: list[Callable[[], Any]] = [
        lambda: repr(run), run._repr_html_, lambda: run.state, lambda: run.samples, lambda: run.plot.energy(),
    ]  # fmt: skip
    uses += [
        lambda what=what: run.to_dataframe(what)
        for what in ("nodes", "weights", "energy", "probes", "phases")
    ]
    if run.network.sizes[0] == 2:
        uses.append(lambda: pcode.predict(run, [[0.1, 0.2]], method="feedforward"))
    if any(record.presentation for record in run.phases):
        uses.append(lambda: repr(run.presentation()))
    drawn = [name for name in shipped.names("plots") if not name.startswith("sweep") and name not in LONG]
    uses += [lambda name=name: _drawn(name, run) for name in rng.sample(drawn, TIMES)]
    return [*uses, lambda: ask(run, rng.choice(QUESTIONS))]


def _drawn(name: str, run: Run) -> None:
    Recipe.load(name).draw(run).draw_without_rendering()


def _each(uses: list[Callable[[], Any]]) -> None:
    for use in uses:
        try:
            use()
        except InputError as error:
            check_line(str(error))
            if "Error:" in str(error) and "cannot draw" in str(error):
                raise ValueError(str(error)) from error
