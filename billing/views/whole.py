"""Small forms that were sent: each field there. (One that is sent twice is refused before any view: `plain_forms`.)"""

import re

from django.http import HttpRequest

NOT_WHOLE = "This form did not arrive whole. Send it again from this page."


def sent(request: HttpRequest, *names: str) -> list[str] | None:
    """What these fields say, in order; None where one is missing: then nothing may be done."""
    given = [request.POST.get(name) for name in names]
    return None if None in given else [str(one) for one in given]


def number(text: str) -> int | None:
    """What a page wrote as the number of a row, and in that one way of writing; None for everything else."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text, re.ASCII) else None
