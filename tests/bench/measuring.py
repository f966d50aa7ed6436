"""Two ways to do a thing, timed in turn: machines drift, so only ratios of neighbours count."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Figure:
    """One measured ratio beside its target. `number` is that of docs/performance.md."""

    number: str
    what: str
    target: str
    ratio: float
    low: float
    high: float
    met: bool
    note: str = ""


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rates(
    ours: Callable[[int], float], theirs: Callable[[int], float], rounds: int = ROUNDS
) -> tuple[list[float], list[float], list[float]]:
    """Ours / theirs, round by round, with what each measured. Each is called with the round and answers a rate or time.

    The order within a round alternates, and a first round is not counted.
    """
    ratios, first, second = [], [], []
    for n in range(rounds + 1):
        if n % 2:
            b = theirs(n)
            a = ours(n)
        else:
            a = ours(n)
            b = theirs(n)
        if n:
            ratios.append(a / b)
            first.append(a)
            second.append(b)
    return ratios, first, second


def figure(
    number: str,
    what: str,
    ratios: list[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Figure:
    ratio = statistics.median(ratios)
    met = (at_least is None or ratio >= at_least) and (at_most is None or ratio <= at_most)
    target = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}"
    return Figure(number, what, target, ratio, min(ratios), max(ratios), met, note)
