"""What a measured step would cost over the paper's whole training."""

from __future__ import annotations

from typing import Any

PAPER_GPU_HOURS = 148.0
"""Training of JMLR-13B, arXiv 2402.17887."""


def project(
    seconds_per_question: float, flops_per_question: float, peak_tflops: float | None, questions: int
) -> dict[str, Any]:
    """Model FLOPs utilisation, and device hours of `questions` questions, with the assumptions in words.

    >>> project(3.6, 1e12, 10.0, 1000)["projected_hours"]
    1.0
    >>> round(project(0.5, 1e12, 10.0, 1000)["mfu"], 6)
    0.2
    """
    return {
        "mfu": flops_per_question / seconds_per_question / (peak_tflops * 1e12) if peak_tflops else None,
        "projected_hours": seconds_per_question * questions / 3600.0,
        "projection": (
            f"{questions} questions asked in training (4,000 steps of 8 in conf/recipe/jmlr-13b.yaml) at the seconds a "
            "question above; one device; without optimizer step, refresh of the pools, loading and communication; "
            "at the text lengths of this run, which are not the recipe's unless you set them."
        ),
    }
