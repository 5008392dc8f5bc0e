"""The end of a process that cannot end: a driver that waits for a database which says nothing, for example."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("dibs")

END_SECONDS_MAX = 9.5
"""From the signal to the end. What takes longer is cut off, which `kill -9` shows to be safe."""


@contextmanager
def ending_in_time() -> Iterator[Callable[[], None]]:
    """Call what it gives when the process is told to stop; where the block has not ended in time, the process does."""
    timer = threading.Timer(END_SECONDS_MAX, _end)
    timer.daemon = True

    def begin() -> None:
        if not timer.is_alive() and not timer.finished.is_set():
            timer.start()

    try:
        yield begin
    finally:
        timer.cancel()


def _end() -> None:
    log.critical("something did not end within %.1f s, and is cut off", END_SECONDS_MAX)
    for handler in logging.getLogger().handlers:
        handler.flush()
    os._exit(1)
