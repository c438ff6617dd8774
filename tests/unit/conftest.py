"""A tiny retriever, a tiny reader, and a few passages and questions that they can work on."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jmlr.settings import IndexSettings, PromptSettings, TrainSettings
from jmlr.types import Passage, Question

if TYPE_CHECKING:
    import torch
    from mlflow import MlflowClient
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

TINY_WORDS = (
    "gout joint swelling uric acid crystal toe pain fever cough lung infection heart failure oedema breath kidney "
    "stone blood urine liver bile skin rash itch headache vision nerve muscle weak bone fracture thyroid gland sugar"
).split()


TOKENIZER_KINDS = ("llama_legacy", "llama", "unigram", "wordpiece", "byte_level_without_ends")


@pytest.fixture(scope="session", params=TOKENIZER_KINDS)
def any_tokenizer(request: pytest.FixtureRequest, tokenizer_of_kind: Callable[[str], Any]) -> PreTrainedTokenizerFast:
    """A tokenizer of each kind besides the starter's."""
    return tokenizer_of_kind(request.param)


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Tiny models are quickest, and the machine freest, with one thread; `make numerical-test` asks for two as well."""
    import torch

    torch.set_num_threads(int(os.environ.get("JMLR_TEST_THREADS", "1")))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """A second device without a GPU, the best one there is; see foreign_device.py."""
    from foreign_device import ELSEWHERE, ForeignDevice

    from jmlr.models import device

    monkeypatch.setattr(device, "best", lambda: ELSEWHERE)
    with ForeignDevice():
        yield ELSEWHERE


@pytest.fixture(scope="session")
def tiny_index_settings() -> IndexSettings:
    return IndexSettings(
        backend="auto", hybrid=False, query_tokens=16, passage_tokens=24, bits=4, kmeans_iterations=3, candidates=6
    )


@pytest.fixture(scope="session")
def prompt_settings() -> PromptSettings:
    return PromptSettings(
        layout="passages_first",
        options="hidden",
        answer="text",
        passage_tokens=32,
        question_tokens=32,
        answer_tokens=8,
        context_tokens=None,
    )


@pytest.fixture(scope="session")
def tiny_passages() -> list[Passage]:
    draw = random.Random(5)
    return [
        Passage(f"p{number:02d}", " ".join(draw.choices(TINY_WORDS, k=draw.randint(5, 18)))) for number in range(20)
    ]


@pytest.fixture(scope="session")
def tiny_questions() -> list[Question]:
    draw = random.Random(6)
    return [
        Question(
            f"q{number}", " ".join(draw.choices(TINY_WORDS, k=6)) + "?", tuple(draw.sample(TINY_WORDS, 4)), 1, "train"
        )
        for number in range(12)
    ]


@pytest.fixture(scope="session")
def make_train_settings() -> Callable[..., TrainSettings]:
    """Tiny training settings; keyword arguments replace keys, of a block those that they name."""
    settings: dict[str, Any] = {
        "arms": ["closed_book", "rag", "jmlr"],
        "steps": 4,
        "questions_per_step": 3,
        "read_passages": 2,
        "sampling": {
            "passages": 4, "sharpness": 3.0, "passages_with_gradient": None, "encode_chunk_passages": None,
        },
        "objective": {
            "name": "llm_rank", "scores": "raw", "pair_weight": "likelihood_gap", "temperature": 1.0, "beta": 3.0,
            "weight": 10.0,
        },
        "reader": {
            "learning_rate": 1e-3, "lora": None, "attention": "sdpa", "dtype": "float32", "rope_scaling": None,
            "quantise": None,
        },
        "retriever": {"learning_rate": 1e-4},
        "max_gradient_norm": 1.0,
        "warmup_steps": 0,
        "refresh_every_steps": 2,
        "refresh_drift": None,
        "collapse": None,
        "save_every_steps": 2,
        "needs_gpu": False,
        "deepspeed": None,
        "budget_device_hours": None,
        "device_peak_tflops": None,
    }  # fmt: skip

    def make(**changes: Any) -> TrainSettings:
        blocks = {
            name: {**settings[name], **value} if isinstance(value, dict) and settings[name] else value
            for name, value in changes.items()
        }
        return TrainSettings.model_validate({**settings, **blocks})

    return make


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_passages: list[Passage]) -> PreTrainedTokenizerFast:
    from jmlr.starter.tokenizer import train_tokenizer

    return train_tokenizer([f"Reference: {passage.text}\nQuestion: \nAnswer:" for passage in tiny_passages], 400)


@pytest.fixture(scope="session")
def tokenizer_of_kind(tiny_passages: list[Passage]) -> Callable[[str], PreTrainedTokenizerFast]:
    """Trains a tokenizer of one of TOKENIZER_KINDS, each with the special tokens that its family has."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    frame = ["Reference: Question: Which test? A. B. C. D. Answer: B. Because the crystals are seen."]
    texts = frame * 20 + [passage.text for passage in tiny_passages]
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    special = ["<unk>", "<s>", "</s>"]

    def sentencepiece(prefix: str) -> Tokenizer:
        made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
        if prefix == "llama_legacy":
            # As in Llama 2's tokenizer.json: no pre-tokenizer, a space before every text.
            made.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        else:
            made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        parts = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        made.decoder = decoders.Sequence(parts)
        # Trained on words and signs, as SentencePiece does: no token spans a space, or a letter and a full stop.
        words = [word for text in texts for word in re.findall(r"\w+|[^\w\s]", text)]
        made.train_from_iterator(words, trainers.BpeTrainer(vocab_size=420, special_tokens=special + bytes_))
        return made

    def unigram() -> Tokenizer:
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        letters = [chr(code) for code in range(33, 127)]
        trainer = trainers.UnigramTrainer(
            vocab_size=300, special_tokens=special, unk_token="<unk>", initial_alphabet=letters, show_progress=False
        )
        made.train_from_iterator(texts, trainer)
        return made

    def wordpiece() -> Tokenizer:
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        signs = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        made.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=300, special_tokens=signs))
        ends = [("[CLS]", made.token_to_id("[CLS]")), ("[SEP]", made.token_to_id("[SEP]"))]
        made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
        return made

    def byte_level() -> Tokenizer:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
        return made

    def make(kind: str) -> PreTrainedTokenizerFast:
        llama = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
        made, names = {
            "llama_legacy": (sentencepiece, llama),
            "llama": (sentencepiece, llama),
            "unigram": (lambda _: unigram(), llama),
            "wordpiece": (
                lambda _: wordpiece(),
                {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"},
            ),
            "byte_level_without_ends": (lambda _: byte_level(), {}),
        }[kind]
        return PreTrainedTokenizerFast(tokenizer_object=made(kind), clean_up_tokenization_spaces=False, **names)

    return cache(make)


@pytest.fixture(scope="session")
def make_tiny_reader(one_thread: None, tiny_tokenizer: PreTrainedTokenizerFast) -> Callable[..., LlamaForCausalLM]:
    """Builds a seeded Llama of two thin layers in evaluation mode; keyword arguments change its configuration."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(seed: int = 0, attention: str = "sdpa", **changes: Any) -> LlamaForCausalLM:
        torch.manual_seed(seed)
        sizes = {
            "vocab_size": len(tiny_tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
            "initializer_range": 0.2, "pad_token_id": tiny_tokenizer.pad_token_id,
            "bos_token_id": tiny_tokenizer.bos_token_id, "eos_token_id": tiny_tokenizer.eos_token_id,
        }  # fmt: skip
        config = LlamaConfig(**{**sizes, **changes}, attn_implementation=attention)
        return LlamaForCausalLM(config).eval()

    return make


@pytest.fixture(scope="session")
def save_tiny_colbert(one_thread: None) -> Callable[..., Path]:
    """Saves a seeded ColBERT checkpoint on a BERT of two thin layers that knows `words`, and returns its folder."""
    import torch
    from colbert.infra.config import ColBERTConfig, base_config
    from colbert.modeling.base_colbert import BaseColBERT
    from transformers import BertConfig, BertModel, BertTokenizerFast

    def save(folder: Path, seed: int, words: Sequence[str] = TINY_WORDS, width: int = 32, dimension: int = 16) -> Path:
        encoder = folder.with_name(f"{folder.name}_encoder")
        encoder.mkdir(parents=True)
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
        punctuation = [chr(code) for code in range(33, 127) if not chr(code).isalnum()]
        (encoder / "vocab.txt").write_text("\n".join([*special, *punctuation, *words]) + "\n", encoding="utf-8")
        tokenizer = BertTokenizerFast(vocab_file=str(encoder / "vocab.txt"))
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=width, max_position_embeddings=64, initializer_range=0.3,
        )  # fmt: skip
        BertModel(config).save_pretrained(encoder)
        tokenizer.save_pretrained(encoder)
        # colbert-ai asks git for the branch, and fails on a detached HEAD, as CI checks one out.
        base_config.get_metadata_only = dict
        BaseColBERT(str(encoder), ColBERTConfig(dim=dimension)).save(str(folder))
        return folder

    return save


@pytest.fixture(scope="session")
def tiny_retriever_folder(save_tiny_colbert: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_colbert(tmp_path_factory.mktemp("tiny") / "retriever", seed=7)


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory, made_once: Callable[..., Path]) -> Iterator[str]:
    """One sqlite store a worker: making its tables takes seconds, and so does asking for the installed packages."""
    from mlflow.utils import requirements_utils

    from jmlr.registry.version import registering

    def make_tables(folder: Path) -> None:
        from mlflow import MlflowClient

        MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db").search_experiments()

    store = tmp_path_factory.mktemp("store")
    shutil.copy(made_once("mlflow_store", make_tables) / "mlflow.db", store)
    with pytest.MonkeyPatch.context() as patch:
        satisfied = requirements_utils._check_requirement_satisfied
        patch.setattr(requirements_utils, "_check_requirement_satisfied", cache(satisfied))
        patch.setattr(registering, "constraints", cache(registering.constraints))
        yield f"sqlite:///{store}/mlflow.db"


@pytest.fixture
def tracked(mlflow_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the store that everything in a test tracks to, from an empty folder of the test's own."""
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr("jmlr.tracking.line.quiet_until", {})
    return MlflowClient(tracking_uri=mlflow_store)


@pytest.fixture
def put_version(tracked: MlflowClient, tmp_path: Path) -> Callable[..., Any]:
    """Makes a version of a registered model of the test's own, of files by their name in a version; gives it."""
    from mlflow.exceptions import MlflowException

    from jmlr import fingerprint
    from jmlr.files import link

    name = f"model-{fingerprint.of_text(str(tmp_path))[:12]}"

    def put(number: int = 1, run_id: str | None = None, tags: dict[str, str] | None = None, **files: Path) -> Any:
        root = tmp_path / "store" / str(number)
        (root / "artifacts").mkdir(parents=True)
        (root / "MLmodel").write_text("")
        for what in ("retriever", "reader", "index", "passages.parquet", "params.yaml"):
            if what.split(".")[0] in files:
                link(files[what.split(".")[0]], root / "artifacts" / what)
            else:
                (root / "artifacts" / what).mkdir()
        try:
            tracked.create_registered_model(name)
        except MlflowException:
            pass
        return tracked.create_model_version(name, root.as_uri(), run_id, tags or {})

    return put
