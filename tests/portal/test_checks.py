"""Wrong settings are said in words, each with the name of its variable; production takes nothing that is for trying out."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured

from portal import checks
from portal.env import Reader
from tests.paths import ROOT, operator_variables

PRODUCTION = {
    "PRODUCTION": True,
    "SECRET_KEY": "k" * 50,
    "DEBUG": False,
    "PUBLIC_URL": "https://billing.example.com",
    "HTTPS": True,
    "ALLOWED_HOSTS": ["billing.example.com"],
    "REDIS_URL": "rediss://redis.internal/0",
    "STRIPE_SECRET_KEY": "sk_live_51",
    "STRIPE_WEBHOOK_SECRETS": ["whsec_1"],
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
}
SAID = ("ALLOWED_HOSTS", "DATABASE_URL", "PUBLIC_URL", "REDIS_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS")


def findings() -> list[str]:
    found = [*checks.settings_make_sense(None), *checks.production_is_safe(None)]
    return [finding.msg for finding in found]


def change(settings: LazySettings, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)


@pytest.fixture
def production(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> LazySettings:
    """Settings of a production that is well."""
    change(settings, PRODUCTION)
    for name in SAID:
        monkeypatch.setenv(name, "said")
    return settings


def test_nothing_is_wrong_with_the_defaults() -> None:
    assert findings() == []


def test_nothing_is_wrong_with_a_production_that_is_well(production: LazySettings) -> None:
    assert findings() == []
    checks.refuse_wrong_settings()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("PUBLIC_URL", "billing.example.com", "PUBLIC_URL=billing.example.com is not an address"),
        ("PUBLIC_URL", "https://example.com/billing", "is not an address"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL does not begin with redis://"),
        ("DATABASES", {"default": {"ENGINE": "django.db.backends.sqlite3"}}, "DATABASE_URL does not name a PostgreSQL"),
        ("STRIPE_SECRET_KEY", "pk_test_1", "is not a secret key of Stripe"),
        ("STRIPE_WEBHOOK_SECRETS", ["whsec_1", "sk_test_1"], "STRIPE_WEBHOOK_SECRETS holds something"),
        ("STRIPE_TIMEOUT_SECONDS", 0.0, "STRIPE_TIMEOUT_SECONDS must be above zero"),
        ("EMAIL_TIMEOUT", 0, "EMAIL_TIMEOUT_SECONDS must be above zero."),
        ("PURCHASE_MIN_USD", Decimal("0.49"), "below the least that can be charged"),
        ("PURCHASE_MIN_USD", Decimal("5.001"), "must be whole cents"),
        ("PURCHASE_MIN_USD", Decimal("NaN"), "must be amounts"),
        ("PURCHASE_MAX_USD", Decimal("4.99"), "PURCHASE_MAX_USD=4.99 is below PURCHASE_MIN_USD=5.00"),
        ("OVERDRAFT_CEILING_USD", Decimal(-1), "OVERDRAFT_CEILING_USD must not be negative"),
        ("USAGE_RETENTION_DAYS", 39, "USAGE_RETENTION_DAYS must be at least 40"),
    ],
)
def test_a_wrong_value_is_named(settings: LazySettings, setting: str, value: object, message: str) -> None:
    setattr(settings, setting, value)
    assert len(findings()) == 1
    assert message in findings()[0]


@pytest.mark.parametrize(
    ("accents", "message"),
    [
        ({"accent_light": "#FFE000"}, "BRAND_ACCENT_LIGHT: #FFE000 has a contrast of"),
        ({"accent_dark": "#0B2C39"}, "BRAND_ACCENT_DARK: #0B2C39 has a contrast of"),
        ({"accent_light": "teal"}, "is not a colour"),
    ],
)
def test_an_accent_that_cannot_be_read_is_refused(
    settings: LazySettings, accents: dict[str, str], message: str
) -> None:
    settings.BRAND = settings.BRAND | accents
    assert any(message in finding for finding in findings())


def test_a_live_key_is_never_shown_to_another_address(settings: LazySettings) -> None:
    change(settings, {"STRIPE_SECRET_KEY": "sk_live_51", "STRIPE_API_BASE": "http://127.0.0.1:12111"})
    assert ["live key" in finding for finding in findings()] == [True]


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("SECRET_KEY", "unset", "SECRET_KEY is not set"),
        ("SECRET_KEY", "short", "or shorter than 50 characters"),
        ("DEBUG", True, "DEBUG is on"),
        ("ALLOWED_HOSTS", ["*"], "ALLOWED_HOSTS=* takes any Host header"),
        ("HTTPS", False, "is not https"),
        ("STRIPE_CHECKOUT_ORIGIN", "http://127.0.0.1:12111", "STRIPE_CHECKOUT_ORIGIN is not Stripe's"),
        ("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend", "EMAIL_URL is not set"),
    ],
)
def test_production_refuses_what_is_for_trying_out(
    production: LazySettings, setting: str, value: object, message: str
) -> None:
    setattr(production, setting, value)
    assert [finding.startswith("In production: ") and message in finding for finding in findings()] == [True]
    with pytest.raises(ImproperlyConfigured, match=re.escape(message)):
        checks.refuse_wrong_settings()


def test_production_refuses_another_address_for_stripe(production: LazySettings) -> None:
    change(production, {"STRIPE_API_BASE": "http://127.0.0.1:12111", "STRIPE_SECRET_KEY": "sk_test_1"})
    assert ["STRIPE_API_BASE is not Stripe" in finding for finding in findings()] == [True]


@pytest.mark.parametrize("name", SAID)
def test_production_has_to_be_told(production: LazySettings, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    assert findings() == [f"In production: {name} is not set."]


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        (None, "DATABASE_OWNER_URL is not set: the login of DATABASE_URL owns its tables, or cannot migrate them."),
        ({"USER": "another", "NAME": "x"}, "DATABASE_OWNER_URL does not name the database of DATABASE_URL."),
        ({}, "DATABASE_OWNER_URL and DATABASE_URL have one login: the portal may change its tables and its past."),
    ],
    ids=["none", "of another database", "the same"],
)
def test_before_deployment_the_owner_has_to_be_another_login(
    settings: LazySettings, owner: dict[str, str] | None, message: str
) -> None:
    portal = settings.DATABASES["default"]
    settings.DATABASE_OWNER = portal | {"USER": "another"}
    assert checks.the_owner_is_another(None) == []
    settings.DATABASE_OWNER = {} if owner is None else portal | owner
    assert [finding.msg for finding in checks.the_owner_is_another(None)] == [message]


# --- Reading the environment ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "cast", "message"),
    [
        ("soon", int, "LIMIT='soon' is not a whole number."),
        ("much", float, "LIMIT='much' is not a number."),
        ("five", Decimal, "LIMIT='five' is not an amount."),
        ("perhaps", bool, "LIMIT='perhaps' is not a yes or no (1 or 0)."),
    ],
)
def test_what_cannot_be_read_is_kept_for_the_check(
    monkeypatch: pytest.MonkeyPatch, said: str, cast: type, message: str
) -> None:
    monkeypatch.setenv("LIMIT", said)
    reader = Reader()
    assert reader.get_value("LIMIT", cast=cast, default=cast(1)) == cast(1)
    assert reader.wrong == [message]


def test_amounts_are_read_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMIT", "0.10")
    reader = Reader()
    assert (reader.decimal("LIMIT", "5"), reader.decimal("OTHER_LIMIT", "5.00")) == (Decimal("0.10"), Decimal("5.00"))
    assert reader.wrong == []


def test_a_wrong_value_stops_the_commands_with_words_not_a_traceback() -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PURSER_ENV_FILES": "none",
        "USAGE_RETENTION_DAYS": "a year",
        "PURCHASE_MAX_USD": "lots",
    }
    answer = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "USAGE_RETENTION_DAYS='a year' is not a whole number." in answer.stderr
    assert "PURCHASE_MAX_USD='lots' is not an amount." in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_example_shows_every_variable_that_the_settings_read() -> None:
    read = set(re.findall(r"\benv\.\w+\(\s*\"([A-Z][A-Z0-9_]+)\"", (ROOT / "portal" / "settings.py").read_text()))
    assert len(read) > 20
    assert read - operator_variables() == set()
