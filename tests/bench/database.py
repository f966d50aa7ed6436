"""A database for one benchmark: made anew, with all tables, on a server that keeps what it writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
import psycopg
from django.core.management import call_command

from sandbox.postgres import Cluster


@contextmanager
def fresh(name: str) -> Iterator[None]:
    """An empty migrated database and Django set up to use it, as superuser: append-only tables are emptied here."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "PURSER_ENV_FILES": "none", "LOG_LEVEL": "ERROR"}
    for other in ("REDIS_URL", "STRIPE_SECRET_KEY", "STRIPE_API_BASE"):
        os.environ.pop(other, None)
    with Cluster(name="bench-postgres") as cluster:
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cluster.ensure_database(name)
        os.environ["DATABASE_URL"] = cluster.url(name, "postgres")
        django.setup()
        call_command("migrate", verbosity=0)
        yield
