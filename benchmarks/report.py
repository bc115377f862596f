"""The table of a comparison, and its JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import apsw
import twisted

#: Figures of each turn by server.
ByServer = Mapping[str, Sequence[float]]
HEAD = ("| workload | unit | moximap | Dovecot | ratio |\n|---|---|---|---|---|")


def ratio(unit: str, ours: float, theirs: float) -> float | None:
    """Over 1: moximap is ahead."""
    if not ours or not theirs:
        return None
    return ours / theirs if unit == "/s" else theirs / ours


def short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def row(name: str, unit: str, figures: ByServer) -> str:
    """A line of the table, of medians."""
    medians = {server: statistics.median(values) for server, values in figures.items() if values}
    ours, theirs = medians.get("moximap"), medians.get("Dovecot")
    both = ratio(unit, ours, theirs) if ours is not None and theirs is not None else None
    cells = [name, unit, *("–" if value is None else short(value) for value in (ours, theirs, both))]
    return f"| {' | '.join(cells)} |"


def machine() -> dict[str, Any]:
    """What figures depend on."""
    return {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count(),
            "twisted": twisted.__version__, "sqlite": apsw.sqlite_lib_version()}
