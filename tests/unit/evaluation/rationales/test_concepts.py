from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmlr.errors import ConfigError, DataError, MissingResource
from jmlr.evaluation.rationales.concept_names import (
    load_extractor,
    medquad_names,
    names_of_focus,
    table_names,
    title_names,
)
from jmlr.evaluation.rationales.concepts import DictionaryExtractor, folded_words, is_common

FOCUS = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="1" source="NIDDK"><Focus>{focus}</Focus>
<FocusAnnotations><UMLS><CUIs>{cuis}</CUIs></UMLS></FocusAnnotations><QAPairs/></Document>"""


def _medquad(folder: Path, **foci: tuple[str, tuple[str, ...]]) -> Path:
    for name, (focus, cuis) in foci.items():
        text = FOCUS.format(focus=focus, cuis="".join(f"<CUI>{cui}</CUI>" for cui in cuis))
        (folder / f"{name}.xml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("metastasis", "Metastases"),
        ("diagnosis", "diagnoses"),
        ("virus", "viruses"),
        ("biopsy", "biopsies"),
        ("abscess", "abscesses"),
        ("disease", "diseases"),
        ("Sjögren's syndrome", "Sjogren syndromes"),
        ("Sjo\u0308gren syndrome", "SJÖGREN SYNDROME"),
        ("Alzheimer’s disease", "alzheimer disease"),
        ("α-1 antitrypsin", "Alpha 1 antitrypsin"),
        ("TNFα", "TNF-alpha"),
        ("STIs", "STI"),
    ],
)
def test_spellings_of_one_name_meet(one: str, other: str) -> None:
    assert folded_words(one) == folded_words(other)


@pytest.mark.parametrize(("one", "other"), [("AIDS", "hearing aids"), ("virus", "virology"), ("gout", "gouty")])
def test_other_words_do_not_meet(one: str, other: str) -> None:
    assert not set(folded_words(one)) & set(folded_words(other))


def test_the_names_of_one_word_are_whole_words() -> None:
    finder = DictionaryExtractor([("Gout", "C1")], "made up")
    assert finder.extract(["gouty", "Gout.", "gout-like", "ragout", ""]) == [set(), {"C1"}, {"C1"}, set(), set()]


def test_the_longest_name_stands_and_nested_ones_where_asked() -> None:
    names = [("lung cancer", "C1"), ("small cell lung cancer", "C2"), ("cancer of bone", "C3"), ("bone pain", "C4")]
    finder = DictionaryExtractor(names, "made up")
    text = "Small cell lung cancer of bone pain"
    assert finder.extract([text]) == [{"C2", "C4"}]  # C3 overlaps C2, which begins first
    assert finder.extract([text], nested=True) == [{"C1", "C2", "C3", "C4"}]


WORD = st.sampled_from(["kuru", "coma", "gout", "pain"])
WORDS, TEXT = st.lists(WORD, min_size=1, max_size=4), st.lists(WORD, max_size=12)


@given(
    st.lists(WORDS, min_size=1, max_size=6), st.lists(st.sampled_from(["kuru", "coma", "gout", "pain"]), max_size=12)
)
def test_finds_what_a_slow_search_finds(names: list[list[str]], text: list[str]) -> None:
    finder = DictionaryExtractor([(" ".join(name), " ".join(name)) for name in names], "made up")
    known, expected, place = {tuple(name) for name in names}, set(), 0
    while place < len(text):
        fitting = [name for name in known if tuple(text[place : place + len(name)]) == name]
        expected |= {" ".join(max(fitting, key=len))} if fitting else set()
        place += max(map(len, fitting), default=1)
    every = {name for name in known for start in range(len(text)) if tuple(text[start : start + len(name)]) == name}
    assert finder.extract([" ".join(text)]) == [expected]
    assert finder.extract([" ".join(text)], nested=True) == [{" ".join(name) for name in every}]


def test_common_words_are_no_names() -> None:
    assert all(
        is_common(folded_words(name)) for name in ("All", "the other", "Type 2", "MS", "symptoms", "12", "?!", "")
    )
    assert not any(is_common(folded_words(name)) for name in ("ALS", "Gout", "Kidney disease", "Type 2 diabetes"))


def test_a_dictionary_of_common_words_is_refused() -> None:
    with pytest.raises(DataError, match=r"made up: no name of a concept \(2 were common words\); expected at least 1"):
        DictionaryExtractor([("All", "C1"), ("People", "C2")], "made up")


def test_the_first_of_concepts_with_one_name_stands_and_is_counted() -> None:
    finder = DictionaryExtractor([("Cold", "C1"), ("colds", "C2"), ("cold", "C1")], "made up")
    assert finder.extract(["a cold"]) == [{"C1"}]
    assert finder.describe() | {"sha256": ""} == {
        "extractor": "made up",
        "names": 1,
        "concepts": 1,
        "excluded_common": 0,
        "ambiguous": 1,
        "sha256": "",
    }


def test_two_dictionaries_are_told_apart() -> None:
    one, other = (DictionaryExtractor([("Gout", concept)], "tsv").describe() for concept in ("C1", "C2"))
    assert one["sha256"] != other["sha256"]


def test_medquad_gives_the_most_particular_concept(tmp_path: Path) -> None:
    folder = _medquad(
        tmp_path,
        a=("Batten Disease", ("C0012634", "C0027877")),
        b=("Tay-Sachs Disease", ("C0012634", "C0039373")),
        c=("Parasites - Loiasis", ()),
        d=("", ("C0000001",)),
    )
    _medquad(tmp_path, e=("Coffin Lowry Syndrome", ("C0039082",)))
    named = [("Batten Disease", "C0027877"), ("Loiasis", "name:loias"), ("Tay-Sachs Disease", "C0039373")]
    named.insert(1, ("Coffin Lowry Syndrome", "name:coffin lowry syndrom"))
    assert medquad_names(folder) == named


def test_medquad_reads_the_other_spelling_of_the_tags(tmp_path: Path) -> None:
    text = "<doc><doctitle-focus>Kuru</doctitle-focus><umls><cui>C0022802</cui></umls></doc>"
    (tmp_path / "a.xml").write_text(text, encoding="utf-8")
    assert medquad_names(tmp_path) == [("Kuru", "C0022802")]


def test_an_acronym_of_a_focus_is_a_name() -> None:
    assert names_of_focus("Hendra Virus Disease (HeV)") == ["Hendra Virus Disease", "HeV"]
    assert names_of_focus("Analgesic Nephropathy (Painkillers and the Kidneys)") == ["Analgesic Nephropathy"]


def test_a_folder_without_medquad_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"no MedQuAD file; expected \*.xml.*\n  next: .*titles"):
        medquad_names(tmp_path)


def test_broken_medquad_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<Document>\n<Focus>Gout</Document>", encoding="utf-8")
    with pytest.raises(DataError, match=r"a.xml, line 2: broken XML"):
        medquad_names(tmp_path)


def test_a_table_is_read_and_its_broken_line_named(tmp_path: Path) -> None:
    table = tmp_path / "names.tsv"
    table.write_text("Gout\tC0018099\r\n\nBehçet's\tC0004943\n", encoding="utf-8")
    assert list(table_names(table)) == [("Gout", "C0018099"), ("Behçet's", "C0004943")]
    table.write_text("Gout\tC0018099\nKuru\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"names.tsv, line 2: 1 fields; expected a name, a tab"):
        list(table_names(table))
    table.write_text("Gout\t \n", encoding="utf-8")
    with pytest.raises(DataError, match=r"names.tsv, line 1: an empty field"):
        list(table_names(table))


def test_titles_are_names_and_frames_go() -> None:
    titles = ["What I need to know about Gout", "", "Gout"]
    assert title_names(titles) == [("Gout", "name:gout")]
    assert load_extractor("titles", "", titles).extract(["It is gout."]) == [{"name:gout"}]


def test_extractors_go_by_name(tmp_path: Path) -> None:
    _medquad(tmp_path, a=("Gout", ("C0018099",)))
    (tmp_path / "names.tsv").write_text("Gout\tC9\n", encoding="utf-8")
    assert load_extractor("medquad", str(tmp_path)).extract(["gout"]) == [{"C0018099"}]
    assert load_extractor("tsv", str(tmp_path / "names.tsv")).describe()["extractor"] == "tsv names.tsv"
    with pytest.raises(ConfigError, match=r"called 'metamap'; expected one of medquad, tsv, titles, sci"):
        load_extractor("metamap", "")


@pytest.mark.parametrize(("kind", "package"), [("scispacy", "scispacy.linking"), ("quickumls", "quickumls")])
def test_a_linker_that_is_not_installed_names_its_package(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingResource, match=rf"package {package} is missing(.|\n)*pip install {kind}.*or take"):
        load_extractor(kind, "en_core_sci_sm")


# The two linkers cannot be installed here: these stand-ins hold to their documented interfaces, no more.
def test_scispacy_takes_the_likeliest_concept(monkeypatch: pytest.MonkeyPatch) -> None:
    def entity(*found: tuple[str, float]) -> SimpleNamespace:
        return SimpleNamespace(_=SimpleNamespace(kb_ents=list(found)))

    documents = [SimpleNamespace(ents=[entity(("C1", 0.9), ("C2", 0.8)), entity()])]
    added: list[Any] = []
    pipeline = SimpleNamespace(
        add_pipe=lambda *given, **config: added.append((given, config)),
        meta={"version": "0.5"},
        pipe=lambda _: documents,
    )
    spacy = ModuleType("spacy")
    spacy.load = lambda _: pipeline  # type: ignore[attr-defined]
    for name, module in (("scispacy", ModuleType("s")), ("scispacy.linking", ModuleType("l")), ("spacy", spacy)):
        monkeypatch.setitem(sys.modules, name, module)
    finder = load_extractor("scispacy", "en_core_sci_sm")
    assert finder.extract(["any"]) == [{"C1"}]
    assert finder.describe() == {"extractor": "scispacy en_core_sci_sm 0.5"}
    assert added[0][0] == ("scispacy_linker",)


def test_quickumls_takes_the_most_similar_concept_of_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def match(text: str, best_match: bool, ignore_syntax: bool) -> list[list[dict[str, Any]]]:
        asked.append(best_match)
        return [[{"cui": "C1", "similarity": 0.8}, {"cui": "C2", "similarity": 1.0}], []]

    package = ModuleType("quickumls")
    package.QuickUMLS = lambda folder, threshold: SimpleNamespace(match=match)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "quickumls", package)
    finder = load_extractor("quickumls", "database")
    assert [finder.extract(["any"]), finder.extract(["any"], nested=True)] == [[{"C2"}], [{"C2"}]]
    assert asked == [True, False]
