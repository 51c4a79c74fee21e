"""The numbers on a line, by name. A value is what was printed: 95 for ``95%``."""

from __future__ import annotations

import re

from jupyter_training.jobs.progress.names import Kind, clean, kind

VALUES_PER_LINE = 64
"""So many names, and no more, are looked for on a line."""

NUMBER = (
    r"[-+]?(?:(?:\d{1,24}(?:\.\d{0,24})?|\.\d{1,24})(?:e[-+]?\d{1,3})?|nan\b|inf(?:inity)?\b)"
    r"(?!\w|[.:/\-]\d)"
)
"""A number, and not a part of a date, a time, a version, an address or a size with its unit."""

_PAIR = re.compile(
    # A name of one word. It begins where nothing before it could belong to it.
    r"(?<![\w@./'\-])(?P<name>[a-z_][\w@./\-]{0,60}"
    r"(?:'s[ ][\w@.\-]{1,40}(?:[ ][\w@.\-]{1,40})?)?)"
    r"(?P<between>[ ]{0,8}[:=]\s{0,8}|\s{1,12})(?:tensor\(|[\[(]{1,2})?"
    # Accuracy: 9500/10000 (95%)
    r"(?:\d{1,9}/\d{1,9}[ ]\((?P<share>\d{1,3}(?:\.\d{0,9})?)%\)"
    rf"|(?P<value>{NUMBER})(?P<sign>%)?)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?<![\w@./'\-])(?:(?:train(?:ing)?|val(?:id(?:ation)?)?|test|eval(?:uation)?|dev|average|avg|"
    r"mean|running|current|total|best|final|lm|mlm|grad(?:ient)?|params|learning|loss|batch|epoch|top|"
    r"oob|policy|value|value_function|surrogate|actor|critic|[dg]|gen(?:erator)?|disc(?:riminator)?|"
    r"adv(?:ersarial)?|recon(?:struction)?|reg(?:ularization)?|kld?|ce|bce|mse|l1|l2|entropy|aux|"
    r"auxiliary|contrastive|distillation|perceptual|cycle|identity|box|bbox|cls|class|obj|dfl|mask|"
    r"seg|dice|pixel)\.?[ ]){1,2}$",
    re.IGNORECASE,
)
"""The words that belong to the name that follows them."""

_BEFORE_CHARACTERS = 28
_WHOLE = re.compile(rf"{NUMBER}%?", re.IGNORECASE)


def pairs(text: str, *, certain: bool = False) -> dict[str, float]:
    """The metrics of a line such as ``loss: 0.12 - val_loss=0.2, Acc@1 70.1 (68.0)``.

    Parameters
    ----------
    certain
        Take only what is certainly a metric, because the line does not say that it is about
        training.
    """
    values: dict[str, float] = {}
    for number, found in enumerate(_PAIR.finditer(text)):
        if number == VALUES_PER_LINE:
            break
        name, start = found["name"], found.start()
        if start and text[start - 1] == " ":
            before = _BEFORE.search(text[max(start - _BEFORE_CHARACTERS, 0) : start])
            if before is not None:
                name, start = before[0] + name, start - len(before[0])
        name = clean(name)
        is_a = kind(name)
        if is_a is Kind.EXCLUDED:
            continue
        told = found["share"] or found["value"]
        fraction, named = not told.lstrip("+-").isdigit(), not found["between"].isspace()
        if not is_a.is_metric:
            # A whole number of an unknown name is rather a count.
            if certain or not fraction or not named:
                continue
        elif certain:
            if not fraction and not (found["share"] or found["sign"]):
                continue
            leading = text[:start].strip(" :")
            if not named and not values and leading and not leading.isalpha():
                continue  # a sentence that has a number in it
        values.setdefault(name, float(told))
    return values


def number(told: object) -> float | None:
    """A value as a number, also where it was put in quotes."""
    if isinstance(told, (int, float)) and not isinstance(told, bool):
        try:
            return float(told)
        except OverflowError:
            return None
    if isinstance(told, str) and _WHOLE.fullmatch(told.strip()):
        return float(told.strip().rstrip("%"))
    return None
