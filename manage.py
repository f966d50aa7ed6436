#!/usr/bin/env python
"""Django's command line, with the database it needs.

Without DATABASE_URL the embedded database is used: the one `make run` has up, or one started for this command alone.
"""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from sandbox import local

    local.provide_database(sys.argv)

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
