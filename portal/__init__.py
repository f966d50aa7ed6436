"""The Django project: settings, addresses, the clock, health. Everything else lives in orgs/ and billing/."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
