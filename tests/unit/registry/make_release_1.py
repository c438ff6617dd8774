"""Makes tests/unit/registry/release_1.tar.xz: a small project whose champion was registered by release 1.

Run by the code of release 1 (commit f9713ee), never by today's:

    git worktree add ../release_1 f9713ee
    cd ../release_1 && PYTHONPATH=$PWD python .../tests/unit/registry/make_release_1.py WORK release_1.tar.xz

WORK is a new folder. The project in it has a git and a DVC repository, a store mlflow.db beside mlruns/, and version 1
of `jmlr`, the champion. `expected.parquet` has what release 1 answered. Paths in the store are those of WORK.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pandas as pd
import yaml

DISEASES = [
    ("Gout", "colchicine", "podagra"), ("Asthma", "salbutamol", "wheezing"), ("Scurvy", "ascorbate", "bleeding gums"),
    ("Anaphylaxis", "adrenaline", "stridor"), ("Hypothyroidism", "levothyroxine", "cold intolerance"),
    ("Malaria", "artesunate", "tropical fever"), ("Migraine", "sumatriptan", "throbbing headache"),
    ("Gonorrhoea", "ceftriaxone", "purulent discharge"),
]  # fmt: skip
IDENTITY = ["-c", "user.name=Release One", "-c", "user.email=one@example.org"]
PLACE = "/home/release-1/project"
"""Where the project in the archive believes to be."""
LEFT_OUT = re.compile(
    r"data|models|\.dvc/tmp|\.git/hooks|mlflow\.db\.jmlr\.lock|(.*/)?(__pycache__|data_docs|plots|report\.html|checkpoints)"
    r"|build/(base|index|costs.*|answers|versions|promotion)|\..*\.parts"
)


def texts() -> list[str]:
    return [f"{name} shows itself by {sign}. The treatment of choice is {drug}." for name, drug, sign in DISEASES]


def write_data(folder: Path) -> None:
    rows = []
    for number, ((name, _, _), text) in enumerate(zip(DISEASES, texts(), strict=True)):
        rows.append({"passage_id": f"p{number}", "title": name, "text": text})
    for number, (name, drug, sign) in enumerate(DISEASES):
        options = sorted([drug, *(DISEASES[(number + step) % 8][1] for step in (1, 2, 3))])
        split = "test" if number >= 5 else "dev" if number == 4 else "train"
        rows.append({
            "question_id": f"q{number}", "question": f"A patient has {sign}. What is given?", "options": options,
            "answer": drug, "subject": name, "gold_passage_ids": [f"p{number}"], "split": split,
        })  # fmt: skip
    folder.mkdir()
    (folder / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_models(folder: Path) -> None:
    import torch
    from colbert.infra.config import ColBERTConfig, base_config
    from colbert.modeling.base_colbert import BaseColBERT
    from transformers import BertConfig, BertModel, BertTokenizerFast, LlamaConfig, LlamaForCausalLM

    from jmlr.starter.tokenizer import train_tokenizer

    encoder = folder / "encoder"
    encoder.mkdir(parents=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
    words = {word.strip(".").lower() for text in [*texts(), "A patient has What is given"] for word in text.split()}
    (encoder / "vocab.txt").write_text("\n".join([*special, ".", "?", *sorted(words)]) + "\n")
    tokenizer = BertTokenizerFast(vocab_file=str(encoder / "vocab.txt"))
    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(
        BertConfig(vocab_size=len(tokenizer), max_position_embeddings=128, initializer_range=0.3, **sizes)
    ).save_pretrained(encoder)
    tokenizer.save_pretrained(encoder)
    base_config.get_metadata_only = dict
    BaseColBERT(str(encoder), ColBERTConfig(dim=8)).save(str(folder / "retriever"))
    reads = train_tokenizer([f"Reference: {text}\nQuestion: \nAnswer:" for text in texts()], 300)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(reads), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.2, pad_token_id=reads.pad_token_id,
            bos_token_id=reads.bos_token_id, eos_token_id=reads.eos_token_id,
        )
    ).save_pretrained(folder / "reader")  # fmt: skip
    reads.save_pretrained(folder / "reader")
    shutil.rmtree(encoder)


def write_params() -> None:
    from jmlr import fingerprint
    from jmlr.settings import recipes

    root = Path(recipes.__file__).parents[1]
    raw = yaml.safe_load(recipes.compose_text("starter", root / "conf"))
    raw["recipe"] = "release-1"
    raw["ingest"]["sources"] = [{"path": "all.jsonl", "format": "jsonl", "licence": "CC0"}]
    raw["ingest"] |= {"passage_tokens": 40, "overlap_tokens": 4}
    raw["validate"] |= {"min_passages": 1, "min_questions": 1}
    for name in ("retriever", "reader"):
        source = f"./models/{name}"
        raw["base"][name] |= {"source": source, "revision": fingerprint.of_folder(Path(source))}
    raw["base"]["retriever"]["dimension"] = 8
    raw["prompt"] |= {"passage_tokens": 64, "question_tokens": 64, "answer_tokens": 16}
    raw["index"] |= {"query_tokens": 32, "passage_tokens": 48, "candidates": 8}
    raw["train"] |= {
        "arms": ["jmlr"], "steps": 4, "questions_per_step": 2, "warmup_steps": 1, "refresh_every_steps": 3,
        "save_every_steps": 3,
    }  # fmt: skip
    raw["train"]["sampling"]["passages"] = 6
    raw["evaluate"] |= {
        "splits": ["test"], "bootstrap_samples": 100, "recall_at": [1, 5], "controls": ["gold"], "evidence": False,
        "option_orders": False, "strict_text": False,
    }  # fmt: skip
    raw["promote"]["max_p50_seconds"] = None
    raw["track"]["stages"] = False
    Path("params.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))


def call(*command: str) -> None:
    print("$", *command, flush=True)
    subprocess.run(command, check=True)


def make(project: Path) -> None:
    project.mkdir(parents=True)
    os.chdir(project)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    os.environ.update(MLFLOW_TRACKING_URI="", JMLR_PERSON="release one")
    write_data(Path("data"))
    write_models(Path("models"))
    write_params()
    dvc, jmlr = [sys.executable, "-m", "dvc"], [sys.executable, "-m", "jmlr.cli"]
    call("git", "init", "-q", ".")
    call(*dvc, "init", "-q")
    Path(".gitignore").write_text("/build\n/data\n/models\n/mlflow.db*\n/mlruns\n")
    stages = {"train": {"cmd": "jmlr train", "params": ["seed"], "outs": ["build/ingest", "build/train"]}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    call(*dvc, "add", "-q", "data")
    for stage in ("ingest", "validate", "base", "index", "train", "evaluate"):
        call(*jmlr, stage)
    call(*dvc, "commit", "-q", "-f", "train")
    call("git", "add", ".")
    call("git", *IDENTITY, "commit", "-q", "--no-verify", "-m", "A project of release 1")
    call(*jmlr, "register")
    call(*jmlr, "promote")
    questions = pd.DataFrame([
        {"question": f"A patient has {sign}. What is given?", "options": [drug, "insulin", "rest"]}
        for _, drug, sign in DISEASES
    ])  # fmt: skip
    questions.to_parquet("questions.parquet")
    call(*jmlr, "predict", "questions.parquet", "expected.parquet")


def forget_place(project: Path) -> None:
    """Puts PLACE for the project's folder and for that of the code, wherever they are written down."""
    code = str(Path(sys.modules["jmlr"].__file__).parents[1])
    origin = subprocess.run(
        ["git", "-C", code, "remote", "get-url", "origin"], capture_output=True, text=True, check=False
    )
    places = {str(project): PLACE, code: "/home/release-1/jmlr", origin.stdout.strip() or code: "jmlr"}
    with sqlite3.connect(project / "mlflow.db") as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in store.execute(f"PRAGMA table_info({table})").fetchall():
                for old, new in places.items() if "CHAR" in kind.upper() or "TEXT" in kind.upper() else ():
                    store.execute(
                        f'UPDATE {table} SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?) > 0',
                        (old, new, old),
                    )
    store = sqlite3.connect(project / "mlflow.db")
    store.execute("VACUUM")
    store.close()
    for file in project.glob("mlruns/**/MLmodel"):
        text = file.read_text()
        for old, new in places.items():
            text = text.replace(old, new)
        file.write_text(text)


def pack(project: Path, archive: Path) -> None:
    def chosen(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return None if LEFT_OUT.fullmatch(member.name.removeprefix("release_1/")) else member

    with tarfile.open(archive, "w:xz", preset=9) as packed:
        packed.add(project, "release_1", filter=chosen)


if __name__ == "__main__":
    target = Path(sys.argv[2]).resolve()
    make(Path(sys.argv[1]).resolve() / "release_1")
    forget_place(Path.cwd())
    pack(Path.cwd(), target)
    print(target, target.stat().st_size, "bytes")
