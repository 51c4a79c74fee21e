"""What metrics are called, and which names are not of metrics.

A name is kept as it was printed, but for four things: spaces within become ``_`` (``lm loss`` is
``lm_loss``), a possessive loses its ``'s`` (``training's l2`` is ``training_l2``), a word that only
says that it is an average is left out (``Avg. loss`` is ``loss``), and a value from a line about a
validation or test gets ``val_``, ``valid_``, ``eval_`` or ``test_`` in front, as the line calls it,
unless its name tells already or has a ``/``.

Not metrics are times, speeds, memory, counters, sizes and seeds, and what is only the best so far.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

NAME_CHARACTERS = 80


class Kind(Enum):
    """What a value is, by its name."""

    RESULT = "an outcome of training"
    SETTING = "a setting that changes as training goes on"
    UNKNOWN = "a metric, if the line is about training"
    EXCLUDED = "a time, a speed, memory, a counter or a size"

    @property
    def is_metric(self) -> bool:
        """Whether it is certainly a metric, even where nothing else on the line says so."""
        return self is Kind.RESULT or self is Kind.SETTING


def words(text: str) -> tuple[str, ...]:
    """The words of a text; a list of many is easier to read so."""
    return tuple(text.split())


_NEVER = frozenset(
    words(
        "time times date timestamp eta elapsed remaining duration dur dt runtime sec secs second "
        "seconds ms hours minutes wall took per throughput speed fps wps ups ips wpb bsz mfu "
        "flops tflops flos mem memory gb vram ram cuda gpu cpu scale best s"
    )
)
_RESULTS = frozenset(
    words(
        "loss losses acc accuracy err error auc auroc roc prauc f1 fscore mse mae rmse mape rmsle "
        "logloss l1 l2 r2 ppl perplexity bpc bpb bleu rouge wer cer score reward rewards rew "
        "return returns precision recall iou miou giou dice map map50 ap ap50 ndcg mrr psnr ssim "
        "fid kl elbo nll ce bce acc1 acc5 top1 top5 gnorm inertia correlation mcc kappa entropy "
        "deviance objective crossentropy merror mlogloss improve"
    )
)
_COUNTERS = frozenset(
    words(
        "epoch epochs step steps iter iters iteration iterations update updates batch batches "
        "size seed num nb count n v id rank world version port pid line lines worker workers node "
        "samples sample tokens ntokens nsentences images instances skipped overflow oom param "
        "params parameters percent percentage patience dim layers heads max min total data length "
        "shape width height mom t clip threads folds"
    )
)
_AVERAGE = re.compile(r"^(?:average|avg\.?|mean|running|current)[ _]+", re.IGNORECASE)
_TELLS = re.compile(r"train|val|test|eval|dev|/", re.IGNORECASE)
_BETWEEN = re.compile(r"[^a-z0-9@]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=4096)
def clean(name: str) -> str:
    """A name as it is kept."""
    name = _AVERAGE.sub("", name.strip().rstrip(".:-/"))
    return "_".join(name.replace("'s ", "_").split())[:NAME_CHARACTERS]


@lru_cache(maxsize=4096)
def kind(name: str) -> Kind:
    """What a value of a name is."""
    named = _BETWEEN.split(_HUMP.sub(" ", name).lower())
    parts = frozenset(named) | {word.partition("@")[0] for word in named}
    if not _NEVER.isdisjoint(parts):
        return Kind.EXCLUDED
    if "lr" in parts or parts >= {"learning", "rate"}:
        return Kind.SETTING
    if not _RESULTS.isdisjoint(parts) or parts >= {"grad", "norm"}:
        return Kind.RESULT
    if any(word.endswith("loss") for word in named):
        return Kind.RESULT
    return Kind.UNKNOWN if _COUNTERS.isdisjoint(parts) else Kind.EXCLUDED


def about(scope: str, values: dict[str, float]) -> dict[str, float]:
    """Values of a line that is about a validation or a test."""
    return {
        (name if _TELLS.search(name) else f"{scope}_{name}"): value
        for name, value in values.items()
    }
