"""A damaged length in a file of a result is found before the library makes room for it."""

import re
import struct

import pytest

import pcode
from pcode.run.result import Run
from soak.files import _good_results
from soak.tally import peak

LOADS = {"sweep": pcode.Sweep.load, "ensemble": pcode.Ensemble.load}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return _good_results(tmp_path_factory.mktemp("good"))


def places(content):
    """Where the lengths of texts and of lists stand: before the address of a heap of HDF5's."""
    heaps = [found.start() for found in re.finditer(b"GCOL", content)]
    addresses = [struct.pack("<Q", at) for at in heaps]
    return [
        found.start() - 4 for one in addresses for found in re.finditer(re.escape(one), content)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["run", "presented", "ensemble", "older", "sweep"])
def test_a_length_of_four_gigabytes_takes_none(kind, good, tmp_path):
    content, file = good[kind], tmp_path / "case.nc"
    load = LOADS.get(kind, Run.load)
    file.write_bytes(content)
    load(file)
    found = places(content)
    before, told = peak(), []
    for at in found[:: max(1, len(found) // 12)]:
        file.write_bytes(content[:at] + b"\xff" * 4 + content[at + 4 :])
        try:
            load(file)
        except pcode.InputError as error:
            told.append(str(error))
    assert len(told) > 5
    # Files of which HDF5 keeps checksums are refused by these.
    assert kind != "sweep" or any("by its own account" in one for one in told)
    assert peak() - before < 3e8


def test_the_size_of_what_is_in_a_list_of_references_is_looked_at_too(good, tmp_path):
    content, file = good["sweep"], tmp_path / "case.nc"
    (at, *_) = [found.start() + 4 for found in re.finditer(rb"\x17\0\0\0\x08\0\0\0", content)]
    before = peak()
    file.write_bytes(content[:at] + b"\xff" * 4 + content[at + 4 :])
    with pytest.raises(pcode.InputError, match="by its own account"):
        pcode.Sweep.load(file)
    assert peak() - before < 3e8


def test_comments_with_odd_characters_in_a_scenario_do_not_make_its_result_unreadable(tmp_path):
    text = (
        "# odd \u202e here\n[network]\nsizes = [1, 1]\n[data]\ninputs = [[1.0]]\ntargets = [[1.0]]\n"
        '[[phase]]\nclamp = "both"\nduration = 1.0\n'
    )
    (tmp_path / "odd.toml").write_text(text, encoding="utf-8")
    run = pcode.scenario.Scenario.load(tmp_path / "odd.toml").simulate()
    run.save(tmp_path / "run.nc")
    assert Run.load(tmp_path / "run.nc").data.attrs["scenario"] == text


def test_an_attribute_with_a_character_that_no_result_may_have_is_refused_before_the_run():
    network = pcode.Network((1, 1))
    phase = pcode.Phase("train", {0: [[1.0]], 1: [[1.0]]}, duration=1.0)
    with pytest.raises(pcode.InputError, match=r"attributes\[author\].*202e.*leave it out"):
        pcode.simulate(network, [phase], weights=network.init_weights(0), attributes={"author": "a\u202eb"})
