"""Timing of functions side by side: they take turns, so that what disturbs the machine disturbs each of them alike."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

# A turn lasts about this long, so that the clock's own cost and the threads left spinning by the other side do not count.
TURN_SECONDS = 0.05
# Between turns: OpenMP's worker threads spin for some milliseconds after their last region.
PAUSE_SECONDS = 0.01
MIN_TURNS = 5
# What takes seconds for one call gets fewer turns, once it has had this many times its share of the time.
PATIENCE = 6


@dataclass(frozen=True)
class Timing:
    """Seconds for one call."""

    best: float
    median: float
    turns: int


def calls_per_turn(function: Callable[[], object], turn_seconds: float = TURN_SECONDS) -> int:
    """How many calls fill a turn. Also warms up."""
    function()
    calls = 1
    while True:
        seconds = turn(function, calls)
        if seconds * calls >= turn_seconds:
            return calls
        calls = max(calls * 2, int(turn_seconds / max(seconds, 1e-9))) if seconds * calls > 1e-3 else calls * 8


def turn(function: Callable[[], object], calls: int) -> float:
    """Seconds for one call, averaged over ``calls``."""
    repeated = range(calls)
    start = time.perf_counter()
    for _ in repeated:
        function()
    return (time.perf_counter() - start) / calls


def alternate(
    functions: dict[str, Callable[[], object]], seconds: float = 4.0, turn_seconds: float = TURN_SECONDS
) -> dict[str, Timing]:
    """Time functions in turns, A B A B ..., for about ``seconds`` each, ``MIN_TURNS`` turns at least unless a turn is very long."""
    calls = {name: calls_per_turn(function, turn_seconds) for name, function in functions.items()}
    measured: dict[str, list[float]] = {name: [] for name in functions}
    start = time.perf_counter()
    share = seconds * len(functions)
    for done in itertools.count():
        spent = time.perf_counter() - start
        if done and spent >= share and (done >= MIN_TURNS or spent >= share * PATIENCE):
            break
        for name, function in functions.items():
            time.sleep(PAUSE_SECONDS)
            measured[name].append(turn(function, calls[name]))
    return {name: Timing(min(times), statistics.median(times), len(times)) for name, times in measured.items()}
