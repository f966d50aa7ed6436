"""Two logins to one database: the application's, with which everything runs, and the owner's, which may change tables.

They are two logins, and neither may become the other: what SQL got in through the application stays the application's.
What the application may do is listed in `portal/rights.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

LOGIN = ("HOST", "PORT", "USER", "PASSWORD", "OPTIONS")


@contextmanager
def as_owner(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """The connection logs in anew as the owner, for this block. Without DATABASE_OWNER_URL it stays as it is."""
    if not settings.DATABASE_OWNER:
        yield
        return
    if connection.in_atomic_block:
        raise RuntimeError("Another login means another connection: not within a transaction.")
    application = {name: connection.settings_dict[name] for name in LOGIN}
    connection.close()
    connection.settings_dict.update({name: settings.DATABASE_OWNER[name] for name in LOGIN})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(application)


def name(connection: BaseDatabaseWrapper) -> str:
    """The role this connection has in the database (a pooler may know it by another name)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (role,) = cursor.fetchone()
    return str(role)
