"""The processes that run the points: workers of this machine, or those of a cluster that is there already."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from .. import __version__
from ..base.at_once import undone_at_once
from ..base.errors import InputError
from .task import about_worker

# Seconds that a scheduler has to answer, and that it has to show a worker.
ANSWER = 10.0

GONE = "the scheduler does not answer any more"

# Seconds more, for a client to be made and to say so itself.
GRACE = 2.0

# Seconds that workers of this machine have to start: they import JAX first.
START = 60.0

# How often a worker of this machine is started again before it counts as broken.
RESTARTS = 20

# One thread a process: of linear algebra, of XLA's compiled code, and of whatever else counts cores.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "NPROC": "1",
    "PJRT_NPROC": "1",
}
XLA_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"


def capped(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that computes with one thread."""
    flags = environment.get("XLA_FLAGS", "")
    kept = flags if "xla_cpu_multi_thread_eigen" in flags else f"{flags} {XLA_ONE_THREAD}".strip()
    return {**environment, **ONE_THREAD, "XLA_FLAGS": kept}


def check_installed() -> None:
    """Raise InputError, with how to install it, unless Dask's `distributed` is there."""
    if find_spec("dask") is None or find_spec("distributed") is None:
        what = "needs Dask's distributed, which is not installed; pip install 'pcode-sim[sweep]' installs it"
        raise InputError("sweep", what)


@dataclass
class LocalWorkers:
    """Workers in processes of this machine, started again where they die.

    Attributes
    ----------
    address : str
        Of the scheduler.
    count : int
        How many there are to be.
    """

    address: str
    count: int
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _restarts: int = 0

    def __post_init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as workers write to it

    def start(self) -> None:
        """Start workers until there are as many as there should be."""
        alive = [process for process in self._running if process.poll() is None]
        self._restarts += len(self._running) - len(alive)
        self._running = alive
        if self._restarts > RESTARTS + self.count:
            raise WorkersLostError(f"workers end as soon as they start: {self.last_words()}")
        while len(self._running) < self.count:
            self._running.append(self._started())

    def _started(self) -> subprocess.Popen[bytes]:
        # Their own session: Ctrl-C in a terminal is for the process that hands out the points.
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        options += ["--death-timeout", str(START), "--local-directory", tempfile.gettempdir()]
        environment = {**capped(os.environ), "DASK_LOGGING__DISTRIBUTED": "critical"}
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", self.address, *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            start_new_session=True,
        )

    def last_words(self) -> str:
        """The end of what workers wrote to stderr, in one line."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "they said nothing"

    def kill(self) -> None:
        """End all workers, and what they compute, without waiting for it."""
        for process in self._running:
            process.kill()

    def close(self) -> None:
        """End all workers, and what they compute."""
        self.kill()
        for process in self._running:
            process.wait()
        self._log.close()


class WorkersLostError(RuntimeError):
    """The scheduler or its workers are gone and do not come back; what is done is kept."""


@dataclass
class Cluster:
    """A connection to a scheduler.

    Attributes
    ----------
    client : distributed.Client
    local : LocalWorkers or None
        The workers that were started for it.
    dashboard : str
        The address of Dask's dashboard; empty where it tells none.
    """

    client: Any
    local: LocalWorkers | None = None

    @property
    def dashboard(self) -> str:
        """The address of Dask's dashboard; empty where there is none."""
        return str(self.client.dashboard_link or "")

    def lost(self) -> bool:
        """Whether the scheduler does not answer any more."""
        return bool(self.client.status != "running")

    def expected(self) -> int:
        """How many workers there are, those that are about to start among them."""
        return len(self.workers()) if self.local is None else self.local.count

    def workers(self) -> list[str]:
        """The addresses of the workers; those of this machine are started again where they have died."""
        if self.local is not None:
            self.local.start()
        try:
            return list(self.client.nthreads())
        except OSError:  # the connection has just gone, which the client does not know yet
            raise WorkersLostError(GONE) from None


@contextmanager
def connected(scheduler: str | None, workers: int | None, timeout: float = ANSWER) -> Iterator[Cluster]:
    """A connection to the scheduler at an address, or to one of its own with workers of this machine.

    Parameters
    ----------
    scheduler : str or None
        The address of a scheduler, such as ``tcp://host:8786``.
    workers : int or None
        How many processes to start where none is given; one a core by default.
    timeout : float
        Seconds within which a scheduler must answer, and show a worker.

    Raises
    ------
    InputError
        If none answers, it has no worker, or workers have another version of pcode.
    """
    with ExitStack() as stack:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        cluster = _joined(stack, scheduler, timeout) if scheduler else _own(stack, workers or cores())
        _await_workers(cluster, scheduler, timeout)
        _check_versions(cluster, scheduler)
        yield cluster


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _joined(stack: ExitStack, scheduler: str, timeout: float) -> Cluster:
    from distributed import Client

    made: list[Any] = []

    def join() -> None:
        # Whatever is wrong with the address, or with what answers there, no scheduler does.
        with suppress(OSError, ValueError, TypeError, RuntimeError, ImportError):
            made.append(Client(scheduler, timeout=timeout, set_as_default=False))  # type: ignore[no-untyped-call]

    # A server that takes the connection and says nothing would keep the client for ever.
    waiting = threading.Thread(target=join, daemon=True)
    waiting.start()
    waiting.join(timeout + GRACE)
    if not made:
        what = f"no scheduler answers at {scheduler} within {timeout:g} s; give the address of one that runs"
        raise InputError("--scheduler", what)
    (client,) = made
    stack.callback(client.close, timeout=1.0)
    return Cluster(client)


def _own(stack: ExitStack, workers: int) -> Cluster:
    from distributed import Client, LocalCluster

    cluster = LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
    )
    stack.callback(cluster.close, timeout=5.0)
    client = Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
    stack.callback(client.close, timeout=1.0)
    local = LocalWorkers(cluster.scheduler_address, workers)
    stack.callback(local.close)
    stack.enter_context(undone_at_once(local.kill))
    return Cluster(client, local)


def _await_workers(cluster: Cluster, scheduler: str | None, timeout: float) -> None:
    deadline = time.monotonic() + (timeout if scheduler else START)
    while not cluster.workers():
        if time.monotonic() > deadline:
            if scheduler is None:
                words = cluster.local.last_words() if cluster.local else ""
                raise WorkersLostError(f"no worker has started within {START:g} s: {words}")
            what = f"the scheduler at {scheduler} has had no worker for {timeout:g} s"
            raise InputError("--scheduler", f"{what}; start some: dask worker {scheduler} --nthreads 1")
        time.sleep(0.05)


def _check_versions(cluster: Cluster, scheduler: str | None) -> None:
    """Raise InputError where workers cannot import this version of pcode."""
    if scheduler is None:
        return
    for address, found in cluster.client.run(about_worker, on_error="return").items():
        if isinstance(found, Exception):
            what = (
                f"the worker at {address} cannot import pcode ({type(found).__name__}: {found}); install it"
            )
            raise InputError("--scheduler", f"{what} there")
        if found[0] != __version__:
            what = f"the worker at {address} has pcode {found[0]}, not {__version__}; install the same there"
            raise InputError("--scheduler", what)
