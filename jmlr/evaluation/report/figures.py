"""The figures of the report, drawn as SVG from the plot records."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from jmlr.evaluation.notation import arm_label, ordered_arms, ranking_label, split_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARM_COLOURS = {
    "untrained": "#4f8f88",
    "closed_book": "#8a8f98",
    "rag": "#3b76af",
    "jmlr": "#d1602b",
    "untrained_gold": "#a9cfca",
    "rag_gold": "#9dc0de",
    "jmlr_gold": "#efb592",
    "jmlr_bm25": "#c9a227",
    "jmlr_shuffled": "#b8bec6",
}
RETRIEVER_COLOURS = {
    "before": ARM_COLOURS["rag"],
    "after": ARM_COLOURS["jmlr"],
    "bm25": ARM_COLOURS["closed_book"],
    "hybrid_before": ARM_COLOURS["rag_gold"],
    "hybrid": "#7a5195",
}
_OTHER_COLOUR, _INK, _LIGHT = "#5b8c5a", "#333a44", "#e3e6ea"
_STYLE = {
    "svg.hashsalt": "jmlr",  # the same records give the same bytes
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.edgecolor": "#b4bac2",
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
}
_PANEL_WIDTH_INCHES = 4.9
_MAX_PANELS = 4
_FIRST_CURVES = ("reader_loss", "retriever_loss", "retriever_gradient_norm", "retriever_weight_change")

Record = Mapping[str, Any]


def _values(records: Sequence[Record], key: str) -> list[Any]:
    """Distinct values of a column, in order of appearance."""
    return list(dict.fromkeys(record[key] for record in records))


def _panels(count: int, height_inches: float, columns: int = 2) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, clean of frames."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(_PANEL_WIDTH_INCHES * columns, height_inches * rows), layout="constrained")
    panels = [figure.add_subplot(rows, columns, number + 1) for number in range(count)]
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_axisbelow(True)
    return figure, panels


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()


def _name(panel: Axes, split: str, grid: Literal["both", "y"], **legend: Any) -> None:
    """Says which split a panel shows, and which line is what."""
    panel.set_title(f"{split}: {split_label(split)}")
    panel.grid(axis=grid, color=_LIGHT)
    panel.legend(frameon=False, **legend)


def _draw_accuracy(records: Sequence[Record], chance: Mapping[str, float]) -> Figure:
    splits = _values(records, "split")
    arms = ordered_arms(_values(records, "arm"))
    figure, panels = _panels(len(splits), 0.9 + 0.36 * len(arms))
    for position, (panel, split) in enumerate(zip(panels, splits, strict=True)):
        for record in (record for record in records if record["split"] == split):
            row, colour = arms.index(record["arm"]), ARM_COLOURS.get(record["arm"], _OTHER_COLOUR)
            value, low, high = (100 * record[key] for key in ("accuracy", "low", "high"))
            panel.barh(row, value, height=0.62, color=colour)
            panel.plot([low, high], [row, row], color=_INK, linewidth=1.4, solid_capstyle="butt")
            room = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            panel.annotate(
                f"{value:.0f}", (high, row), xytext=(5, 0), textcoords="offset points", va="center", bbox=room
            )
        if split in chance:
            panel.axvline(100 * chance[split], color=_INK, linewidth=1, linestyle=(0, (2, 3)))
        panel.set_yticks(range(len(arms)), [arm_label(arm) for arm in arms] if position % 2 == 0 else [])
        panel.set(xlim=(0, 108), ylim=(len(arms) - 0.4, -0.6), xlabel="right answers (%), dotted: guessing")
        panel.set_title(split)  # what it is stands in the table below; here the arms' names take the room
        panel.tick_params(axis="y", length=0)
    return figure


def _draw_success(records: Sequence[Record]) -> Figure:
    splits, cutoffs = _values(records, "split"), sorted(_values(records, "k"))
    figure, panels = _panels(len(splits), 2.9)
    for panel, split in zip(panels, splits, strict=True):
        for name in _values(records, "retriever"):
            line = sorted((r["k"], r["success"]) for r in records if (r["split"], r["retriever"]) == (split, name))
            ks, shares = [k for k, _ in line], [100 * share for _, share in line]
            colour = RETRIEVER_COLOURS.get(name, _OTHER_COLOUR)
            panel.plot(ks, shares, marker="o", color=colour, label=ranking_label(name))
        panel.set_xscale("log")
        panel.set_xticks(cutoffs, [str(k) for k in cutoffs])
        panel.set_xticks([], minor=True)
        panel.set(ylim=(0, 103), xlabel="first k passages (log scale)", ylabel="questions with a gold passage (%)")
        _name(panel, split, "y", loc="lower right", title="ranking")
    return figure


def _draw_reliability(records: Sequence[Record]) -> Figure:
    splits = _values(records, "split")
    figure, panels = _panels(len(splits), 3.4)
    for panel, split in zip(panels, splits, strict=True):
        of_split = [record for record in records if record["split"] == split]
        panel.plot([0, 100], [0, 100], color=_INK, linewidth=1, linestyle=(0, (2, 3)), label="calibrated")
        most = max(record["count"] for record in of_split)
        for arm in ordered_arms(_values(of_split, "arm")):
            points = sorted((r["confidence"], r["accuracy"], r["count"]) for r in of_split if r["arm"] == arm)
            confidences, accuracies = ([100 * point[axis] for point in points] for axis in (0, 1))
            colour = ARM_COLOURS.get(arm, _OTHER_COLOUR)
            panel.plot(confidences, accuracies, color=colour, linewidth=1.4, label=arm_label(arm))
            panel.scatter(confidences, accuracies, [12 + 110 * point[2] / most for point in points], color=colour)
        panel.set(
            xlim=(0, 102), ylim=(-3, 103), xlabel="confidence (%), dot size: questions", ylabel="right answers (%)"
        )
        _name(panel, split, "both", loc="upper left", fontsize=8.5)
    return figure


def _draw_coverage(records: Sequence[Record]) -> Figure:
    splits = _values(records, "split")
    figure, panels = _panels(len(splits), 2.9)
    for panel, split in zip(panels, splits, strict=True):
        of_split = [record for record in records if record["split"] == split]
        for arm in ordered_arms(_values(of_split, "arm")):
            line = sorted((r["coverage"], r["value"], r["low"], r["high"]) for r in of_split if r["arm"] == arm)
            coverages, values, lows, highs = ([100 * point[axis] for point in line] for axis in range(4))
            colour = ARM_COLOURS.get(arm, _OTHER_COLOUR)
            panel.plot(coverages, values, marker="o", markersize=3.5, color=colour, label=arm_label(arm))
            panel.fill_between(coverages, lows, highs, color=colour, alpha=0.15, linewidth=0)
        panel.set(xlim=(0, 103), ylim=(-3, 103), xlabel="most confident questions (%)", ylabel="right answers (%)")
        _name(panel, split, "both", loc="best", fontsize=8.5)
    return figure


def _draw_curves(records: Sequence[Record]) -> Figure:
    found = _values(records, "name")
    names = [name for name in _FIRST_CURVES if name in found]
    names = (names + [name for name in found if name not in names])[:_MAX_PANELS]
    figure, panels = _panels(len(names), 2.5)
    for panel, name in zip(panels, names, strict=True):
        of_name = [record for record in records if record["name"] == name]
        for arm in ordered_arms(_values(of_name, "arm")):
            line = sorted((record["step"], record["value"]) for record in of_name if record["arm"] == arm)
            steps, values = [step for step, _ in line], [value for _, value in line]
            panel.plot(steps, values, color=ARM_COLOURS.get(arm, _OTHER_COLOUR), label=arm_label(arm), linewidth=1.4)
        panel.set_title(name.replace("_", " "))
        panel.set_xlabel("step")
        panel.grid(axis="y", color=_LIGHT)
        panel.legend(frameon=False, fontsize=8.5)
    return figure


def draw(records: Mapping[str, Sequence[Record]], chance: Mapping[str, float]) -> dict[str, str]:
    """One SVG document a plot that has records, by the plot's name.

    Args:
        records: what `plots.plot_records` returns.
        chance: per split the accuracy of guessing, 0 to 1.
    """
    import matplotlib

    drawings: dict[str, Callable[[Sequence[Record]], Figure]] = {
        "accuracy_by_arm": lambda found: _draw_accuracy(found, chance),
        "success_by_k": _draw_success,
        "reliability": _draw_reliability,
        "accuracy_by_coverage": _draw_coverage,
        "training_curves": _draw_curves,
    }
    with matplotlib.rc_context(_STYLE):
        return {name: _svg(drawing(records[name])) for name, drawing in drawings.items() if records.get(name)}
