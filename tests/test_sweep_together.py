"""Points that are computed together are what a tight method makes of each; only like ones go together."""

from __future__ import annotations

import pytest
from sweep_cluster import TINY, processes

import pcode
from pcode.scenario import Scenario
from pcode.sweeps import together
from pcode.sweeps.axes import axes_of
from pcode.sweeps.points import points_of
from pcode.sweeps.task import compute
from pcode.sweeps.together import compute_together, grouped, groups_left, likeness

KVAERNO = TINY.replace('"cvode"', '"Kvaerno5"')
RTOL = 1e-9
SHARP = [f"solver.rtol={RTOL}", f"solver.atol={RTOL}"]
TIGHT = ["solver.rtol=1e-11", "solver.atol=1e-13"]

# Nodes are at rest when their rates fall to 1e-6: an error of rtol in them is one of rtol / 1e-6 in the time.
SETTLING = RTOL / 1e-6


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(KVAERNO)
    return path


def alike(tiny, *changes: str) -> str | None:
    return likeness(Scenario.parse(KVAERNO, tiny, changes))


def test_points_together_have_the_numbers_of_a_tight_cvode_of_each_alone(tiny):
    changes = [
        [f"weights.seed={seed}", f"network.tau={tau}", f"network.delta={delta}", f"network.nu={nu}"]
        for seed, (tau, delta, nu) in enumerate([(1.0, 10.0, 1.0), (0.5, 10.0, 4.0), (1.0, 30.0, 2.0)])
    ]
    asked = "analysis.questions=['spectrum', 'classification']"
    found = compute_together(KVAERNO, str(tiny), [[*one, asked, *SHARP] for one in changes])
    for one, own in zip(found, changes, strict=True):
        right = compute(TINY, str(tiny), [*own, asked, *TIGHT])["summary"]
        summary = one["summary"]
        assert summary["phase_names"] == right["phase_names"]
        assert summary["values"]["computed"] == "ensemble of 3"
        assert right["values"]["computed"] == "single run"
        for name in ("status", "unknowns", "unanswered"):
            assert summary["values"][name] == right["values"][name]
        numbers = [name for name in right["values"] if name.startswith("spectrum.")]
        assert numbers
        for name in ("energy_final", *numbers):
            near = pytest.approx(right["values"][name], rel=50 * RTOL, abs=50 * RTOL)
            assert summary["values"][name] == near, name
        assert summary["values"]["t_end"] == pytest.approx(right["values"]["t_end"], abs=50 * SETTLING)
        phases, wanted = summary["phases"], right["phases"]
        assert phases["phase_status"] == wanted["phase_status"] == ["success", "equilibrium"]
        assert phases["error"] == pytest.approx(wanted["error"], abs=50 * RTOL)
        assert phases["settling_time"][0] is None
        assert phases["settling_time"][1] == pytest.approx(wanted["settling_time"][1], abs=50 * SETTLING)


def test_a_member_that_fails_has_its_status_and_the_others_theirs(tiny):
    # With so small a variance nodes ring with a period of about 2 pi tau, hardly damped, for 2,000 tau.
    rings = ["weights.seed=1", "network.tau=0.01", "network.nu=1e-6"]
    found = compute_together(KVAERNO, str(tiny), [["solver.max_steps=500"], [*rings, "solver.max_steps=500"]])
    assert [one["summary"]["values"]["status"] for one in found] == ["equilibrium", "max_steps"]


def test_only_points_that_differ_in_values_are_alike(tiny):
    one = alike(tiny)
    assert one is not None
    for change in ("weights.seed=3", "weights.scale=2", "network.tau=2", "network.nu=2", "network.delta=7"):
        assert alike(tiny, change) == one
    for change in (
        "network.sizes=[1,2,1]",
        "network.activation='relu'",
        "phase.0.duration=3",
        "save.nodes=7",
    ):
        assert alike(tiny, change) not in (one, None)
    for change in ("solver.method='cvode'", "solver.method='auto'", "network.tau=0"):
        assert alike(tiny, change) is None
    assert alike(tiny, "network.sizes=[1,400,1]") is None
    asks = "analysis.questions=['spectrum']"
    assert alike(tiny, asks, "network.tau=2") != alike(tiny, asks)
    assert alike(tiny, asks, "weights.seed=2") == alike(tiny, asks)


def test_many_alike_are_parted_evenly_and_few_are_single_runs():
    points = points_of(axes_of("a.b=1:600"))
    kinds = {k: "even" if k % 2 == 0 else "few" if k % 20 == 1 else None for k in range(600)}
    groups = grouped(points, kinds)
    many = [group for group in groups if len(group) > 1]
    assert [len(group) for group in many] == [100, 100, 100]
    assert sorted(point.number for group in groups for point in group) == list(range(600))
    assert all(kinds[point.number] == "even" for group in many for point in group)


def test_a_resumed_sweep_has_the_groups_that_it_had(tiny):
    base = Scenario.parse(KVAERNO, tiny)
    points = points_of(axes_of("weights.seed=1:260"))
    groups = groups_left(base, points, {})
    assert [len(group) for group in groups] == [86, 87, 87]
    assert groups_left(base, points, set(range(86))) == groups[1:]
    assert {len(group) for group in groups_left(base, points[:100], {})} == {1}


def test_a_sweep_tells_how_its_points_were_computed(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(together, "LEAST", 4)
    with processes(tmp_path, 1) as (address, _):
        over = ["solver.method=Kvaerno5;cvode", "weights.seed=0:3"]
        sweep = pcode.sweep(tiny, over, changes=SHARP, out=tmp_path / "out", scheduler=address)
    assert sweep.data["computed"].to_numpy().tolist() == [["ensemble of 4"] * 4, ["single run"] * 4]
    energies = sweep.data["energy_final"].to_numpy()
    assert energies[0] == pytest.approx(energies[1], rel=50 * RTOL, abs=50 * RTOL)
    assert set(sweep.data["status"].to_numpy().ravel()) == {"equilibrium"}
