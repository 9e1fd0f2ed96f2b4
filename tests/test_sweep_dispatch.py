"""How points are handed out: those of one structure together, two a worker, none lost."""

from __future__ import annotations

import pytest

from pcode.cli.sweep_progress import Estimate, span, told
from pcode.sweeps import SweepProgress, WorkersLostError
from pcode.sweeps.cluster import capped
from pcode.sweeps.dispatch import Dispatcher
from pcode.sweeps.points import Point


class Future:
    def __init__(self, number):
        self.number = number

    def add_done_callback(self, call):
        self.call = call

    def result(self, timeout):
        return {"number": self.number}


class Client:
    """Notes to whom points go; the first that each worker has been given ends whenever a result is wanted."""

    def __init__(self):
        self.given = {}

    def submit(self, compute, number, workers, **_):
        future = Future(number)
        self.given.setdefault(workers[0], []).append(future)
        return future

    def cancel(self, futures, force):
        self.cancelled = [future.number for future in futures]


class Cluster:
    def __init__(self, count):
        self.client, self.there = Client(), [f"w{k}" for k in range(count)]
        self.is_lost = False

    def workers(self):
        return self.there

    def lost(self):
        return self.is_lost


def handed_out(cluster, structures, stop=lambda: False):
    """The structures of the points that each worker was given, in turn, as they end one by one."""
    points = [Point(k, {"a.b": k}) for k in range(len(structures))]
    each = [(point,) for point in points]
    dispatcher = Dispatcher(cluster, each, dict(enumerate(structures)), lambda p: {"number": p[0].number})
    results, done = dispatcher.results(stop), []
    ended = dict.fromkeys(cluster.there, 0)
    while len(done) < len(points):
        dispatcher._hand_out()
        for worker, futures in cluster.client.given.items():
            if ended[worker] < len(futures):
                future = futures[ended[worker]]
                future.call(future)
                ended[worker] += 1
                done.append(next(results))
    assert sorted(point.number for point, _ in done) == list(range(len(points)))
    assert all(outcome == {"number": point.number} for point, outcome in done)
    assert list(results) == []
    return {
        worker: "".join(structures[future.number] for future in futures)
        for worker, futures in cluster.client.given.items()
    }


def test_points_of_one_structure_go_to_one_worker():
    given = handed_out(Cluster(2), "ABABABABAB")
    assert set(given.values()) == {"AAAAA", "BBBBB"}


def test_a_worker_without_points_of_its_own_helps_with_the_others():
    given = handed_out(Cluster(2), "AAAAAAAAAAAAB")
    assert sorted(map(len, given.values())) == [6, 7]
    given = handed_out(Cluster(2), "AAAAAAAABBB")
    assert sorted(map(len, given.values())) == [5, 6]


def test_workers_share_points_of_the_only_structure():
    assert sorted(handed_out(Cluster(3), "AAAAAAAAA").values()) == ["AAA"] * 3


def test_a_structure_is_begun_by_as_few_workers_as_possible():
    given = handed_out(Cluster(2), "AABBCCDD")
    assert sum(len(set(word)) for word in given.values()) == 4


def test_no_worker_has_more_than_two_points_and_those_in_flight_are_given_up():
    cluster = Cluster(2)
    each = [(Point(k, {"a.b": k}),) for k in range(20)]
    stopped = []
    dispatcher = Dispatcher(cluster, each, dict.fromkeys(range(20), "A"), lambda p: {"number": p[0].number})
    results = dispatcher.results(lambda: bool(stopped))
    dispatcher._hand_out()
    assert [len(futures) for futures in cluster.client.given.values()] == [2, 2]
    future = cluster.client.given["w0"][0]
    future.call(future)
    assert next(results)[0].number == future.number
    stopped.append(True)
    assert list(results) == []
    assert len(cluster.client.cancelled) == 3


class AtOnce:
    """A client whose workers are done at once; of several points together those that begin at 3 raise."""

    def __init__(self):
        self.given = []

    def submit(self, compute, number, **_):
        self.given.append(number)
        future = Future(number)
        future.status = "finished"
        future.result = lambda timeout: {"of": number[0]}
        if len(number) > 1:
            future.result = lambda timeout: [{"of": one, "together": True} for one in number]
        if number == [3, 4, 5]:
            future.status = "error"
            future.result = lambda timeout: [][0]
        future.add_done_callback = lambda call: call(future)
        return future


def test_points_that_go_together_end_together_and_are_tried_alone_if_they_raise():
    cluster = Cluster(1)
    cluster.client = AtOnce()
    points = [Point(k, {"a.b": k}) for k in range(7)]
    groups = [tuple(points[:3]), tuple(points[3:6]), (points[6],)]
    dispatcher = Dispatcher(
        cluster, groups, dict.fromkeys(range(7), "A"), lambda group: {"number": [one.number for one in group]}
    )
    found = {point.number: outcome for point, outcome in dispatcher.results(lambda: False)}
    together = {k: {"of": k, "together": True} for k in (0, 1, 2)}
    assert found == together | {k: {"of": k} for k in (3, 4, 5, 6)}
    assert cluster.client.given == [[0, 1, 2], [3, 4, 5], [6], [3], [4], [5]]


def test_a_lost_scheduler_is_told():
    cluster = Cluster(1)
    cluster.is_lost = True
    dispatcher = Dispatcher(cluster, [(Point(0, {"a.b": 1}),)], {0: "A"}, lambda p: {"number": p[0].number})
    with pytest.raises(WorkersLostError, match="does not answer any more"):
        next(dispatcher.results(lambda: False))


def test_the_estimate_leaves_out_the_start():
    estimate = Estimate()
    assert estimate.left(100.0, 1, 11) is None  # the first has compiled for 100 s
    assert estimate.left(102.0, 2, 11) == 18.0
    assert estimate.left(110.0, 6, 11) == 10.0
    assert estimate.left(120.0, 11, 11) == 0.0


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h")])
def test_times_are_told_in_words(seconds, words):
    assert span(seconds) == words


def test_progress_is_told_in_words():
    now = SweepProgress(3, 9, 1, None, "", 2)
    assert told(now, 30.0) == "3 of 9 points, 1 failed, about 30 s left"
    assert told(SweepProgress(9, 9, 0, None, "", 2), 0.0) == "9 of 9 points"


def test_flags_of_the_user_stay_beside_the_cap_of_threads():
    environment = capped({"XLA_FLAGS": "--xla_dump_to=x", "HOME": "h"})
    assert environment["XLA_FLAGS"] == "--xla_dump_to=x --xla_cpu_multi_thread_eigen=false"
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["HOME"] == "h"
    assert capped(environment) == environment
