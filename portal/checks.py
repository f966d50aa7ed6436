"""What is wrong with the settings, said before anything runs: each finding names the variable and what to do.

Run by every `manage.py` command, by the worker, and by the web server as it starts (`refuse_wrong_settings`).
"""

import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register, run_checks
from django.core.exceptions import ImproperlyConfigured

from orgs import throttle
from portal import brand
from portal.env import env

TAG = "purser"
CENT = Decimal("0.01")
STRIPE_MINIMUM = Decimal("0.50")
RETENTION_MINIMUM = 40  # usage of the last month may still be corrected
SECRET_KEY_LENGTH = 50
ALLAUTH_RATES = {"SIGN_IN": "login", "SIGN_UP": "signup", "PASSWORD_RESET": "reset_password"}


@register(TAG)
def settings_make_sense(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Everywhere: values that can be read, and that fit together."""
    findings = [*env.wrong, *brand.problems(settings.BRAND), *_addresses(), *_stripe(), *_mail(), *_rules(), *_rates()]
    return [Error(finding, id="purser.E001") for finding in findings]


@register(TAG)
def production_is_safe(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """With PURSER_PRODUCTION=1: nothing that is only for trying things out."""
    if not settings.PRODUCTION:
        return []
    return [Error(f"In production: {finding}", id="purser.E002") for finding in (*_missing(), *_unsafe())]


@register(TAG, deploy=True)
def the_owner_is_another(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """With `check --deploy`: the portal's login is not the one that owns the tables."""
    owner, portal = settings.DATABASE_OWNER, settings.DATABASES["default"]
    if not owner:
        finding = "DATABASE_OWNER_URL is not set: the login of DATABASE_URL owns its tables, or cannot migrate them."
    elif (owner["ENGINE"], owner["NAME"]) != (portal["ENGINE"], portal["NAME"]):
        finding = "DATABASE_OWNER_URL does not name the database of DATABASE_URL."
    elif owner["USER"] == portal["USER"]:
        finding = "DATABASE_OWNER_URL and DATABASE_URL have one login: the portal may change its tables and its past."
    else:
        return []
    return [Warning(finding, hint="docs/operations.md, Two logins, says how to set them up.", id="purser.W001")]


def refuse_wrong_settings() -> None:
    """Raises ImproperlyConfigured with all findings, for servers that do not run Django's checks by themselves."""
    findings = run_checks(tags=[TAG])
    if findings:
        raise ImproperlyConfigured(
            "\n".join(["The settings are wrong.", *(f"- {finding.msg}" for finding in findings)])
        )


def _addresses() -> Iterator[str]:
    address = urlsplit(settings.PUBLIC_URL)
    if address.scheme not in {"http", "https"} or not address.hostname or address.path or address.query:
        yield f"PUBLIC_URL={settings.PUBLIC_URL} is not an address such as https://billing.example.com (no path)."
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        yield "DATABASE_URL does not name a PostgreSQL database (postgresql://user:password@host/name)."
    if settings.REDIS_URL and urlsplit(settings.REDIS_URL).scheme not in {"redis", "rediss"}:
        yield "REDIS_URL does not begin with redis:// or rediss://."


def _stripe() -> Iterator[str]:
    key = settings.STRIPE_SECRET_KEY
    if key and not key.startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")):
        yield "STRIPE_SECRET_KEY is not a secret key of Stripe (sk_test_... or sk_live_...)."
    if key.startswith(("sk_live_", "rk_live_")) and settings.STRIPE_API_BASE != settings.STRIPE_DEFAULT_API_BASE:
        yield "STRIPE_SECRET_KEY is a live key and STRIPE_API_BASE is not Stripe: the key would be shown to a stranger."
    if any(not secret.startswith("whsec_") for secret in settings.STRIPE_WEBHOOK_SECRETS):
        yield "STRIPE_WEBHOOK_SECRETS holds something that is not a signing secret (whsec_...; several with commas)."
    if settings.STRIPE_TIMEOUT_SECONDS <= 0:
        yield "STRIPE_TIMEOUT_SECONDS must be above zero."


def _mail() -> Iterator[str]:
    if settings.EMAIL_TIMEOUT <= 0:
        yield "EMAIL_TIMEOUT_SECONDS must be above zero."


def _rules() -> Iterator[str]:
    low, high = settings.PURCHASE_MIN_USD, settings.PURCHASE_MAX_USD
    if any(not amount.is_finite() for amount in (low, high, settings.STAFF_LIMIT_USD, settings.OVERDRAFT_CEILING_USD)):
        yield "PURCHASE_MIN_USD, PURCHASE_MAX_USD, STAFF_LIMIT_USD and OVERDRAFT_CEILING_USD must be amounts."
        return
    if any(amount % CENT for amount in (low, high)):
        yield "PURCHASE_MIN_USD and PURCHASE_MAX_USD must be whole cents: that is what a card is charged."
    if low < STRIPE_MINIMUM:
        yield f"PURCHASE_MIN_USD={low} is below the least that can be charged ({STRIPE_MINIMUM})."
    if high < low:
        yield f"PURCHASE_MAX_USD={high} is below PURCHASE_MIN_USD={low}."
    if settings.STAFF_LIMIT_USD < 0:
        yield "STAFF_LIMIT_USD must not be negative."
    if settings.OVERDRAFT_CEILING_USD < 0:
        yield "OVERDRAFT_CEILING_USD must not be negative."
    if settings.USAGE_RETENTION_DAYS < RETENTION_MINIMUM:
        yield f"USAGE_RETENTION_DAYS must be at least {RETENTION_MINIMUM}."


def _rates() -> Iterator[str]:
    by_allauth = {name: settings.ACCOUNT_RATE_LIMITS[kind].split("/ip")[0] for name, kind in ALLAUTH_RATES.items()}
    for name, rate in {**{name.upper(): rate for name, rate in settings.RATES.items()}, **by_allauth}.items():
        try:
            throttle.Rate.of(rate)
        except ValueError as wrong:
            yield f"RATE_{name}: {wrong}"
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT < 0:
        yield "TRUSTED_PROXY_COUNT must not be negative."


def _missing() -> Iterator[str]:
    for name in (
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "PUBLIC_URL",
        "REDIS_URL",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRETS",
    ):
        if not os.environ.get(name):
            yield f"{name} is not set."


def _unsafe() -> Iterator[str]:
    if len(settings.SECRET_KEY) < SECRET_KEY_LENGTH:
        yield f"SECRET_KEY is not set, or shorter than {SECRET_KEY_LENGTH} characters: sessions could be forged."
    if settings.DEBUG:
        yield "DEBUG is on: error pages would show settings and code."
    if "*" in settings.ALLOWED_HOSTS:
        yield "ALLOWED_HOSTS=* takes any Host header: name the hosts."
    if not settings.HTTPS:
        yield f"PUBLIC_URL={settings.PUBLIC_URL} is not https: sign-ins would travel in the clear."
    if settings.STRIPE_API_BASE != settings.STRIPE_DEFAULT_API_BASE:
        yield "STRIPE_API_BASE is not Stripe: whoever answers there decides who has paid."
    if settings.STRIPE_CHECKOUT_ORIGIN != settings.STRIPE_DEFAULT_CHECKOUT_ORIGIN:
        yield "STRIPE_CHECKOUT_ORIGIN is not Stripe's."
    if settings.EMAIL_BACKEND == "django.core.mail.backends.filebased.EmailBackend":
        yield "EMAIL_URL is not set: mail would be written to files and reach nobody."
