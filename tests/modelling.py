"""The long form of the model test: `python -m tests.modelling --steps 100000 --seed 1 --ways all --races`.

A run that fails is cut down to the steps that it needs, and printed with all that was said.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

from tests.model_driver import Orderly, Run, Step, draw, play
from tests.model_races import Racing
from tests.model_ways import WAYS


def failure(steps: list[Step], kind: Callable[[], Run]) -> str | None:
    """How a run fails; None where it does not."""
    try:
        play(steps, kind)
    except AssertionError as error:
        return str(error)
    return None


def cut_down(steps: list[Step], fails: Callable[[list[Step]], bool], tries: int = 400) -> list[Step]:
    """A part of the steps that fails too: ever smaller pieces are left out."""
    size = len(steps) // 2
    while size and tries:
        start = 0
        while start < len(steps) and tries:
            tries -= 1
            fewer = steps[:start] + steps[start + size:]
            if fails(fewer):
                steps = fewer
            else:
                start += size
        size //= 2
    return steps


def explore(kind: Callable[[], Run], seed: int, steps: int, length: int = 120) -> tuple[int, str | None]:
    """Run one seed after the other; gives how many, and what failed first."""
    runs = 0
    while runs * length < steps:
        drawn = draw(seed + runs, length)
        runs += 1
        if failure(drawn, kind) is not None:
            short = cut_down(drawn, lambda some: failure(some, kind) is not None)
            return runs, f"seed {seed + runs - 1}, {len(short)} steps: {short}\n{failure(short, kind)}"
    return runs, None


def main() -> int:
    parser = argparse.ArgumentParser(description="Random histories against the model.")
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--length", type=int, default=120, help="steps of one run")
    parser.add_argument("--ways", choices=WAYS, default="plain", help="how the clients speak")
    parser.add_argument("--races", action="store_true", help="commands of all clients at once")
    options = parser.parse_args()
    began = time.monotonic()
    kind = partial(Racing if options.races else Orderly, WAYS[options.ways])
    runs, failed = explore(kind, options.seed, options.steps, options.length)
    sys.stdout.write(f"{runs} runs of {options.length} steps from seed {options.seed},"
                     f" {time.monotonic() - began:.0f} s: {failed or 'all agree'}\n")
    return failed is not None


if __name__ == "__main__":
    sys.exit(main())
