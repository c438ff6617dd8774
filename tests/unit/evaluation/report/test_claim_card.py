"""The claim card: results where there are some, `not run here` where not."""

from __future__ import annotations

from measuring import summarise

from jmlr.evaluation.report import claim_card


def test_the_card_says_what_was_run_and_what_not(settings, make, tmp_path):
    made = make(60)
    metrics = summarise(settings, made.questions, made.answered, made.rankings)
    claim_card.write(tmp_path, settings, metrics, {"training_device_hours": "0.078", "git_commit": "0123abc"})
    card = (tmp_path / "claim_card.md").read_text(encoding="utf-8")
    gain = metrics["test"]["difference"]["jmlr_minus_rag"]
    assert f"helped {gain['helped']}, hurt {gain['hurt']}" in card
    assert "Recipe `starter`, seed 1, 120 steps, 0.078 device hours" in card
    assert "| JMLR-13B (paper) | 62.5 | 81.2 | 72.8 | 65.5 | 70.5 |" in card
    assert "| It is the right passages that help, not any text | jmlr's reader" in card
    assert card.count("not run here") > 10
    assert "The retriever starts from MiniLM" in card


def test_the_papers_own_settings_deviate_in_the_reading_alone(settings):
    blocks = settings.model_dump()
    blocks["base"]["reader"]["source"], blocks["base"]["retriever"]["source"] = "meta-llama/Llama-2-13b-hf", "colbert"
    blocks["base"]["reader"]["revision"] = blocks["base"]["retriever"]["revision"] = "0" * 40
    blocks["train"]["objective"].update(scores="minmax", pair_weight="uniform")
    blocks["prompt"].update(options="shown", answer="letter_rationale")
    blocks["train"]["sampling"]["passages"], blocks["train"]["read_passages"] = 10, 7
    paper = type(settings).model_validate(blocks | {"validate": blocks.pop("validate_", None) or blocks["validate"]})
    assert claim_card.deviations(paper) == [
        "Answers are read by option likelihood, not from sampled text (docs/evaluation.md)."
    ]
