"""Small forms that were sent: each field there, and once."""

from django.http import HttpRequest

NOT_WHOLE = "This form did not arrive whole. Send it again from this page."


def sent(request: HttpRequest, *names: str) -> list[str] | None:
    """What these fields say, in order; None where one is missing or was sent twice: then nothing may be done."""
    given = [request.POST.getlist(name) for name in names]
    return [one[0] for one in given] if all(len(one) == 1 for one in given) else None
