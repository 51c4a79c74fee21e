"""Numbers and times as people read them; the sidebar writes them in the same way."""

from __future__ import annotations

import math


def figure(value: float | str) -> str:
    """A number with as many digits as are of use: ``45``, ``0.4119``, ``2.5e-5``.

    Parameters
    ----------
    value
        NaN and infinity may be strings, as JSON has them.
    """
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    large = abs(value)
    if value.is_integer() and large < 1e7:
        return str(int(value))
    if 1e-3 <= large < 1e6:
        return f"{float(f'{value:.4g}'):.10g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def duration(seconds: float) -> str:
    """How long something takes: ``42 s``, ``5 min``, ``1 h 12 min``, ``3 d 4 h``."""
    # Half up, as the sidebar does it.
    whole = max(0, math.floor(seconds + 0.5))
    if whole < 60:
        return f"{whole} s"
    minutes = math.floor(whole / 60 + 0.5)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
