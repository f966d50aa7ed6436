"""A catalog file comes into force whole or not at all, and never touches what was."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from billing.catalog import current, prices, publishing
from billing.catalog.file import CatalogUnreadable
from billing.catalog.models import AIModel, Plan, Price, RateLimit
from billing.catalog.publishing import CatalogRefused
from billing.limits.models import LimitsAnswer
from tests.factories import catalog as catalogs

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

SMALL = """
[[models]]
slug = "small-1"
name = "Small 1"
provider = "Example"
{end}
[[models.prices]]
from = 2025-01-01T00:00:00Z
input = "0.50"
output = "1.00"
{prices}
[models.limits.payg]
requests_per_minute = 10
{plans}
"""

Publish = Callable[..., list[str]]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Publishes the small catalog with the given parts."""

    def do(*, end: str = "", prices: str = "", plans: str = "", now: datetime = NOW) -> list[str]:
        path = tmp_path / "catalog.toml"
        path.write_text(SMALL.format(end=end, prices=prices, plans=plans))
        return publishing.import_file(path, now=now)

    return do


def version(start: str, input_usd: str = "0.40", output_usd: str = "1.00") -> str:
    return f'[[models.prices]]\nfrom = {start}\ninput = "{input_usd}"\noutput = "{output_usd}"\n'


def everything() -> list[object]:
    """All that is stored of the catalog."""
    return [list(table.objects.order_by("pk").values()) for table in (AIModel, Price, RateLimit, Plan)]


# --- The first catalog -------------------------------------------------------------------------------------------------


def test_the_first_catalog_is_the_published_one() -> None:
    models = catalogs.first_catalog(now=datetime(2026, 11, 20, tzinfo=UTC))
    catalog = current.latest()
    said = {
        model.slug: (
            *(Decimal(usd) for usd in (model.prices[0].per_million.input_usd, model.prices[0].per_million.output_usd)),
            model.tiers["payg"].tokens_per_minute,
            model.tiers["payg"].requests_per_minute,
            model.deprecated_on,
        )
        for model in catalog.models
    }
    ends = date(2026, 5, 27)
    assert said == {
        "gpt-oss-120b": (Decimal("0.35"), Decimal("0.75"), 1_000_000, 1_000, None),
        "zai-glm-4.7": (Decimal("2.25"), Decimal("2.75"), 500_000, 500, None),
        "qwen-3-235b-instruct": (Decimal("0.60"), Decimal("1.20"), 500_000, 500, ends),
        "llama3.1-8b": (Decimal("0.10"), Decimal("0.10"), 2_000_000, 2_000, ends),
    }
    assert [(plan.name, plan.price_usd, plan.daily_tokens) for plan in catalog.plans] == [
        ("Code Pro", 50, 24_000_000),
        ("Code Max", 200, 120_000_000),
    ]
    assert all(plan.covers == {models["zai-glm-4.7"].pk} for plan in catalog.plans)
    for model in catalog.models:
        assert model.prices[0].cached_usd == model.prices[0].input_usd
        assert model.prices[0].valid_from == datetime(2025, 1, 1, tzinfo=UTC)
        free = model.tiers["free"]
        assert (free.tokens_per_minute, free.requests_per_minute, free.requests_per_hour) == (30_000, 10, 100)
        assert (free.tokens_per_day, free.requests_per_day, free.tokens_per_hour) == (1_000_000, 1_000, None)
    glm = next(model for model in catalog.models if model.slug == "zai-glm-4.7")
    assert (glm.tiers["plan:code-pro"].tokens_per_minute, glm.tiers["plan:code-pro"].requests_per_minute) == (
        250_000,
        50,
    )
    assert (glm.tiers["plan:code-max"].tokens_per_minute, glm.tiers["plan:code-max"].requests_per_minute) == (
        400_000,
        100,
    )


def test_importing_again_changes_nothing() -> None:
    out = StringIO()
    call_command("import_catalog", stdout=out)
    before, version_before = everything(), LimitsAnswer.objects.get(org_id=0).version
    call_command("import_catalog", stdout=out)
    assert out.getvalue().splitlines()[-1] == "first_catalog.toml: nothing changed."
    assert everything() == before
    assert LimitsAnswer.objects.get(org_id=0).version == version_before


# --- Prices ------------------------------------------------------------------------------------------------------------


def test_a_changed_price_is_a_new_version_from_its_date(publish: Publish) -> None:
    publish()
    assert publish(prices=version("2026-03-02T00:00:00Z")) == [
        "small-1: USD 0.4 in, 0.4 cached, 1 out per million tokens from 2026-03-02."
    ]
    model = current.latest().models[0]
    change = datetime(2026, 3, 2, tzinfo=UTC)
    assert prices.in_force(model, change - timedelta(microseconds=1)).per_million.input_usd == Decimal("0.5")
    assert prices.in_force(model, change).per_million.input_usd == Decimal("0.4")
    assert prices.coming(model, NOW) == model.prices[1]
    with pytest.raises(prices.NoPrice):
        prices.in_force(model, datetime(2024, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "input_usd", "objection"),
    [
        ("2026-03-01T12:00:00Z", "0.40", "would rewrite the past"),
        ("2025-06-01T00:00:00Z", "0.40", "would rewrite the past"),
        ("2026-03-08T11:59:59Z", "0.51", "an increase needs 7 days' notice"),
        ("2025-01-01T00:00:00Z", "0.40", "start at the same moment"),
    ],
)
def test_a_price_that_may_not_be_changes_nothing(publish: Publish, start: str, input_usd: str, objection: str) -> None:
    publish()
    before = everything()
    with pytest.raises(CatalogRefused, match=objection):
        publish(prices=version(start, input_usd), end="deprecated_on = 2027-01-01")
    assert everything() == before


def test_an_increase_with_seven_days_notice_is_published(publish: Publish) -> None:
    publish()
    assert len(publish(prices=version("2026-03-08T12:00:00Z", "0.51"))) == 1


def test_one_dearer_part_makes_it_an_increase(publish: Publish) -> None:
    publish()
    with pytest.raises(CatalogRefused, match="increase"):
        publish(prices=version("2026-03-02T00:00:00Z", "0.10", "1.01"))


def test_a_published_price_cannot_be_edited(publish: Publish) -> None:
    publish(prices=version("2026-04-01T00:00:00Z"))
    with pytest.raises(CatalogRefused, match="is published and cannot change"):
        publish(prices=version("2026-04-01T00:00:00Z", "0.30"))


def test_a_version_cannot_slip_in_before_the_last(publish: Publish) -> None:
    publish(prices=version("2026-04-01T00:00:00Z"))
    with pytest.raises(CatalogRefused, match="before the last published one"):
        publish(prices=version("2026-03-20T00:00:00Z", "0.30"))


def test_a_model_nobody_knew_brings_its_history(publish: Publish) -> None:
    publish(prices=version("2025-06-01T00:00:00Z") + version("2025-09-01T00:00:00Z", "0.70"))
    assert Price.objects.count() == 3


# --- The end of a model ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "objection"),
    [
        ("2026-06-01", "2026-08-01", None),  # later
        ("2026-06-01", "", None),  # not at all
        ("2026-06-01", "2026-04-29", "60 days' notice"),
        ("2026-06-01", "2026-04-30", None),  # refused from 1 May: 60 days and 12 hours ahead
        ("", "2026-04-29", "60 days' notice"),
        ("", "2026-04-30", None),
        ("2026-06-01", "2026-02-28", "which is over"),
        ("2026-01-15", "2026-02-01", "which is over"),  # later, but over all the same
        ("2026-01-15", "2026-03-01", None),  # a retired model comes back for the rest of today
    ],
)
def test_the_last_day_may_move(publish: Publish, first: str, then: str, objection: str | None) -> None:
    def line(day: str) -> str:
        return f"deprecated_on = {day}" if day else ""

    publish(end=line(first))
    if objection:
        with pytest.raises(CatalogRefused, match=objection):
            publish(end=line(then))
    else:
        publish(end=line(then))
        assert AIModel.objects.get().deprecated_on == (date.fromisoformat(then) if then else None)


# --- Limits and plans --------------------------------------------------------------------------------------------------

PLANS = """
[[plans]]
slug = "a"
name = "A"
price_usd = "10.00"
daily_tokens = 1000
rank = {a}
[plans.covers.small-1]
requests_per_minute = 5
[[plans]]
slug = "b"
name = "B"
price_usd = "20.00"
daily_tokens = 2000
rank = {b}
[plans.covers.small-1]
"""


def test_a_tier_that_left_the_file_is_not_offered_any_more(publish: Publish) -> None:
    publish(plans=PLANS.format(a=1, b=2))
    publish(plans=PLANS.format(a=1, b=2).replace("requests_per_minute = 5", "requests_per_minute = 7"))
    assert RateLimit.objects.get(tier="plan:a").requests_per_minute == 7
    RateLimit.objects.create(model=AIModel.objects.get(), tier="free", requests_per_day=1)
    assert "small-1: not offered to free any more." in publish(plans=PLANS.format(a=1, b=2))


def test_plans_may_change_places(publish: Publish) -> None:
    publish(plans=PLANS.format(a=1, b=2))
    publish(plans=PLANS.format(a=2, b=1))
    assert list(Plan.objects.values_list("slug", "rank")) == [("b", 1), ("a", 2)]
    assert publish(plans=PLANS.format(a=2, b=1)) == []


@pytest.mark.parametrize(
    ("plans", "objection"),
    [
        (PLANS.format(a=1, b=1), "another plan has rank 1"),
        (PLANS.format(a=1, b=2).replace("covers.small-1", "covers.big-9"), "covers big-9, which is no model"),
        (PLANS.format(a=1, b=2).replace('slug = "b"', 'slug = "a"'), "stands in the file twice"),
    ],
)
def test_a_file_that_contradicts_itself(publish: Publish, plans: str, objection: str) -> None:
    with pytest.raises(CatalogRefused, match=objection):
        publish(plans=plans)
    assert everything() == [[], [], [], []]


# --- The shape of the file ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('input = "0.50"', "input = 0.50", r"\$.models\[0\].prices\[0\].input"),
        ('input = "0.50"', 'input = "0.1234567"', r"\$.models\[0\].prices\[0\].input"),
        ('input = "0.50"', 'input = "-1"', "input"),
        ('input = "0.50"', 'input = "NaN"', "input"),
        ('input = "0.50"', 'input = "1e3"', "input"),
        ("from = 2025-01-01T00:00:00Z", "from = 2025-01-01", "from"),
        ("from = 2025-01-01T00:00:00Z", "from = 2025-01-01T00:00:00", "from"),
        ('slug = "small-1"', 'slug = "Small 1"', "slug"),
        ('slug = "small-1"', 'slug = "small-1\\n"', "slug"),
        ("requests_per_minute = 10", "requests_per_minute = 0", "requests_per_minute"),
        ("requests_per_minute = 10", "requests_per_minute = true", "requests_per_minute"),
        ("requests_per_minute = 10", "requests_per_moment = 10", "requests_per_moment"),
        ("[models.limits.payg]", "[models.limits.gold]", "gold"),
        ('provider = "Example"', "", "provider"),
        ("[[models]]", "[[models", "Expected"),
    ],
)
def test_a_file_of_another_shape_names_the_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(SMALL.format(end="", prices="", plans="").replace(old, new, 1))
    with pytest.raises(CatalogUnreadable, match=place):
        publishing.import_file(path, now=NOW)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("import_catalog", str(tmp_path / "none.toml"))
    (tmp_path / "broken.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match=r"broken\.toml"):
        call_command("import_catalog", str(tmp_path / "broken.toml"))


# --- What this process keeps -------------------------------------------------------------------------------------------


def test_the_catalog_in_memory_follows_every_change(django_assert_num_queries: Callable[..., object]) -> None:
    model = catalogs.model()
    assert [kept.slug for kept in current.latest().models] == ["gpt-oss-120b"]
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        current.latest()
    AIModel.objects.filter(pk=model.pk).update(name="Renamed in the admin")
    assert current.latest().models[0].name == "Renamed in the admin"
