"""The benchmarks' results as Markdown tables: what each script prints, and what page.py writes into docs/.

Every function takes what a file of benchmarks/results/ holds and returns one table, or several parts with blank lines
between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

Result = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table.

    Raises:
        ValueError: a row has another number of cells than the head.

    >>> print(markdown(["a", "b"], [[1, "x"]]))
    | a | b |
    | --- | --- |
    | 1 | x |
    """
    lines = [head, ["---"] * len(head), *rows]
    if any(len(line) != len(head) for line in lines):
        raise ValueError(f"rows of other lengths than the head {head}")
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def recorded(result: Result) -> str:
    """A result that was kept as the cells of its table; its `code` says how old the code was."""
    return markdown(result["columns"], result["rows"])


def objectives(rows: Rows) -> str:
    """Mean over seeds with its 95 % interval (Student's t), one line an arm; then the differences, paired by seed."""
    columns = ("accuracy", "gold_accuracy", "success_at_1", "success_at_30")
    by_seed = {(row["seed"], row["arm"]): row["accuracy"] for row in rows}
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        gaps = _gaps(by_seed, arm, "jmlr") if arm.startswith("jmlr,") else []
        is_blind = arm == "closed_book"  # it searches for nothing
        means = ["-" if is_blind and c.startswith("success") else _over_seeds([row[c] for row in own]) for c in columns]
        lines.append([arm, len(own), *means, _over_seeds(gaps) if gaps else ""])
    head = ["arm", "seeds", "accuracy", "with gold passage", "success@1", "success@30", "minus jmlr, by seed"]
    parts = [markdown(head, sorted(lines, key=lambda line: (-line[1], -float(line[2].split()[0]))))]
    for first, second in (("jmlr", "rag"), ("rag", "closed_book")):
        if gaps := _gaps(by_seed, first, second):
            parts.append(f"{first} - {second}, accuracy, paired by seed: {_over_seeds(gaps)}.")
    closed = [
        (row["accuracy"] - by_seed[row["seed"], "rag"]) / (row["gold_accuracy"] - by_seed[row["seed"], "rag"])
        for row in rows
        if row["arm"] == "jmlr" and (row["seed"], "rag") in by_seed
    ]
    if closed:
        parts.append(f"Share of the distance from rag to the gold passage that jmlr closes: {_over_seeds(closed)}.")
    return "\n\n".join(parts)


def _gaps(by_seed: Mapping[tuple[int, str], float], first: str, second: str) -> list[float]:
    seeds = [seed for seed, arm in by_seed if arm == first and (seed, second) in by_seed]
    return [by_seed[seed, first] - by_seed[seed, second] for seed in seeds]


def _over_seeds(values: Sequence[float]) -> str:
    """Mean and 95 % interval over seeds; the mean alone for one seed, or where all are equal."""
    mean = float(np.mean(values))
    if len(values) < 2 or len(set(values)) == 1:
        return f"{mean:.3f}"
    return f"{mean:.3f} ± {float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)):.3f}"


def index(rows: Rows) -> str:
    """Searches, then mining: one question at a time beside all in batches."""
    searched = [
        [
            f"{row['passages']:,} ({row['embeddings']:,})",
            row["arm"],
            f"{row['build_seconds']:.1f} ({row['build_cpu_seconds']:.1f})",
            f"{row['bytes'] / row['embeddings']:.0f}",
            *(f"{row[key]:.1f}" for key in ("p50_ms", "cpu_ms")),
            f"{row['recall']:.1%}",
        ]
        for row in rows
        if "recall" in row
    ]
    mined = [
        [
            f"{row['passages']:,}",
            row["arm"],
            *(f"{row[f'{way}_cpu_ms']:.1f}" for way in ("one_by_one", "batched")),
            f"{row['one_by_one_cpu_ms'] / row['batched_cpu_ms']:.1f}",
        ]
        for row in rows
        if "batched_ms" in row
    ]
    head = ["passages (embeddings)", "search", "build s (CPU s)", "bytes an embedding", "p50 ms", "CPU ms"]
    parts = [markdown([*head, "recall@10"], searched)]
    if mined:
        parts.append(markdown(["passages", "search", "CPU ms one by one", "CPU ms batched", "times"], mined))
    return "\n\n".join(parts)


def answering(result: Result) -> str:
    """Questions a CPU second of every way, and how many times the plain one's they are."""
    rates = result["rates"]
    parts = list(dict.fromkeys(part for row in rates.values() for part in row))
    rows = [[name, *(_rate(row, rates["plain"], part) for part in parts)] for name, row in rates.items()]
    return markdown(["questions a CPU second", *parts], rows)


def _rate(row: Mapping[str, float], plain: Mapping[str, float], part: str) -> str:
    times = f" ({row[part] / plain[part]:.1f} x)" if part in row and part in plain and row is not plain else ""
    return f"{row[part]:.1f}{times}" if part in row else "-"


def serve(result: Result) -> str:
    """A steady load on each server, one line a row."""
    head = ["load", "server", "answered/s", "refused", "failed", "p50", "p99", "CPU an answer"]
    times = ("p50_seconds", "p99_seconds", "cpu_seconds_per_answer")
    rows = [
        [
            f"{row['load']:g}x",
            row["arm"],
            f"{row['answered_per_second']:.1f}",
            f"{row['refused'] / row['asked']:.0%}",
            row["failed"],
            *("-" if row[key] is None else f"{row[key]:.3f} s" for key in times),
        ]
        for row in result["rows"]
    ]
    return markdown(head, rows)


def startup(result: Result) -> str:
    """How long each start takes; the last column compares processor seconds with the first row's."""
    rows = [
        [row["what"], f"{row['seconds']:.1f} s", f"{row['cpu_seconds']:.1f} s", f"{row['of_floor']:.2f}"]
        for row in result["rows"]
    ]
    return markdown(["what", "wall", "CPU", "of the floor"], rows)


def retrieval(result: Result) -> str:
    """One part a split: rankings, paired differences in points, and what PLAID finds of the exact search.

    PLAID's own rows are left out: its share of the exact search says what they say.
    """
    parts = []
    for split, found in result["splits"].items():
        shown = [key for key in ("success_at_1", "success_at_10", "mrr") if _has(found, key)]
        names = [key.replace("_at_", "@").replace("mrr", "MRR") for key in shown]
        title = f"{split}, {found['questions']} questions, {result['passages']:,} passages"
        rows = [
            [name, *(_measured(row[key], key) for key in shown)]
            for name, row in found["rows"].items()
            if not name.endswith("PLAID")
        ]
        gaps = [
            [name, *(_interval(row[key], "+.1f", 100) for key in shown)]
            for name, row in found["differences"].items()
            if "PLAID" not in name
        ]
        parts += [markdown([title, *names], rows), markdown(["paired difference, points", *names], gaps)]
        for name, shares in found["share_of_exact_found_by_plaid"].items():
            said = ", ".join(f"{share:.1%} of the {key.replace('_', ' ')}" for key, share in shares.items())
            parts.append(f"{name}: PLAID finds {said} of the exact search.")
    return "\n\n".join(parts)


def _has(found: Result, key: str) -> bool:
    return all(key in row for row in found["rows"].values())


def _measured(found: Mapping[str, float], key: str) -> str:
    return _interval(found, ".1f", 100) if key.startswith("success") else _interval(found, ".3f")


def _interval(found: Mapping[str, float], form: str, factor: float = 1) -> str:
    value, low, high = (format(factor * found[end], form) for end in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def joint_step(results: Rows) -> str:
    """The plain step beside ours, one line a run and step."""
    head = ["run", "step", "CPU seconds a question", "times faster", "peak MB", "GFLOP a question", "MFU", "GPU hours"]
    rows = []
    for result in results:
        steps, sizes = result["steps"], result["sizes"]
        run = f"B = {sizes['questions']}" + (", question first" if sizes.get("layout") == "question_first" else "")
        rows += [
            [
                run,
                name,
                f"{row['cpu_seconds']:.3f}",
                f"{steps['plain']['cpu_seconds'] / row['cpu_seconds']:.2f}",
                "-" if row["peak_megabytes"] is None else f"{row['peak_megabytes']:.0f}",
                f"{row['flops_per_question'] / 1e9:.0f}",
                "-" if row["mfu"] is None else f"{row['mfu']:.1%}",
                "-" if row.get("projected_hours") is None else f"{row['projected_hours']:.1f}",
            ]
            for name, row in steps.items()
        ]
    shown = [n for n in range(len(head)) if n not in (6, 7) or any(row[6] != "-" for row in rows)]
    return markdown([head[n] for n in shown], [[row[n] for n in shown] for row in rows])


def scaling(result: Result) -> str:
    """CPU seconds a question, one line an axis (and context, where the attention changes)."""
    lines: dict[str, list[str]] = {}
    for row in result["rows"]:
        is_context = row["axis"] == "read_passages"
        name = f"context of {row['context_tokens']} tokens" if is_context else row["axis"].replace("_", " ")
        value = row["attention"] if is_context else row["value"]
        lines.setdefault(name, []).append(f"{value}: {row['cpu_seconds_per_question']:.3f}")
    return markdown(
        ["what changes", "value: CPU seconds a question"], [[name, "; ".join(v)] for name, v in lines.items()]
    )


def orchestration(result: Result) -> str:
    """Seconds of every way to run a pipeline that has nothing to do."""
    rows = [
        [
            row["way"],
            f"{row['seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['stages']:.1f}" if "stages" in row else "",
        ]
        for row in result["rows"]
    ]
    return markdown(["way", "seconds", "CPU seconds", "of these all stages"], rows)


def ingest(result: Result) -> str:
    """Raw passages a second, CPU time and memory."""
    rows = [
        [
            f"{row['raw_passages']:,}",
            row["version"],
            f"{row['raw_passages'] / row['seconds']:,.0f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['peak_mb']:.0f}",
        ]
        for row in result["rows"]
    ]
    return markdown(["raw passages", "version", "passages/s", "CPU seconds", "peak MB"], rows)


def faults(result: Result) -> str:
    """Kills by what was killed; a moment without such a process is not counted."""
    rows = []
    for victim in dict.fromkeys(one["victim"] for one in result["moments"]):
        own = [one for one in result["moments"] if one["victim"] == victim and one["killed"]]
        clean = [one for one in own if one["versions"] == 2 and one["whole"] and one["up_to_date"]]
        ends = " ".join(
            f"{sum(one['second_state'] == end for one in own)} {end}," for end in ("Promoted", "NothingNew")
        )
        orphans = sum(len(one["orphans"]) for one in own)
        twice = max((one["steps_done_twice"] for one in own), default=0)
        rows.append([victim, len(own), ends.rstrip(","), len(clean), orphans, twice])
    head = ["killed", "times", "second run", "registry and DVC whole", "processes left", "most steps done twice"]
    return markdown(head, rows)


def long_questions(result: Result) -> str:
    """Reciprocal rank by length, rule and where the question stands; against the end, paired."""
    places = list(result["rules"][0]["by_place"])
    rows = []
    for row in result["rules"]:
        gap = "" if row["rule"] == "end" else _interval(row["minus_end"], "+.3f")
        ranks = [f"{row['by_place'][place]:.3f}" for place in places]
        rows.append([row["query_tokens"], row["rule"], *ranks, f"{row['mean']['value']:.3f}", gap])
    return markdown(["query tokens", "searched with", *places, "mean", "against the end"], rows)


def long_questions_answers(result: Result) -> str:
    """Reciprocal rank of a passage with MedQA's answer, by length and rule; against beginning and end, paired."""
    rows = []
    for row in result["answers"]:
        gain = row["minus_both"]
        told = _interval(gain, "+.3f") if gain["value"] else ""
        rows.append([row["query_tokens"], row["rule"], f"{row['mean']:.3f}", told])
    return markdown(["query tokens", "searched with", "mean", "against beginning and end"], rows)


def partial_reencode(result: Result) -> str:
    """Success@k by how many passages the trained retriever encoded."""
    keys = [key for key in result["rows"][0] if key.startswith("success")]
    rows = [[row["encoded anew"], *(f"{row[key]:.3f}" for key in keys)] for row in result["rows"]]
    return markdown(["encoded by the trained retriever", *(key.replace("_at_", "@") for key in keys)], rows)
