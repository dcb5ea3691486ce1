"""A map over worker processes of this machine that each load the coder once, in order and only some items ahead."""

from __future__ import annotations

import gc
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from lexicon.errors import WorkerError
from models.coder import load
from models.ranker import Ranker

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4  # items under way for each worker


def load_once(ranker: Ranker | None = None) -> None:
    """Load the coder of this worker process, with a ranker in place of the trained one; later notes find it loaded."""
    coder = load()
    if ranker is not None:
        coder.ranker = ranker
    gc.freeze()  # what the worker keeps is never garbage


def _start(ranker: Ranker | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_once(ranker)


def in_order(task: Callable[[T], R], items: Iterator[T], workers: int, *, ranker: Ranker | None = None) -> Iterator[R]:
    """What ``task`` gives for each item, in order; one worker is this process itself, more are processes with that ranker.

    Raises
    ------
    WorkerError
        If a worker process died.
    """
    if workers == 1:
        yield from map(task, items)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start, initargs=(ranker,))
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(task, item))
            if len(waiting) >= workers * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise WorkerError("a worker process died") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
