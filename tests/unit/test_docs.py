"""The pages of docs/ and the README: links lead somewhere, pages are listed, tables are the benchmarks' own."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
EXAMPLES = {"conf/recipe/mine.yaml", "jmlr/reader_loss"}
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def prose(text: str) -> str:
    """The page without code blocks, indented ones too."""
    return re.sub(r"^(?:    |\t).*$", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a link into the page may name, as GitHub and MkDocs make it of headings.

    They agree while a heading has neither two spaces in a row nor signs between spaces; a page that has is at fault.
    """
    headings = re.findall(r"^#+ (.+)$", prose(page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading.strip().lower()) for heading in headings]
    return {re.sub(r"\s", "-", heading) for heading in plain}


def broken(page: Path) -> list[str]:
    """Links of a page whose file or heading is not there."""
    found = []
    for link in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_a_file_and_heading(page: Path) -> None:
    assert broken(page) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, with `code`\n\n    # not one\n")
    page = tmp_path / "page.md"
    links = ["there.md", "there.md#a-heading-with-code", "gone.md", "there.md#not-one", "#here", "https://example.org"]
    page.write_text("# Here\n" + "\n".join(f"[text]({link})" for link in links))
    assert broken(page) == ["gone.md", "there.md#not-one"]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_path_of_the_repository_is_there(page: Path) -> None:
    named = re.findall(
        r"(?<![\w/.=-])(?:jmlr|tests|benchmarks|flows|conf|deploy|docs)/[\w/.-]*\w",
        prose(page.read_text(encoding="utf-8")),
    )
    assert [path for path in named if path not in EXAMPLES and not (ROOT / path).exists()] == []


def test_the_site_and_its_index_have_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = {page.name for page in PAGES[2:]}
    assert set(entries(site["nav"])) == pages
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert {link.partition("#")[0] for link in LINK.findall(index)} >= pages - {"index.md"}


def test_the_rooms_are_those_of_the_import_contract() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = page.split("## Rooms")[1].split("\n    ", 1)[1].split("\n\n")[0]
    shown = [line.strip().partition(":")[0] for line in block.splitlines()]
    contract = re.search(r"^layers = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), flags=re.M | re.S)[1]
    layers = [re.sub(r"jmlr\.|[()]", "", layer) for layer in re.findall(r'^  "([^"]+)"', contract, flags=re.M)]
    assert shown[:-1] == layers[:-1]


def entries(nav: Any) -> list[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in entries(part)]


def test_every_table_of_a_benchmark_is_what_its_results_give(capsys: pytest.CaptureFixture[str]) -> None:
    page = runpy.run_path(str(ROOT / "benchmarks" / "page.py"))
    assert page["main"](["--check"]) == 0, capsys.readouterr().out
    marked = [name for _, name, _ in page["MARKED"].findall("".join(file.read_text("utf-8") for file in PAGES))]
    assert sorted(marked) == sorted(page["TABLES"])


def test_a_table_that_was_edited_by_hand_differs() -> None:
    page = runpy.run_path(str(ROOT / "benchmarks" / "page.py"))
    text = "before\n<!-- table: scaling -->\n| edited |\n<!-- end -->\nafter\n"
    written = page["filled"](text)
    assert written.startswith("before\n<!-- table: scaling -->\n*2026-11-21")
    assert "| edited |" not in written
    assert page["filled"](written) == written


@pytest.mark.parametrize("dot", sorted((ROOT / "docs" / "images").glob("*.dot")), ids=lambda file: file.name)
def test_a_drawing_was_drawn_from_its_text(dot: Path) -> None:
    labels = re.findall(r'label="([^"]+)"', dot.read_text(encoding="utf-8"))
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", dot.with_suffix(".svg").read_text(encoding="utf-8"))
    assert sorted(line.strip() for line in drawn) == sorted(
        line.strip() for label in labels for line in label.split("\\n")
    ), "make drawings"
