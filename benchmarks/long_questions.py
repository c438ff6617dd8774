"""What of a long question is searched with: its beginning, its end, both, or windows whose MaxSim is summed.

    python benchmarks/long_questions.py             # about 8 minutes on one core
    python benchmarks/long_questions.py --answers   # the second experiment alone

MedQA's stems have no gold passages. The first experiment puts questions of PubMedQA, whose passages are known, into
MedQA's stems: at the beginning, in the middle or at the end. There the stem is noise, so a rule that keeps less of it
has it easier. In the second the stem is what is searched with: passages (explanations of MedMCQA, snippets of BioASQ)
that hold MedQA's right answer word for word are its gold. The retriever is the untrained base (recipe pubmedqa).
Intervals are bootstraps over questions; differences are paired. It tells rules apart, not how well vignettes are found.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import tables
import torch
from transformers import PreTrainedTokenizerBase

from jmlr import telemetry
from jmlr.data.formats import pubmedqa
from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.files import write_json
from jmlr.models import cutting, retriever
from jmlr.settings import SourceSettings, recipes
from jmlr.types import Passage, Question

RESULTS = Path("benchmarks/results/long_questions.json")
PLACES = ("beginning", "middle", "end")
LENGTHS, ANSWER_LENGTHS = (80, 128), (64, 80)
END = "end"
BOTH = "beginning (1/3) and end (2/3)"
BATCH = 32
LEAST_WORDS = 100
"""Shorter stems are no vignettes."""
LEAST_WORDS_ANSWERED, LEAST_ANSWER, MOST_HOLDING, PASSAGES = 60, 5, 80, 1800
"""Of the second experiment: words of a stem, characters of an answer, passages that hold it, passages in all."""


def main(words: Sequence[str] | None = None) -> int:
    """Measures every rule at every place, writes the JSON and prints the table."""
    telemetry.turn_off()
    telemetry.stay_offline()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--answers", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(words)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    before = json.loads(asked.results.read_text(encoding="utf-8")) if asked.answers else {}
    result = before or measure(asked.data, asked.questions, asked.documents)
    write_json(asked.results, result := {**result, "answers": of_answers(asked.data)})
    print(tables.long_questions(result))
    print(tables.long_questions_answers(result))
    return 0


@torch.no_grad()
def measure(data: Path, count: int, documents: int) -> dict[str, object]:
    """Reciprocal rank of the first gold passage by length, rule and place, and each rule against the end."""
    source = SourceSettings(path="ori_pqal.json", format="pubmedqa", licence="MIT")
    rows = list(pubmedqa.load(data / "pubmedqa" / "ori_pqal.json", source))
    questions = [row for row in rows if isinstance(row, Question)][:documents]
    known = {name for question in questions for name in question.gold_passage_ids}
    passages = [row for row in rows if isinstance(row, Passage) and row.passage_id in known]
    texts, stems = [passage.indexed_text for passage in passages], _stems(data, count)
    settings = recipes.load("pubmedqa", Path("conf"))
    bounds, result = settings.evaluate, []
    with tempfile.TemporaryDirectory() as folder:
        retriever.create(settings.base.retriever, settings.index, Path(folder), texts, settings.seed)
        index = [settings.index.model_copy(update={"query_tokens": tokens}) for tokens in LENGTHS]
        models = [retriever.Retriever.load(Path(folder), one).eval() for one in index]
    stored, starts = _encoded(models[0], texts)
    asked = list(zip(questions[:count], stems, strict=True))
    gold = [np.isin([passage.passage_id for passage in passages], question.gold_passage_ids) for question, _ in asked]
    for tokens, model in zip(LENGTHS, models, strict=True):
        found: dict[str, list[np.ndarray]] = {}
        for place in PLACES:
            vignettes = [_vignette(question.text, stem, place) for question, stem in asked]
            searched = [_scored(model, text, stored, starts, tokens - retriever.MARKERS) for text in vignettes]
            for rule in searched[0]:
                of_rule = [1 / _rank(scores[rule], own) for scores, own in zip(searched, gold, strict=True)]
                found.setdefault(rule, []).append(np.array(of_rule))
            print(f"{tokens} tokens, {place}: done", file=sys.stderr)
        result += [
            {"query_tokens": tokens, "rule": rule, **_figures(by_place, found[END], bounds)}
            for rule, by_place in found.items()
        ]
    lengths = [len(cutting.token_spans(stem, models[0].colbert.raw_tokenizer)) for stem in stems]
    return {
        "date": date.today().isoformat(),
        "questions": count,
        "passages": len(passages),
        "stem_tokens_median": int(np.median(lengths)),
        "rules": result,
    }


def _figures(by_place: list[np.ndarray], end: list[np.ndarray], bounds: object) -> dict[str, object]:
    mean, other = np.mean(by_place, 0), np.mean(end, 0)
    return {
        "by_place": {place: round(float(ranks.mean()), 4) for place, ranks in zip(PLACES, by_place, strict=True)},
        "mean": mean_interval(mean, bounds).bounds,
        "minus_end": mean_interval(mean - other, bounds).bounds,
    }


def _stems(data: Path, count: int) -> list[str]:
    with (data / "medqa" / "phrases_no_exclude_test.jsonl").open(encoding="utf-8") as stream:
        stems = [json.loads(line)["question"] for line in stream]
    return [stem for stem in stems if len(stem.split()) >= LEAST_WORDS][:count]


def _vignette(question: str, stem: str, place: str) -> str:
    """The stem with a question in it; at the end, it stands in place of what the stem itself asks."""
    sentences = _sentences(stem)
    if place == "end":
        return " ".join([*sentences[:-1], question])
    at = {"beginning": 0, "middle": len(sentences) // 2}[place]
    return " ".join([*sentences[:at], question, *sentences[at:]])


def _scored(
    model: retriever.Retriever, text: str, stored: torch.Tensor, starts: np.ndarray, room: int
) -> dict[str, np.ndarray]:
    """MaxSim (N,) of all passages by every rule."""
    texts, tokenizer = _by_rule(model, text, room), model.colbert.raw_tokenizer
    windows = _windows(text, lambda left: cutting.beginning(left, tokenizer, room))
    scores = [_maxsim(stored, vectors, starts) for vectors in model.encode_queries([*texts.values(), *windows])]
    windowed = np.sum(scores[len(texts) :], axis=0)
    return {**dict(zip(texts, scores, strict=False)), "windows, MaxSim summed": windowed}


def _by_rule(model: retriever.Retriever, text: str, room: int) -> dict[str, str]:
    """What of the text is searched with."""
    tokenizer = model.colbert.raw_tokenizer
    # The rest of the room stays empty.
    last = _end(" ".join(_sentences(text)[-2:]), tokenizer, room - room // 3)
    return {
        "beginning": cutting.beginning(text, tokenizer, room),
        END: _end(text, tokenizer, room),
        BOTH: cutting.question(text, tokenizer, room),
        "beginning (1/3) and last two sentences": f"{cutting.beginning(text, tokenizer, room // 3)} {last}",
    }


def _end(text: str, tokenizer: PreTrainedTokenizerBase, room: int) -> str:
    spans = cutting.token_spans(text := text.rstrip(), tokenizer)
    return cutting.ending(text, spans, room) if len(spans) > room else text


@torch.no_grad()
def of_answers(data: Path) -> list[dict[str, object]]:
    """Reciprocal rank of the first passage that holds MedQA's answer, by length and rule; each rule against BOTH."""
    stems, gold, texts = _answered(data)
    settings = recipes.load("pubmedqa", Path("conf"))
    result = []
    with tempfile.TemporaryDirectory() as folder:
        retriever.create(settings.base.retriever, settings.index, Path(folder), texts, settings.seed)
        index = [settings.index.model_copy(update={"query_tokens": tokens}) for tokens in ANSWER_LENGTHS]
        models = [retriever.Retriever.load(Path(folder), one).eval() for one in index]
    stored, starts = _encoded(models[0], texts)
    for tokens, model in zip(ANSWER_LENGTHS, models, strict=True):
        ranks: dict[str, list[float]] = {}
        for stem, own in zip(stems, gold, strict=True):
            cut = _by_rule(model, stem, tokens - retriever.MARKERS)
            for rule, vectors in zip(cut, model.encode_queries(list(cut.values())), strict=True):
                ranks.setdefault(rule, []).append(1 / _rank(_maxsim(stored, vectors, starts), own))
        result += [
            {
                "query_tokens": tokens,
                "questions": len(stems),
                "passages": len(texts),
                "rule": rule,
                "mean": float(np.mean(found)),
                "minus_both": mean_interval(np.subtract(found, ranks[BOTH]), settings.evaluate).bounds,
            }
            for rule, found in ranks.items()
        ]
        print(f"{tokens} tokens, answers: done", file=sys.stderr)
    return result


def _answered(data: Path) -> tuple[list[str], list[np.ndarray], list[str]]:
    """Stems of MedQA whose answer is in 1 to MOST_HOLDING passages, which hold it (bool, N), and the passages."""
    texts = [json.loads(line).get("exp") or "" for line in (data / "medmcqa_explained" / "dev.json").open()]
    for file in sorted((data / "bioasq").rglob("*.json")):
        for question in json.loads(file.read_text(encoding="utf-8"))["questions"]:
            texts += [snippet["text"] for snippet in question.get("snippets", [])]
    texts = sorted({text for one in texts if (text := " ".join(one.split()))})
    stems, holding = [], []
    for line in (data / "medqa" / "phrases_no_exclude_test.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        if len(row["answer"]) < LEAST_ANSWER or len(row["question"].split()) < LEAST_WORDS_ANSWERED:
            continue
        answer = re.compile(rf"\b{re.escape(row['answer'])}\b", re.IGNORECASE)
        held = [place for place, text in enumerate(texts) if answer.search(text)]
        if 1 <= len(held) <= MOST_HOLDING:
            stems.append(row["question"])
            holding.append(held)
    kept = {place for held in holding for place in held}
    others = [place for place in range(len(texts)) if place not in kept]
    kept |= set(random.Random(0).sample(others, max(0, PASSAGES - len(kept))))
    places = np.array(sorted(kept))
    return stems, [np.isin(places, held) for held in holding], [texts[place] for place in places]


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!])\s+", text.strip())


def _windows(text: str, first: Callable[[str], str]) -> list[str]:
    """The text in pieces that end with a word."""
    parts = []
    while text:
        part = first(text)
        if part != text and " " in part:
            part = part.rpartition(" ")[0]
        parts.append(part)
        text = text[len(part) :].strip()
    return parts


def _encoded(model: retriever.Retriever, texts: Sequence[str]) -> tuple[torch.Tensor, np.ndarray]:
    """Vectors (T, H) of all passages' tokens that count, one after another, and where each passage begins (N,)."""
    parts, counts = [], []
    for start in range(0, len(texts), BATCH):
        vectors, mask = model.encode_passages(texts[start : start + BATCH])
        parts.append(vectors[mask])
        counts += mask.sum(1).tolist()
    return torch.cat(parts), np.cumsum([0, *counts[:-1]])


def _maxsim(stored: torch.Tensor, query: torch.Tensor, starts: np.ndarray) -> np.ndarray:
    """Sum over query tokens of the best token of each passage, float32 (N,)."""
    return np.maximum.reduceat((stored @ query.T).numpy(), starts, axis=0).sum(1)


def _rank(scores: np.ndarray, gold: np.ndarray) -> int:
    """Place of the first gold passage, 1 or more."""
    return int((scores > scores[gold].max()).sum()) + 1


if __name__ == "__main__":
    sys.exit(main())
