"""The steps of a path, counted in the process that walks it, which kills itself at one of them."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from stripe import HTTPClient, RequestsClient

AN_ID = re.compile(r"\b(cus|cs|pi|pm|ch|re|dp|du|evt|txn)_\w+")
READS = re.compile(r"\s*(SELECT (?![a-z_]+\()|SHOW |SET )")
"""A statement that commits nothing of its own. `SELECT some_function()` may do anything, so it is a step."""
TABLE = re.compile(r'\b(?:INTO|UPDATE|FROM|SELECT)\s+"?([a-z_]+)', re.ASCII)


class Steps:
    """Tells of each step that is reached, and at the one called `kill_at` ends this process as a power cut would."""

    transport: type[HTTPClient] = RequestsClient

    def __init__(self, tell: Callable[[str], None], kill_at: int | None) -> None:
        self.tell, self.kill_at = tell, kill_at
        self.reached = 0

    def step(self, what: str) -> None:
        self.reached += 1
        self.tell(what)
        if self.reached == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        """Before it nothing of it is there. After it all of it is, and whoever asked for it has not heard so."""
        self.step(f"before {what}")
        yield
        self.step(f"after {what}")

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what this process commits and what it asks of Stripe."""
        commit, request = vars(BaseDatabaseWrapper)["_commit"], self.transport.request

        def committing(wrapper: BaseDatabaseWrapper) -> Any:
            with self.around("commit"):
                return commit(wrapper)

        def asking(client: HTTPClient, method: str, url: str, *args: Any, **named: Any) -> Any:
            with self.around(f"{method.upper()} {AN_ID.sub('{id}', urlsplit(url).path)}"):
                return request(client, method, url, *args, **named)

        with (
            mock.patch.object(BaseDatabaseWrapper, "_commit", committing),
            mock.patch.object(self.transport, "request", asking),
            connection.execute_wrapper(self._executing),
        ):
            yield

    def _executing(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Outside a transaction each statement that writes is a commit of its own."""
        if context["connection"].in_atomic_block or READS.match(sql):
            return execute(sql, params, many, context)
        verb, table = sql.split(None, 1)[0], TABLE.search(sql)
        with self.around(f"{verb} {table[1] if table else ''}".strip()):
            return execute(sql, params, many, context)
