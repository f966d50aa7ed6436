"""Who pays where nothing covers: a history without gap and without overlap."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from billing.coverage import base
from billing.coverage.models import Coverage, Payer, PayerBase
from orgs.models import Kind, Organization

FOUNDED = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def personal(slug: str = "alice") -> int:
    return Organization.objects.create(kind=Kind.PERSONAL, slug=slug, name="Alice", created_at=FOUNDED).pk


def history(org_id: int) -> list[tuple[Payer, datetime, datetime]]:
    spans = Coverage.objects.filter(wallet_id=org_id, model_id=0).order_by("valid_from")
    return [(Payer(span.payer), span.valid_from, span.valid_to) for span in spans]


@pytest.mark.django_db
def test_a_flip_writes_the_past_down() -> None:
    org_id = personal()
    assert base.flip(org_id, Payer.CREDITS, FOUNDED + HOUR)
    assert base.flip(org_id, Payer.FREE, FOUNDED + 3 * HOUR)
    assert history(org_id) == [
        (Payer.FREE, FOUNDED, FOUNDED + HOUR),
        (Payer.CREDITS, FOUNDED + HOUR, FOUNDED + 3 * HOUR),
    ]
    now = PayerBase.objects.get(wallet_id=org_id)
    assert (now.payer, now.since) == (Payer.FREE, FOUNDED + 3 * HOUR)


@pytest.mark.django_db
def test_a_flip_to_the_same_payer_is_none() -> None:
    org_id = personal()
    assert not base.flip(org_id, Payer.FREE, FOUNDED + HOUR)
    assert history(org_id) == []


@pytest.mark.django_db
def test_a_span_without_length_is_left_out_and_time_never_runs_back() -> None:
    org_id = personal()
    base.flip(org_id, Payer.CREDITS, FOUNDED + 2 * HOUR)
    base.flip(org_id, Payer.FREE, FOUNDED + 2 * HOUR)
    base.flip(org_id, Payer.CREDITS, FOUNDED + HOUR)
    assert history(org_id) == [(Payer.FREE, FOUNDED, FOUNDED + 2 * HOUR)]
    now = PayerBase.objects.get(wallet_id=org_id)
    assert (now.payer, now.since) == (Payer.CREDITS, FOUNDED + 2 * HOUR)


class History(TestCase):
    @settings(max_examples=40, deadline=None)
    @given(flips=st.lists(st.tuples(st.sampled_from([Payer.FREE, Payer.CREDITS]), st.integers(-5, 50)), max_size=12))
    def test_any_row_of_flips_leaves_one_unbroken_history(self, flips: list[tuple[Payer, int]]) -> None:
        org_id = personal()
        for payer, hours in flips:
            base.flip(org_id, payer, FOUNDED + hours * HOUR)
        end = FOUNDED
        for _, start, stop in history(org_id):
            assert start == end < stop
            end = stop
        now = PayerBase.objects.get(wallet_id=org_id)
        assert now.since == end
        if flips:
            assert now.payer == flips[-1][0]
