"""Where each stage's files lie, relative to the repository's root."""

from __future__ import annotations

from pathlib import Path

BUILD = Path("build")
COSTS = BUILD / "costs.jsonl"
PIPELINE_RUN = BUILD / "pipeline_run.json"

INGEST = BUILD / "ingest"
PASSAGES = INGEST / "passages.parquet"
QUESTIONS = INGEST / "questions.parquet"
REJECTS = INGEST / "rejects.csv"
LEAKS = INGEST / "leaks.parquet"
COUNTS = INGEST / "counts.json"
SHARDS = BUILD / "shards"

VALIDATE = BUILD / "validate"
VALIDATION_REPORT = VALIDATE / "report.json"
PASSED = VALIDATE / "passed.json"
DATA_DOCS = VALIDATE / "data_docs"
PROFILE = VALIDATE / "profile.json"
ACCEPTED_PROFILE = Path("accepted_data.json")

BASE = BUILD / "base"
BASE_RETRIEVER = BASE / "retriever"
BASE_READER = BASE / "reader"

IMPORTED = Path("imported")
"""Outside of build/, which `make clean` removes."""

INDEX = BUILD / "index"
CANDIDATES = INDEX / "candidates.parquet"

TRAIN = BUILD / "train"
TRAINED_RETRIEVER = TRAIN / "retriever"
TRAINED_READER = TRAIN / "reader"
TRAINED_INDEX = TRAIN / "index"
TRAIN_ARMS = TRAIN / "arms"
TRAIN_ASIDE = BUILD / "train-aside"
"""What a later training found in build/train and did not fit; DVC does not carry it."""
LEDGER = TRAIN / "ledger.json"
TRIES = TRAIN / "tries.jsonl"
HISTORY = TRAIN / "history.parquet"
RUN = TRAIN / "run.json"

EVALUATE = BUILD / "evaluate"
METRICS = EVALUATE / "metrics.json"
PROTOCOL = EVALUATE / "protocol.json"
CLAIM_CARD = EVALUATE / "claim_card.md"
JOURNALS = BUILD / "answers"
PREDICTIONS = EVALUATE / "predictions.parquet"
SUBGROUPS = EVALUATE / "subgroups.json"
EVIDENCE = EVALUATE / "evidence.parquet"
PLOTS = EVALUATE / "plots"
REPORT = EVALUATE / "report.html"

EVALUATIONS = BUILD / "evaluations"

RATIONALES = BUILD / "rationales"

GATES = BUILD / "promotion" / "gates.json"
WITHDRAWAL = BUILD / "withdrawal.json"
REFRESHED = BUILD / "refreshed"
REFRESHED_INDEX = REFRESHED / "index"
REFRESHED_PASSAGES = REFRESHED / "passages.parquet"
REFRESHED_PARAMS = REFRESHED / "params.yaml"
REFRESHED_RECORD = REFRESHED / "refreshed.json"
REFRESHED_EVALUATION = REFRESHED / "evaluation"
REFRESHED_REGISTERED = REFRESHED / "registered.json"
COMPARISON = REFRESHED / "comparison.json"


def arm_folder(arm: str) -> Path:
    """Where an arm's reader folder lies; the joint arm's is the pair's own.

    >>> arm_folder("rag").as_posix(), arm_folder("jmlr").as_posix()
    ('build/train/arms/rag', 'build/train')
    """
    return TRAIN if arm == "jmlr" else TRAIN_ARMS / arm
