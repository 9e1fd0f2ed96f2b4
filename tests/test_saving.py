"""Results that are saved whole, or kept elsewhere, or found out beforehand not to fit."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pcode
from pcode import InputError, Run
from pcode.base import elsewhere
from pcode.base.files import NotSavedError, clear_left, replacing, save_files
from pcode.run.netcdf import netcdf_bytes
from soak import interruptions as soak_signals

FAULTS = [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG]


@pytest.fixture(scope="module")
def run():
    network = pcode.Network((2, 3, 1))
    phase = pcode.Phase("train", {0: [[1.0, -1.0]], 2: [[0.5]]}, duration=1.0)
    return pcode.simulate(network, [phase], weights=network.init_weights(rng=0))


@pytest.fixture
def full(request, tmp_path, monkeypatch):
    """Make a folder of which nothing reaches the disk, with the error asked for."""
    folder, sync, fault = tmp_path / "full", os.fsync, getattr(request, "param", errno.ENOSPC)
    folder.mkdir()

    def fails(handle):
        if Path(os.readlink(f"/proc/self/fd/{handle}")).is_relative_to(folder):
            raise OSError(fault, os.strerror(fault))
        sync(handle)

    monkeypatch.setattr("os.fsync", fails)
    return folder


ON_LINUX = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks at /proc")


@ON_LINUX
@pytest.mark.parametrize(("full", "fault"), [(fault, fault) for fault in FAULTS], indirect=["full"])
def test_a_run_that_cannot_be_saved_is_kept_elsewhere_and_the_error_names_where(run, full, fault):
    (full / "run.nc").write_bytes(b"precious")
    with pytest.raises(NotSavedError) as caught:
        run.save(full / "run.nc")
    kept = caught.value.kept / "run.nc"
    assert f"it is kept as {kept}" in str(caught.value)
    assert str(caught.value).startswith(f"{full / 'run.nc'}: {os.strerror(fault)}")
    xr.testing.assert_identical(Run.load(kept).data, run.data)
    assert os.listdir(full) == ["run.nc"]
    assert (full / "run.nc").read_bytes() == b"precious"


def test_a_run_for_a_folder_that_is_gone_is_kept_elsewhere(run, tmp_path):
    with pytest.raises(InputError, match=r"there is no folder .* make it first; it is kept as") as caught:
        run.save(tmp_path / "gone" / "run.nc")
    kept = Path(str(caught.value).rpartition("kept as ")[2])
    assert Run.load(kept).status == "success"


@pytest.mark.parametrize("kind", ["ensemble", "sweep"])
def test_so_are_ensembles_and_sweeps(kind, tmp_path):
    axes = {"sweep_axes": '[["a"]]'}
    data = xr.Dataset({"status": ("member", np.array(["", "x"], dtype=object))}, attrs=axes)
    result = pcode.Sweep(data) if kind == "sweep" else pcode.Ensemble(data)
    with pytest.raises(InputError, match=r"it is kept as .*/x\.nc$"):
        result.save(tmp_path / "gone" / "x.nc")


def test_where_no_place_has_room_the_error_says_so(run, tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "_places", lambda: iter([tmp_path / "none"]))
    with pytest.raises(InputError, match="no other place has room"):
        run.save(tmp_path / "gone" / "run.nc")


@ON_LINUX
def test_of_several_files_none_is_replaced_where_one_cannot_be_written(full, tmp_path):
    there = tmp_path / "there.json"
    there.write_bytes(b"old")
    with pytest.raises(NotSavedError, match=r"there.json and run.nc are kept in") as caught:
        save_files({there: b"new", full / "run.nc": b"new"})
    assert there.read_bytes() == b"old"
    assert {path.name: path.read_bytes() for path in caught.value.kept.iterdir()} == {
        "there.json": b"new",
        "run.nc": b"new",
    }


WITH_A_LIMIT = """\
import resource, sys, pcode
network = pcode.Network((2, 3, 1))
phase = pcode.Phase("train", {0: [[1.0, -1.0]], 2: [[0.5]]}, duration=1.0)
run = pcode.simulate(network, [phase], weights=network.init_weights(rng=0))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    run.save("run.nc")
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="a limit of POSIX")
def test_a_limit_on_the_size_of_files_ends_no_process_and_pieces_are_kept(tmp_path):
    environment = soak_signals.ENVIRONMENT | {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_LIMIT], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    kept = done.stdout.strip().rpartition("kept in pieces in ")[2].partition(":")[0]
    pieces = sorted(Path(kept).glob("run.nc.*"))
    assert all(piece.stat().st_size <= 20_000 for piece in pieces)
    (tmp_path / "whole.nc").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    assert Run.load(tmp_path / "whole.nc").status == "success"


def test_a_command_short_of_room_refuses_at_once_or_keeps_the_result_or_is_done():
    seen = soak_signals.run_short_of_room([4_000, 100_000, 4_000_000])
    assert seen == {"refused": 1, "kept elsewhere": 1, "done": 1}


# --- what can be stored --------------------------------------------------------------------------------


def test_a_seed_beyond_64_bits_is_refused_before_anything_is_computed(tmp_path):
    path = tmp_path / "seed.toml"
    path.write_text(f"{soak_signals.SCENARIO}[weights]\nseed = {2**64}\n")
    with pytest.raises(InputError, match=r"weights\.seed: must be a whole number of at most 64 bits"):
        pcode.scenario.Scenario.load(path)


def test_a_result_that_hardly_takes_room_can_be_read_again(tmp_path, monkeypatch):
    for name, value in (("UNPACKED", 200_000), ("TIMES", 10)):  # so that a small one is enough
        monkeypatch.setattr(f"pcode.base.reading.{name}", value)
    zeros = {0: np.zeros((40, 30)), 1: np.zeros((40, 20))}
    network = pcode.Network((30, 20))
    phase = pcode.Phase("still", zeros, duration=5.0, learn=False)
    run = pcode.simulate(network, [phase], weights=network.init_weights(0), save=pcode.Save(200, 2))
    run.save(tmp_path / "run.nc")
    xr.testing.assert_equal(Run.load(tmp_path / "run.nc").data, run.data)


def test_texts_and_numbers_that_files_know_not_are_stored_as_their_escapes():
    given = {"big": -(2**70), "nul": "a\0b", "half": "a\ud800b", "fits": 2**63, "plain": "ü"}
    data = xr.Dataset(
        {"texts": ("k", np.array(["a\0b", "c"], dtype=object), {"nul": "\0"})},
        {"seed": ("member", np.array([2**64, 1], dtype=object))},
        given,
    )
    with xr.open_dataset(netcdf_bytes(data, {}), engine="h5netcdf", decode_times=False) as back:
        expected = {"big": str(-(2**70)), "nul": r"a\x00b", "half": r"a\ud800b", "fits": 2**63, "plain": "ü"}
        assert back.attrs == expected
        assert back["texts"].to_numpy().tolist() == [r"a\x00b", "c"]
        assert back["texts"].attrs == {"nul": r"\x00"}
        assert back["seed"].to_numpy().tolist() == [str(2**64), "1"]
    assert data.attrs == given


class Keeper:
    def __init__(self, kept):
        self.kept = kept

    def times(self, phase):
        return [0.0]

    def observe(self, moment):
        pass

    def dataset(self):
        return self.kept


@pytest.mark.parametrize(
    "kept",
    [
        xr.Dataset({"a": ("k", np.array([object()]))}),
        xr.Dataset({"a": ("k", np.array([1, "a"], dtype=object))}),
        xr.Dataset({"a/b": ("k", [1.0])}),
        xr.Dataset({5: ("k", [1.0])}),
        xr.Dataset({"a": ("k", np.zeros(1, dtype=[("x", float)]))}),
        xr.Dataset(attrs={"a": None}),
        xr.Dataset({"a": ("k", [1.0], {"a": {}})}),
    ],
    ids=["objects", "mixed", "slash", "number", "records", "none", "mapping"],
)
def test_a_dataset_of_an_observer_that_no_file_can_hold_costs_itself_only(kept, tmp_path):
    network = pcode.Network((2, 3, 1))
    phase = pcode.Phase("train", {0: [[1.0, -1.0]], 2: [[0.5]]}, duration=1.0)
    good = xr.Dataset({"a": ("k", [1.0, 2.0])})
    observers = {"bad": Keeper(kept), "good": Keeper(good)}
    made = pcode.Simulation(network, weights=network.init_weights(rng=0), observers=observers).run([phase])
    made.save(tmp_path / "run.nc")
    loaded = Run.load(tmp_path / "run.nc")
    assert "bad" not in loaded.groups
    xr.testing.assert_identical(loaded.groups["good"], good)
    (note,) = loaded.notes
    assert note.startswith("observer 'bad' gave a dataset that no file can hold (")


@pytest.mark.parametrize("kind", ["observers", "probes"])
def test_a_name_that_means_the_group_itself_is_refused_before_the_run(kind):
    network = pcode.Network((2, 3, 1))
    given = {".": Keeper(None) if kind == "observers" else lambda state, context: 1.0}
    with pytest.raises(InputError, match=rf"{kind}\[\.\]: is no name for"):
        pcode.Simulation(network, weights=network.init_weights(rng=0), **{kind: given})


# --- unfinished files ----------------------------------------------------------------------------------


def test_unfinished_files_are_taken_away_where_nobody_writes_them(tmp_path):
    left = [".run-0a1b2c3d.part.nc", ".energy-0a1b2c3d.part.png", ".run-ab_d0fgh.nc"]
    others = [".run-notes.nc", ".hidden", "run.nc", ".mine-ab_d0fgh.txt", ".run-ab_d0fgh.nc.txt"]
    for name in (*left, *others):
        (tmp_path / name).write_bytes(b"")
    with replacing(tmp_path / "run.nc") as written:
        clear_left(tmp_path, ["run.nc", "report.json"])
        assert sorted(os.listdir(tmp_path)) == sorted([*others, written.name])
        written.write_bytes(b"whole")
    assert (tmp_path / "run.nc").read_bytes() == b"whole"
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_a_file_that_another_process_writes_is_left_alone(tmp_path):
    program = (
        "import sys; from pcode.base.files import replacing\n"
        "with replacing('run.nc') as path: print(path, flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=soak_signals.ENVIRONMENT, **pipes
    ) as process:
        name = process.stdout.readline().strip()
        clear_left(tmp_path, ["run.nc"])
        assert os.listdir(tmp_path) == [name]
        process.kill()
    clear_left(tmp_path, ["run.nc"])
    assert os.listdir(tmp_path) == []


def test_files_have_the_permissions_that_the_user_gives_to_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "x.json") as path:
            path.write_text(json.dumps(1))
    finally:
        os.umask(before)
    assert (tmp_path / "x.json").stat().st_mode & 0o777 == 0o640
