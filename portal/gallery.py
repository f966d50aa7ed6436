"""Every part of the look on one page, with made-up figures: for whoever builds pages, and for tests that look."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.graphs.axes import Grain, Unit
from billing.graphs.charts import Bucket, Chart, Series
from orgs.models import Kind, Membership, Organization, Role, User

NOW = datetime(2026, 4, 14, 12, 41, tzinfo=UTC)


class ExampleForm(forms.Form):
    cap = forms.DecimalField(
        label="Monthly cap",
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "data-prefix": "$", "class": "input-short"}),
        error_messages={"max_decimal_places": "Whole cents: 12.34 or 12.35."},
    )
    name = forms.CharField(label="Name", help_text="What you call it in lists.")
    charges = forms.ChoiceField(label="At most charges per day", choices=[("1", "1"), ("2", "2"), ("3", "3")])
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 3}))
    reach = forms.ChoiceField(
        label="Who may use it", choices=[("all", "Everybody"), ("some", "Owners and admins")], widget=forms.RadioSelect
    )
    warn = forms.BooleanField(label="Warn me below $30.00", required=False, help_text="Once per crossing, by e-mail")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404("the gallery is for development")
    user = User(email="alice@example.com", name="Alice Okafor")
    research = Organization(kind=Kind.TEAM, slug="acme-research", name="Acme Research")
    personal = Organization(kind=Kind.PERSONAL, slug="alice", name="Alice")
    open_one = Membership(organization=research, user=user, role=Role.OWNER)
    request.membership = open_one  # type: ignore[attr-defined]  # as orgs.access does for the pages of an organization
    form = ExampleForm({"cap": "12.345", "charges": "2", "reach": "all", "warn": "on"})
    return render(
        request,
        "gallery.html",
        {
            "user": user,
            "memberships": [Membership(organization=personal, user=user, role=Role.OWNER), open_one],
            "form": form,
            "now": NOW,
            "late_by": timedelta(minutes=22),
            "usual": timedelta(seconds=8),
            "figure": Decimal("6.5054129"),
            "days": _days(),
            "hours": _hours(),
            "minutes": _minutes(),
            "ranges": _segment("30 d", "24 h", "7 d", "30 d", "April"),
            "grains": _segment("Day", "Hour", "Day"),
            "measures": _segment("Spend", "Spend", "Tokens", "Requests"),
            "keys": _keys(),
        },
    )


def _segment(current: str, *labels: str) -> list[dict[str, Any]]:
    return [{"label": label, "url": f"?view={label}", "current": label == current} for label in labels]


def _days() -> Chart:
    start = NOW.replace(hour=0, minute=0) - timedelta(days=29)
    buckets = [Bucket(start + timedelta(days=day), late=day == 26) for day in range(29)]
    shapes = (("gpt-oss-120b", "5.45", 7), ("qwen-3-235b-instruct", "2.16", 5), ("llama3.1-8b", "1.01", 3))
    return Chart(
        buckets=(*buckets, Bucket(NOW.replace(hour=0, minute=0), incomplete=True)),
        series=tuple(
            Series(
                name,
                tuple(Decimal(mean) * _wave(day, step) for day in range(30)),
                tuple(int(1_000_000 * _wave(day, step)) for day in range(30)),
            )
            for name, mean, step in shapes
        ),
        unit=Unit.MONEY,
        beside_unit=Unit.TOKENS,
        grain=Grain.DAY,
    )


def _hours() -> Chart:
    start = NOW.replace(day=8, hour=0, minute=0)
    names = ("code-agents", "prod-api", "eval-batch", "docs-search", "notebooks", "staging", "ci", "release-bot")
    return Chart(
        buckets=tuple(Bucket(start + timedelta(hours=hour)) for hour in range(48)),
        series=tuple(
            Series(name, tuple(int(1_300_000 * _wave(hour, 3 + place) / (place + 1)) for hour in range(48)))
            for place, name in enumerate(names)
        ),
        unit=Unit.TOKENS,
        grain=Grain.HOUR,
        height=260,
    )


def _minutes() -> Chart:
    start = NOW.replace(hour=11, minute=0)
    spent = tuple(Decimal("0.21") * _wave(minute, 4) * (minute % 5 > 0) for minute in range(60))
    return Chart(
        buckets=tuple(Bucket(start + timedelta(minutes=minute)) for minute in range(60)),
        series=(Series("eval-batch", spent),),
        unit=Unit.MONEY,
        grain=Grain.MINUTE,
        height=170,
    )


def _wave(place: int, step: int) -> Decimal:
    """Figures that go up and down, the same every time."""
    return Decimal(40 + (place * step * 7) % 61 - 25 * (place % 7 in (5, 6))) / 60


def _keys() -> list[dict[str, Any]]:
    return [
        {
            "name": "release-bot",
            "id": "pk_7f2c1b9d0e3fa81c",
            "spent": Decimal(0),
            "cap": Decimal(50),
            "state": "waiting",
        },
        {
            "name": "prod-api",
            "id": "pk_19de5a7700c904b7",
            "spent": Decimal("37.9512"),
            "cap": Decimal(120),
            "state": "ok",
        },
        {
            "name": "eval-batch",
            "id": "pk_e88b2f31aa9071fd",
            "spent": Decimal("48.5"),
            "cap": Decimal(80),
            "state": "warning",
        },
        {"name": "ci", "id": "pk_d60e88c2145b3b2a", "spent": Decimal(8), "cap": Decimal(8), "state": "failed"},
    ]
