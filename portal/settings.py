"""Settings: one file, everything from the environment (see `.env.example`), boots with none.

Wrong values are found by the checks in `portal/checks.py`, which say what to do.
"""

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
import structlog
from csp.constants import NONE, SELF

from portal import redaction
from portal.env import BASE_DIR, database, env, local_secret

# Generic classes of Django may be subscripted at run time too.
django_stubs_ext.monkeypatch()

# --- Where this runs ---------------------------------------------------------------------------------------------------
PRODUCTION: bool = env.bool("PURSER_PRODUCTION", default=False)
DEBUG: bool = env.bool("DEBUG", default=False)
# In production there is none but the operator's; "unset" is refused at start (portal/checks.py).
SECRET_KEY: str = env.str("SECRET_KEY", default="") or ("unset" if PRODUCTION else local_secret())
PUBLIC_URL: str = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{env.int('PORT', default=8000)}").rstrip("/")
ALLOWED_HOSTS: list[str] = env.list(
    "ALLOWED_HOSTS", default=[] if PRODUCTION else [str(urlsplit(PUBLIC_URL).hostname), "127.0.0.1", "localhost"]
)
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])
HTTPS = PUBLIC_URL.startswith("https://")

# --- The house: what the operator calls things ---------------------------------------------------------------------------
BRAND = {
    "name": env.str("BRAND_NAME", default="Purser"),
    "accent_light": env.str("BRAND_ACCENT_LIGHT", default="#0B5C69"),
    "accent_dark": env.str("BRAND_ACCENT_DARK", default="#5BBBC9"),
}
SUPPORT = {
    "chat_url": env.str("SUPPORT_CHAT_URL", default=""),
    "email": env.str("SUPPORT_EMAIL", default="billing@example.com"),
    "sales_url": env.str("SUPPORT_SALES_URL", default=""),
}
# Who issues statements and receipts, as it stands on them. Lines of the address are separated by semicolons.
ISSUER = {
    "name": env.str("ISSUER_NAME", default="") or BRAND["name"],
    "address": [line.strip() for line in env.str("ISSUER_ADDRESS", default="").split(";") if line.strip()],
    "tax_id": env.str("ISSUER_TAX_ID", default=""),
}
# Where keys are used: in the first steps of a new organization.
INFERENCE_URL: str = env.str("INFERENCE_URL", default="https://api.example.com").rstrip("/")

# --- Django ------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "orgs.apps.OrgsConfig",
    "billing.apps.BillingConfig",
    "portal.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.forms",  # the templates of form widgets (see FORM_RENDERER)
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "django_structlog",
    "template_partials",
]
MIDDLEWARE = [
    # First what an answer needs even if one of the others fails.
    "portal.middleware.security_headers",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.body_limit",
    "portal.middleware.plain_forms",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.house",
                "orgs.context.organizations",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["portal.formats"]
USE_TZ = True
TIME_ZONE = "UTC"
APPEND_SLASH = False

# --- The database and the queue ------------------------------------------------------------------------------------------
# PostgreSQL is the truth; Redis only makes things faster (see docs/architecture.md).
# A socket is named as libpq does: postgresql://user@/name?host=/folder
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **database("DATABASE_URL", default="postgresql:///purser"),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
}
# The login of who owns the tables: only `migrate` and `flush` need it (portal/roles.py). Without it the one above does all.
DATABASE_OWNER: dict[str, Any] = (
    database("DATABASE_OWNER_URL", default="") if env.str("DATABASE_OWNER_URL", default="") else {}
)
REDIS_URL: str = env.str("REDIS_URL", default="")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "portal.cache.RedisOrNothing",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 1.0, "socket_connect_timeout": 1.0},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
CELERY_BROKER_URL: str = REDIS_URL or "memory://"

# --- People --------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "orgs.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "orgs.accounts.AccountAdapter"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"

EMAIL_BACKEND: str = env.str("EMAIL_BACKEND", default="django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH: str = env.str("EMAIL_FILE_PATH", default=str(BASE_DIR / ".local" / "mail"))
# Per word of the mail server's: a worker must not wait for one that has stopped.
EMAIL_TIMEOUT: int = env.int("EMAIL_TIMEOUT_SECONDS", default=15)
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="Purser <billing@example.com>")
if env.str("EMAIL_URL", default=""):
    globals().update(env.email_url("EMAIL_URL"))

# --- Stripe --------------------------------------------------------------------------------------------------------------
STRIPE_DEFAULT_API_BASE = "https://api.stripe.com"
STRIPE_SECRET_KEY: str = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_API_BASE: str = env.str("STRIPE_API_BASE", default=STRIPE_DEFAULT_API_BASE)
# Several at once while a secret is being rotated.
STRIPE_WEBHOOK_SECRETS: list[str] = env.list("STRIPE_WEBHOOK_SECRETS", default=[])
STRIPE_TIMEOUT_SECONDS: float = env.float("STRIPE_TIMEOUT_SECONDS", default=15.0)
# Where the browser is sent to pay; named in the content security policy's form-action.
STRIPE_DEFAULT_CHECKOUT_ORIGIN = "https://checkout.stripe.com"
STRIPE_CHECKOUT_ORIGIN: str = env.str("STRIPE_CHECKOUT_ORIGIN", default=STRIPE_DEFAULT_CHECKOUT_ORIGIN)

# --- The rules an operator may set -----------------------------------------------------------------------------------------
PURCHASE_MIN_USD: Decimal = env.decimal("PURCHASE_MIN_USD", default="5.00")
PURCHASE_MAX_USD: Decimal = env.decimal("PURCHASE_MAX_USD", default="10000.00")
# The most that one of the staff gives back or forgives at once, alone.
STAFF_LIMIT_USD: Decimal = env.decimal("STAFF_LIMIT_USD", default="100.00")
OVERDRAFT_CEILING_USD: Decimal = env.decimal("OVERDRAFT_CEILING_USD", default="10.00")
USAGE_RETENTION_DAYS: int = env.int("USAGE_RETENTION_DAYS", default=400)

# --- Files ---------------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- Safety --------------------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF, STRIPE_CHECKOUT_ORIGIN],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "manifest-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS and PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^health/"]  # asked by load balancers from the inside, in plain HTTP
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS and PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS and PRODUCTION
BEHIND_PROXY: bool = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# Forms and webhooks. The JSON doors take up to 5 MB and measure it themselves.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- How often (orgs/throttle.py; "20/10m": twenty times in ten minutes) ---------------------------------------------------
# How many proxies of our own append to X-Forwarded-For: limits by address count from the last of them.
ALLAUTH_TRUSTED_PROXY_COUNT: int = env.int("TRUSTED_PROXY_COUNT", default=1 if BEHIND_PROXY else 0)
RATES: dict[str, str] = {
    # By person.
    "checkout": env.str("RATE_CHECKOUT", default="60/10m"),
    "new_key": env.str("RATE_NEW_KEY", default="60/10m"),
    "new_team": env.str("RATE_NEW_TEAM", default="20/h"),
    "documents": env.str("RATE_DOCUMENTS", default="120/10m"),
    # By gateway, far above what serves ten thousand keys; by customer's key; by address, for tokens nobody knows.
    "gateway": env.str("RATE_GATEWAY", default="200000/m"),
    "customer_key": env.str("RATE_CUSTOMER_KEY", default="600/m"),
    "unknown_token": env.str("RATE_UNKNOWN_TOKEN", default="120/m"),
}
# allauth's own: by address ("ip"), by person ("user") or by the e-mail address that was typed ("key").
ACCOUNT_RATE_LIMITS = {
    "login": env.str("RATE_SIGN_IN", default="30/m") + "/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": env.str("RATE_SIGN_UP", default="20/m") + "/ip",
    "reset_password": env.str("RATE_PASSWORD_RESET", default="20/m") + "/ip,5/10m/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
    "reauthenticate": "10/m/user",
    "confirm_email": "1/3m/key",
}

# --- Logs: JSON lines, no secrets, no e-mail addresses -------------------------------------------------------------------
# Cleaned as whole lines (portal/redaction.py). The id of a request goes with the tasks it asked for.
DJANGO_STRUCTLOG_CELERY_ENABLED = True
LOG_LEVEL: str = env.str("LOG_LEVEL", default="INFO")
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
                redaction.line,
            ],
            "foreign_pre_chain": [
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.format_exc_info,
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # It tells each address it calls, ids included.
        "stripe": {"level": "WARNING"},
        # Each step of each PDF.
        "weasyprint.progress": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
    },
}
