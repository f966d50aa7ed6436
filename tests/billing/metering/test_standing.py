"""Who pays, decided from values alone."""

from datetime import datetime, timedelta

import pytest

from billing.coverage.models import ANY_MODEL, Payer
from billing.metering.standing import Base, Key, Model, Rate, Span, Standing, decide, who_pays
from tests.billing.metering.conftest import NOW

MODEL = 7
HOUR = timedelta(hours=1)


def span(payer: Payer, start: datetime, end: datetime, model_id: int = MODEL, id_: int = 1) -> Span:
    return Span(id_, model_id, payer, start, end)


@pytest.mark.parametrize(
    ("base", "history", "expected"),
    [
        (Base(Payer.FREE), None, Payer.FREE),
        (Base(Payer.FREE), Payer.FREE, Payer.FREE),
        (Base(Payer.FREE), Payer.CREDITS, Payer.CREDITS),
        (Base(Payer.CREDITS), None, Payer.CREDITS),
        (Base(Payer.CREDITS), Payer.FREE, Payer.CREDITS),
        (Base(Payer.CREDITS), Payer.MARKETPLACE, Payer.MARKETPLACE),
        (Base(Payer.MARKETPLACE, NOW - HOUR), Payer.CREDITS, Payer.MARKETPLACE),
        (Base(Payer.MARKETPLACE, NOW + HOUR), Payer.CREDITS, Payer.CREDITS),
        (Base(Payer.MARKETPLACE, NOW + HOUR), None, Payer.MARKETPLACE),
    ],
)
def test_uncovered_use(base: Base, history: Payer | None, expected: Payer) -> None:
    spans = [span(history, NOW - HOUR, NOW + HOUR, ANY_MODEL)] if history else []
    assert who_pays(base, MODEL, spans, NOW) == (expected, None)


def test_coverage_of_the_model_goes_before_everything() -> None:
    spans = [
        span(Payer.CREDITS, NOW - HOUR, NOW + HOUR, ANY_MODEL, 1),
        span(Payer.CONTRACT, NOW - HOUR, NOW + HOUR, MODEL, 2),
        span(Payer.SUBSCRIPTION, NOW - HOUR, NOW + HOUR, MODEL + 1, 3),
    ]
    assert who_pays(Base(Payer.FREE), MODEL, spans, NOW) == (Payer.CONTRACT, 2)


def test_a_batch_over_several_turns_is_decided_as_each_of_its_instants_is() -> None:
    """The spans of answers are only a quicker way to `decide`."""
    minute = timedelta(minutes=1)
    model = Model(MODEL, NOW + 50 * minute, [(NOW + 5 * minute, 1), (NOW + 20 * minute, 2)])
    key = Key(1, 2, Base(Payer.FREE), revoked_at=NOW + 55 * minute, expires_at=NOW + 45 * minute)
    spans = [
        span(Payer.SUBSCRIPTION, NOW + 10 * minute, NOW + 15 * minute),
        span(Payer.CREDITS, NOW + 25 * minute, NOW + 30 * minute, ANY_MODEL, 2),
    ]
    standing = Standing(NOW, NOW + HOUR, {"k": key}, {"m": model}, {2: spans})
    answers = set()
    for seconds in range(0, 3601, 30):
        at = NOW + timedelta(seconds=seconds)
        (told,) = [verdict for start, end, verdict in standing.verdicts("k", "m") if start <= at < end]
        assert told == decide(key, model, spans, at)
        answers.add(told)
    assert len(answers) == 7
    assert Rate(2, 1, 1, 1, MODEL, Payer.SUBSCRIPTION) in answers
