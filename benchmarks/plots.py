"""The sweeps as PNGs: time and memory against size, on logarithmic scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

UNITS = {"ms": "milliseconds", "KiB": "KiB", "MiB": "MiB", "MiB more": "MiB", "%": "% of a core"}


def draw(sweeps: dict[str, Any], directory: Path) -> None:
    """NAME.png for each sweep: a panel for its times, and one for its memory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, sweep in sweeps.items():
        points = {int(size): figures for size, figures in sweep["points"].items()}
        times = [each for each in _names(points) if each.endswith(", ms")]
        memory = [each for each in _names(points) if each.endswith(("iB", "iB more"))]
        panels = [panel for panel in (times, memory) if panel]
        size = 6.8 * len(panels), 4.2
        figure, axes = pyplot.subplots(1, len(panels), figsize=size, squeeze=False, dpi=80)
        for axis, panel in zip(axes[0], panels, strict=True):
            _panel(axis, points, panel, sweep["label"])
        figure.tight_layout()
        figure.savefig(directory / f"{name}.png", metadata={"Software": None})
        pyplot.close(figure)


def _names(points: dict[int, dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for size in sorted(points) for name in points[size]))


def _panel(axis: Any, points: dict[int, dict[str, float]], names: list[str], label: str) -> None:
    markers = "os^vD*xP+<>hpd12348"
    for number, name in enumerate(names):
        sizes = [size for size in sorted(points) if points[size].get(name, 0) > 0]
        axis.plot(sizes, [points[size][name] for size in sizes], marker=markers[number % len(markers)],
                  linewidth=1.2, markersize=4, label=name.rpartition(", ")[0] or name)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel(label)
    axis.set_ylabel(UNITS[names[0].rpartition(", ")[2]])
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
