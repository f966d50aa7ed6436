"""Who pays where nothing covers, and since when: a dated fact, so that late usage finds who paid when it occurred (A6)."""

from datetime import datetime

from django.db import connection

from billing.coverage.models import ANY_MODEL, Payer

CLOSE_THE_PAST = """
INSERT INTO coverage (org_id, model_id, payer, valid_from, valid_to)
SELECT org_id, %(any)s, payer, since, %(at)s FROM payer_base
WHERE org_id = %(org)s AND payer <> %(payer)s AND since < %(at)s
"""
FLIP = """
UPDATE payer_base SET payer = %(payer)s, since = greatest(since, %(at)s)
WHERE org_id = %(org)s AND payer <> %(payer)s
"""


def flip(org_id: int, payer: Payer, at: datetime) -> bool:
    """From `at` on `payer` is the base payer; answers whether it was another. The wallet's lock is held by the caller.

    What was goes into the history (`coverage` of model 0) up to `at`. Spans meet and never overlap: a flip at or before
    the last one leaves no span of its own, and the history never moves back.
    """
    place: dict[str, int | datetime] = {"org": org_id, "payer": int(payer), "at": at, "any": ANY_MODEL}
    with connection.cursor() as cursor:
        cursor.execute(CLOSE_THE_PAST, place)
        cursor.execute(FLIP, place)
        flipped: int = cursor.rowcount
    return flipped == 1
