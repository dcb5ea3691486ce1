"""Batches on many machines: the engine that runs on a Dask cluster.

A worker loads the coder when it joins. What a worker had under way when it was lost is done again by another one; an item that
takes down three workers is given up. Results come back in order, so the output is the same as with the local engine.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, Worker, WorkerPlugin

from lexicon.errors import InputError
from models.workers import AHEAD, load_once
from ui.batch import Engine

T = TypeVar("T")
R = TypeVar("R")

ANSWER_SECONDS = 15  # within which a scheduler must answer
_SETTINGS = {
    "distributed.scheduler.allowed-failures": 2,  # of workers with the same item; the third one is the last
    "distributed.worker.memory.target": False,  # note text is never spilled to a disk
    "distributed.worker.memory.spill": False,
    "distributed.worker.daemon": True,
}


class _LoadCoder(WorkerPlugin):
    """Loads the coder of a worker when it joins the cluster."""

    name = "theracode"
    idempotent = True

    def setup(self, worker: Worker) -> None:
        """Called by Dask on each worker, also on one that joins later."""
        load_once()


def _connect(stack: ExitStack, scheduler: str | None, workers: int) -> Any:
    """A client of the scheduler at an address, or of a new cluster of worker processes on this machine, without dashboard."""
    if scheduler is None:
        folder = stack.enter_context(TemporaryDirectory(prefix="theracode-"))
        cluster = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            local_directory=folder,
        )
        stack.callback(cluster.close)
        return stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
    try:
        return stack.enter_context(Client(scheduler, timeout=ANSWER_SECONDS))  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError):
        raise InputError(f"no Dask scheduler answers at {scheduler[:80]}") from None


def dask_engine(scheduler: str | None = None) -> Engine:
    """The engine on a Dask cluster.

    Parameters
    ----------
    scheduler : str, optional
        Address of a scheduler, such as ``tls://host:8786``; its workers need theracode installed. A new cluster on this machine
        if omitted.
    """

    def engine(task: Callable[[T], R], items: Iterator[T], workers: int) -> Iterator[R]:
        with ExitStack() as stack:
            stack.enter_context(dask.config.set(_SETTINGS))
            client = _connect(stack, scheduler, workers)
            client.register_plugin(_LoadCoder())
            waiting: deque[Future[R]] = deque()
            try:
                for item in items:
                    waiting.append(client.submit(task, item, pure=False))
                    if len(waiting) >= AHEAD * max(workers, len(client.nthreads())):
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except KilledWorker:
                raise InputError(
                    "workers died again and again; start the same command again, it goes on where it stopped"
                ) from None

    return engine
