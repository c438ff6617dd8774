"""Random models and made-up text of exactly chosen sizes, for benchmarks: no hub, no data, the same on every machine.

A word is one token to both tokenizers, so that a passage of 128 words is a passage of 128 tokens. The retriever is a
ColBERT on a BERT of MiniLM's shape, or of BERT base's beside a large reader; the reader is a Llama.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from jmlr.models import adapters, shifted_sparse_attention
from jmlr.models.prompt import PromptWriter
from jmlr.models.retriever import Retriever
from jmlr.settings import IndexSettings, PromptSettings, TrainSettings, recipes
from jmlr.training.joint import Corpus, JointModel
from jmlr.training.pools import PassageStore, Pools
from jmlr.types import Hit, Passage, Question

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

CONF = Path(__file__).parents[1] / "conf"
FRAME = ("<unk>", "<s>", "</s>", "Reference", "Question", "Answer", ":")
# 7b and 13b are Llama 2's released shapes; `small` and `mini` are the benchmarks' own, `toy` is for tests.
READERS: dict[str, dict[str, int]] = {
    "toy": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "mini": {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4, "num_attention_heads": 4},
    "small": {"hidden_size": 512, "intermediate_size": 1376, "num_hidden_layers": 6, "num_attention_heads": 8},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "13b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40},
}
BERT_BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
ENCODERS: dict[str, dict[str, int]] = {
    "toy": {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    "mini": {"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 4, "num_attention_heads": 4},
    # MiniLM's shape
    "small": {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12},
    "7b": BERT_BASE,
    "13b": BERT_BASE,
}
"""The retriever beside each reader."""


@dataclass(frozen=True)
class Sizes:
    """Counts of one step, lengths in tokens, and what comes first in a prompt; the defaults are the paper's.

    `length_spread` is the share by which texts may be shorter than their length, drawn evenly; 0: all alike.
    """

    questions: int = 1
    pool_passages: int = 30
    sampled_passages: int = 10
    read_passages: int = 7
    passage_tokens: int = 128
    question_tokens: int = 200
    answer_tokens: int = 60
    length_spread: float = 0.0
    layout: str = "passages_first"


@dataclass(frozen=True)
class Hardware:
    """Where and in which arithmetic: `device` cpu or cuda, `dtype` float32 or bfloat16, the reader's shape and
    attention."""

    device: str = "cpu"
    dtype: str = "float32"
    reader: str = "small"
    attention: str = "sdpa"

    @property
    def words(self) -> int:
        """How many different words there are; Llama's and BERT's vocabularies hold about 30,000."""
        return 400 if self.reader == "toy" else 30_000


@dataclass(frozen=True)
class Bench:
    """A joint model with what it reads."""

    model: JointModel
    writer: PromptWriter
    corpus: Corpus
    settings: TrainSettings
    rows: torch.Tensor
    sizes: Sizes
    hardware: Hardware


def build(sizes: Sizes, hardware: Hardware, writer_class: type[PromptWriter] = PromptWriter, **train: Any) -> Bench:
    """A joint model of random weights, the same for the same arguments.

    Args:
        sizes: counts and lengths.
        hardware: device, dtype, reader and attention.
        writer_class: of the prompts.
        train: replaces keys of the `train` block; the rest is the recipe jmlr-7b, the paper's objective.
    """
    torch.manual_seed(0)
    tokenizer = _reader_tokenizer(hardware.words)
    settings = train_settings(sizes, hardware, **train)
    reader = _reader(hardware, tokenizer, settings)
    retriever = _retriever(sizes, hardware).to(hardware.device)
    questions, passages = _texts(sizes, hardware.words)
    store = PassageStore.encode(retriever, [passage.indexed_text for passage in passages])
    pool = sizes.pool_passages
    candidates = {
        question.question_id: [Hit(passage.passage_id, 0.0) for passage in passages[row * pool : (row + 1) * pool]]
        for row, question in enumerate(questions)
    }
    corpus = Corpus(questions, passages, Pools(questions, passages, candidates, store, pool))
    writer = writer_class(tokenizer, _prompt_settings(sizes))
    model = JointModel("jmlr", (retriever, reader), writer, corpus, settings).train()
    return Bench(model, writer, corpus, settings, torch.arange(sizes.questions), sizes, hardware)


def train_settings(sizes: Sizes, hardware: Hardware, **changes: Any) -> TrainSettings:
    """The block `train` of the recipe jmlr-7b with these sizes; adapters only on a Llama-2-shaped reader."""
    train = recipes.load("jmlr-7b", CONF).train
    lora = train.reader.lora if hardware.reader in ("7b", "13b") else None
    reader = train.reader.model_copy(update={"attention": hardware.attention, "dtype": hardware.dtype, "lora": lora})
    sampling = train.sampling.model_copy(update={"passages": sizes.sampled_passages})
    counts = {"questions_per_step": sizes.questions, "read_passages": sizes.read_passages}
    return train.model_copy(update={"reader": reader, "sampling": sampling, **counts, **changes})


def _prompt_settings(sizes: Sizes) -> PromptSettings:
    settings = recipes.load("jmlr-7b", CONF).prompt
    changes = {
        "layout": sizes.layout,
        "passage_tokens": sizes.passage_tokens,
        "question_tokens": sizes.question_tokens,
        "answer_tokens": sizes.answer_tokens,
    }
    return settings.model_copy(update={"options": "hidden", "answer": "text", **changes})


def _word(number: int) -> str:
    return f"w{number:05d}"


def _texts(sizes: Sizes, vocabulary_words: int) -> tuple[list[Question], list[Passage]]:
    draw = random.Random(0)

    def text(longest: int) -> str:
        words = draw.randint(max(1, round(longest * (1 - sizes.length_spread))), longest)
        return " ".join(_word(draw.randrange(vocabulary_words)) for _ in range(words))

    questions = [
        Question(f"q{row}", text(sizes.question_tokens), (text(sizes.answer_tokens), "none"), 0, "train")
        for row in range(sizes.questions)
    ]
    count = sizes.questions * sizes.pool_passages
    return questions, [Passage(f"p{number}", text(sizes.passage_tokens)) for number in range(count)]


def _reader_tokenizer(words: int) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # As large as Llama's: 32,000 where there are 30,000 words.
    size = words * 16 // 15
    vocabulary = {word: number for number, word in enumerate([*FRAME, *map(_word, range(size - len(FRAME)))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _reader(hardware: Hardware, tokenizer: PreTrainedTokenizerFast, settings: TrainSettings) -> PreTrainedModel:
    from transformers import LlamaConfig, LlamaForCausalLM

    if hardware.attention == shifted_sparse_attention.NAME:
        shifted_sparse_attention.register()
    config = LlamaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=4096, attn_implementation=hardware.attention,
        # Wider than Llama's 0.02, so that passages make a difference to a reader that has learned nothing.
        initializer_range=0.02 if hardware.reader in ("7b", "13b") else 0.05,
        **READERS[hardware.reader],
    )  # fmt: skip
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, hardware.dtype))
    try:
        with torch.device(hardware.device):
            reader = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    if settings.reader.lora is None:
        return adapters.hold_trained_in_float32(reader)
    return adapters.add_lora(reader, settings.reader.lora)


def _retriever(sizes: Sizes, hardware: Hardware) -> Retriever:
    from colbert.infra.config import ColBERTConfig
    from colbert.modeling.base_colbert import BaseColBERT
    from transformers import BertConfig, BertModel, BertTokenizerFast
    from transformers.utils import logging

    logging.set_verbosity_error()  # else it says that ColBERT's linear layer is new
    shape = ENCODERS[hardware.reader]
    index = IndexSettings(
        backend="auto", hybrid=False,
        query_tokens=sizes.question_tokens, passage_tokens=sizes.passage_tokens, bits=2, kmeans_iterations=1,
        candidates=sizes.pool_passages,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        encoder, folder = Path(name) / "encoder", Path(name) / "retriever"
        encoder.mkdir()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
        vocabulary = [*special, *map(chr, range(33, 127)), *map(_word, range(hardware.words))]
        (encoder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        BertTokenizerFast(vocab_file=str(encoder / "vocab.txt")).save_pretrained(encoder)
        BertModel(BertConfig(vocab_size=len(vocabulary), **shape)).save_pretrained(encoder)
        BaseColBERT(str(encoder), ColBERTConfig(dim=128)).save(str(folder))
        return Retriever.load(folder, index)
