"""One record of CSV, as buildctl reads what an option consists of.

No shell sees it: the quotes are part of the argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["record"]

_SPECIAL = re.compile(r'[,"\s]')


def record(fields: Iterable[str]) -> str:
    """A field with anything else than ordinary characters is quoted whole, and quotes in it are doubled."""
    return ",".join('"' + field.replace('"', '""') + '"' if _SPECIAL.search(field) else field for field in fields)
