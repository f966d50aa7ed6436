"""manage.py import_catalog [FILE]: put what is sold into force."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.catalog import publishing
from billing.catalog.file import CatalogUnreadable
from billing.catalog.publishing import CatalogRefused

FIRST_CATALOG = Path(publishing.__file__).with_name("first_catalog.toml")


class Command(BaseCommand):
    help = "Load models, prices, rate limits and plans from a TOML file. What did not change is left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=FIRST_CATALOG, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            changes = publishing.import_file(path, now=timezone.now())
        except (CatalogUnreadable, CatalogRefused) as refused:
            raise CommandError(f"{refused}\nNothing was changed.") from refused
        for change in changes:
            self.stdout.write(change)
        self.stdout.write(f"{path.name}: {len(changes)} changes." if changes else f"{path.name}: nothing changed.")
