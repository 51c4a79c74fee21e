"""What people print themselves: epochs, steps and percents, and lines of results."""

from __future__ import annotations

import re

from jupyter_training.jobs.progress.names import Kind, about, kind, words
from jupyter_training.jobs.progress.rule import NOTHING, Line, Memory, Rule, Said, possible, rule
from jupyter_training.jobs.progress.rules.bars import inner
from jupyter_training.jobs.progress.values import pairs

_N_OF = r"\[?[ ]{0,8}(?P<n>\d{1,9})[ ]{0,3}(?:/|of)[ ]{0,8}(?P<of>\d{1,9})(?![\d/.])"
_UNITS = r"step|iteration|iter|batch|episode|round|generation"
_WITHIN = re.compile(
    r"\W{1,8}(?:global[ _])?(?:batch|step|iteration|iter)(?:_idx)?[ :#=]{1,4}\[?(?P<n>\d{1,12})"
    r"(?![\d/]|\.\d)"
)
_FOLD = re.compile(r"\bfold[ :#=]{0,3}(?P<fold>\d{1,6})[ ]?(?:/|of)[ ]?(?P<folds>\d{1,6})\b")
_SCOPE = re.compile(r"^\W{0,4}(?P<scope>val|test|eval|dev)[a-z]{0,7}\b")
_LOOSE = frozenset(words("err error return returns map ap improve objective correlation scale kl"))
_TITLE = re.compile(
    r"[ ]?[\]).:\-\u2013\u2014|]{1,3}[ ]{1,4}(?!done|finished|complete)[a-z][^\d%]{0,200}$"
)
"""What follows the number of one of the steps of a script, as in ``Step 1/3: prepare the data``."""

_LEFT_OVER = re.compile(r"[a-z0-9]", re.IGNORECASE)


def _epoch_of(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    n, of = _within(found, line)
    fold, scope = _FOLD.search(line.low), _SCOPE.match(line.low)
    said = Said(
        epoch=int(found["n"]),
        epochs=int(found["of"]),
        over=None if n is None or of is not None else False,
        n=n,
        of=of,
        fold=int(fold["fold"]) if fold else None,
        folds=int(fold["folds"]) if fold else None,
    )
    if not possible(said):
        return None
    if scope is not None:
        values = about(scope["scope"], pairs(line.text))
        return Said(epoch=said.epoch, scope=scope["scope"], values=values)
    return said


def _epoch(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    n, of = _within(found, line)
    if found["scope"]:
        values = about(found["scope"], pairs(line.text)) if of in (None, n) else {}
        return Said(epoch=int(found["epoch"]), scope=found["scope"], values=values)
    return Said(epoch=int(found["epoch"]), n=n, of=of)


def _within(found: re.Match[str], line: Line) -> tuple[int | None, int | None]:
    """A count behind the epoch, and what it counts to."""
    within = inner(line.low[found.end() :])
    if within is not None:
        return within
    counted = _WITHIN.match(line.low, found.end())
    return (None if counted is None else int(counted["n"])), None


def _fold(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    said = Said(
        fold=int(found["fold"]), folds=int(found["folds"]), values=pairs(line.text, certain=True)
    )
    return said if possible(said) else None


def _step_of(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    if found["unit"] == "step" and _TITLE.match(line.low, found.end()) and not pairs(line.text):
        return NOTHING
    outer = found["unit"] in ("episode", "round", "generation")
    counter = found["unit"] if outer else "step"
    said = Said(n=int(found["n"]), of=int(found["of"]), counter=counter)
    return said if possible(said) else None


def _count_of(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    values = pairs(line.text)
    said = Said(n=int(found["n"]), of=int(found["of"]), counter="of", values=values)
    is_result = any(kind(name) is Kind.RESULT for name in values)
    return said if is_result and possible(said) else None


def _step(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    values = pairs(line.text)
    if not any(kind(name) is Kind.RESULT for name in values):
        return None
    count = int(found["step"])
    if found["unit"] == "batch":  # which begin again with each epoch
        return Said(n=count, values=values)
    return Said(step=count, values=values)


def _transfer(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    memory.transferring = True
    return NOTHING


def _percent(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    if memory.transferring:
        return NOTHING
    percent = float(found["percent"])
    return Said(n=int(percent * 100), of=10_000, counter="%") if percent <= 100 else None


def _results(found: re.Match[str], line: Line, memory: Memory) -> Said | None:
    """A line that has results and says nothing else."""
    values = pairs(line.text, certain=True)
    if not values:
        return None
    if not memory.heard:
        # Nothing but results: "accuracy = 0.95". Anything else may be about anything.
        left = line.text
        for told in _TOLD.findall(left):
            left = left.replace(told, "", 1)
        if _LEFT_OVER.search(left) or not _LOOSE.isdisjoint(name.lower() for name in values):
            return None
        if not any(kind(name) is Kind.RESULT for name in values):
            return None
    scope = _SCOPE.match(line.low)
    if scope is None:
        return Said(values=values)
    within = inner(line.low)
    if within is not None and within[0] < within[1]:
        return NOTHING  # what is counted together on the way is no result yet
    return Said(scope=scope["scope"], values=about(scope["scope"], values))


_TOLD = re.compile(
    r"(?:\b(?:train(?:ing)?|val(?:idation)?|test|eval(?:uation)?|final|best|avg|average|mean|cv|the|set|"
    r"result|results|score|model)\b[ :.]{0,2})|[\w@/\-]{1,60}[ ]{0,4}[:=][ ]{0,4}[-+.\de%]{1,30}",
    re.IGNORECASE,
)

RULES: tuple[Rule, ...] = (
    rule(
        "step of a container build",
        ("step ",),
        r"^step \d{1,3}/\d{1,3} ?: (?:from|run|copy|add|env|workdir|arg|cmd|label|entrypoint"
        r"|expose|user|shell|volume|onbuild|healthcheck|stopsignal|maintainer)\b",
        "Step 3/7 : RUN pip install torch",
        lambda found, line, memory: NOTHING,
    ),
    rule(
        "download",
        ("download", "extract", "fetch"),
        r"^(?:download|extract|fetch)ing\b",
        "Downloading https://example.org/train-images-idx3-ubyte.gz to ./data",
        _transfer,
    ),
    rule(
        "epoch of so many",
        ("epoch",),
        rf"(?<![\w/.\-])epochs?\b[ :#=]{{0,4}}{_N_OF}",
        "Epoch 3/30 - loss: 0.12",
        _epoch_of,
    ),
    rule(
        "epoch",
        ("epoch",),
        r"^(?:(?:begin(?:ning)?|start(?:ing)?|end(?: of)?|train(?:ing)?"
        r"|(?P<scope>val|test|eval)(?:id|idation|uation)?)[ :,]{1,3}){0,2}"
        r"[\[(]?epoch[ :#=_]{0,4}[\[(]?(?P<epoch>\d{1,9})(?![\d/]|\.\d)",
        "Epoch 3: loss=0.12, acc=0.9",
        _epoch,
    ),
    rule(
        "fold",
        ("fold",),
        r"^\W{0,20}(?:cross[- ]validation )?fold[ :#=]{0,3}(?P<fold>\d{1,6})[ ]?(?:/|of)[ ]?"
        r"(?P<folds>\d{1,6})\b",
        "Fold 2/5",
        _fold,
    ),
    rule(
        "step of so many",
        ("step", "iter", "batch", "episode", "round", "generation"),
        rf"(?<![\w/.\-])(?P<unit>{_UNITS})(?:s|es)?\b[ :#=]{{0,4}}{_N_OF}",
        "step 40/200",
        _step_of,
    ),
    rule(
        "a count of so many, with results, as of MONAI",
        ("loss", "acc"),
        r"^(?P<n>\d{1,9})[ ]?/[ ]?(?P<of>\d{1,9})[,:|]?[ ]{1,4}[a-z][\w ]{0,30}[:=]",
        "12/32, train_loss: 0.6123",
        _count_of,
    ),
    rule(
        "step, as of nanoGPT and scikit-learn",
        ("step", "iter", "update", "batch", "episode", "round", "generation"),
        r"^\W{0,4}(?:(?:train(?:ing)?|global|completed)[ _:]{1,2})?"
        rf"(?P<unit>{_UNITS}|update)"
        r"[ :#=]{0,4}[\[(]?[ ]{0,8}"
        r"(?P<step>\d{1,12})(?![\d/]|\.\d)",
        "iter 100: loss 2.1234, time 3.00ms, mfu 1.00%",
        _step,
    ),
    rule(
        "percent",
        ("%",),
        r"^\W{0,4}(?:(?:overall |total |training )?progress[ :=]{0,3})?"
        r"(?P<percent>\d{1,3}(?:\.\d{1,6})?)[ ]?%(?: (?:done|completed?))?[ .]{0,3}$",
        "45%",
        _percent,
    ),
    rule(
        "results",
        # What a name of a result has in it.
        words(
            "loss acc err auc roc f1 mse mae mape ppl perplexity bpc bleu rouge wer cer score "
            "reward return precision recall iou dice map ndcg psnr ssim fid nll r2 rms lr learning"
        ),
        r"[:= ][ ]{0,8}[-+.\[(]{0,2}(?:\d|nan|inf)",
        "Test set: Average loss: 0.0543, Accuracy: 9500/10000 (95%)",
        _results,
    ),
)
