"""`manage.py verify_statement FILE ...`: is a downloaded statement (JSON) what was issued? Without a database.

Prints what was checked. The exit code is 0 when all is right, 1 when something is not. Customers get the same program from
their statement's page.
"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from billing.statements import verifier


class Command(BaseCommand):
    help = "Checks downloaded statements offline: hashes, sums, and that each continues the one before."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a statement as downloaded from its page (JSON)")

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        if failed := verifier.main(files):
            sys.exit(failed)
