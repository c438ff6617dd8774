"""Writes the tables of docs/ from benchmarks/results/, between a marker that names the table and its end.

    python benchmarks/page.py            # writes them
    python benchmarks/page.py --check    # ends with status 1 where a page differs

A marker is `<!-- table: NAME -->`, with NAME from `TABLES`; everything up to `<!-- end -->` is replaced. The text
around the tables is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import tables

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- table: ([a-z_]+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def read(name: str) -> Any:
    """What a file of benchmarks/results/ holds, or the part of it named after a space; a list for JSON lines."""
    file, _, part = name.partition(" ")
    text = (RESULTS / file).read_text(encoding="utf-8")
    found = [json.loads(line) for line in text.splitlines()] if file.endswith(".jsonl") else json.loads(text)
    return found[part] if part else found


def said(table: Callable[[Any], str], *names: str) -> str:
    """A table with the line above it that says when, where and by what code it was measured."""
    found = [read(name) for name in names]
    first = found[0][0] if isinstance(found[0], list) else found[0]
    about = [first[key] for key in ("date", "machine", "code") if key in first]
    body = table(found if len(names) > 1 else found[0])
    return (f"*{'; '.join(about)}.*\n\n" if about else "") + body


TABLES: dict[str, Callable[[], str]] = {
    "objectives": lambda: said(tables.objectives, "objectives.jsonl"),
    "index": lambda: said(tables.index, "index.jsonl"),
    "answering": lambda: said(tables.answering, "evaluate.json"),
    "serve": lambda: said(tables.serve, "serve.json"),
    "startup": lambda: said(tables.startup, "startup.json"),
    "serve_batches": lambda: said(tables.recorded, "serve_batches.json"),
    "real_data": lambda: said(tables.recorded, "real_data.json"),
    "exams": lambda: said(tables.recorded, "exams.json"),
    "retrieval_medquad": lambda: said(tables.retrieval, "retrieval.json medquad"),
    "retrieval_pubmedqa": lambda: said(tables.retrieval, "retrieval.json pubmedqa"),
    "joint_step": lambda: said(
        tables.joint_step, "joint_step.json", "joint_step_two_questions.json", "joint_step_question_first.json"
    ),
    "scaling": lambda: said(tables.scaling, "scaling.json"),
    "orchestration": lambda: said(tables.orchestration, "orchestration.json"),
    "ingest": lambda: said(tables.ingest, "ingest.json"),
    "faults": lambda: said(tables.faults, "faults.json"),
    "long_questions": lambda: said(tables.long_questions, "long_questions.json"),
    "long_questions_answers": lambda: said(tables.long_questions_answers, "long_questions.json"),
    "partial_reencode": lambda: said(tables.partial_reencode, "partial_reencode.json"),
}


def filled(page: str) -> str:
    """The page with every marked table made anew.

    Raises:
        KeyError: a marker names no table.
    """
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", page)


def main(words: Sequence[str] | None = None) -> int:
    """Writes the pages, or says which differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a page differs")
    asked = parser.parse_args(words)
    differing = 0
    for file in sorted((ROOT / "docs").glob("*.md")):
        page = file.read_text(encoding="utf-8")
        if (new := filled(page)) != page:
            differing += 1
            print(f"{file.relative_to(ROOT)}: {'differs from' if asked.check else 'written from'} benchmarks/results/")
            if not asked.check:
                file.write_text(new, encoding="utf-8")
    return 1 if asked.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
