"""Django's `migrate`, as the owner of the tables; then the application gets the rights that `portal/rights.py` lists."""

import gc
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from portal import rights, roles


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        application = roles.name(connection)
        # Each step renders models anew; at the usual threshold up to a third of the time goes into looking for garbage.
        gc.set_threshold(50_000, 20, 20)
        with roles.as_owner(connection):
            super().handle(*args, **options)
            if options["plan"] or options["check_unapplied"] or roles.name(connection) == application:
                return
            rights.apply(connection, application)
