"""Several things at once, over real connections."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own, all starting together; what each answered or raised."""
    barrier = threading.Barrier(len(works))
    answers: list[Any] = [None] * len(works)

    def run(n: int, work: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            answers[n] = work()
        except Exception as fault:
            answers[n] = fault
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n, work)) for n, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
