"""All paths. A new flow or task belongs to one of them: `test_registry.py` asks."""

from tests.crash import ending, paying, using

ALL = (*paying.PATHS, *using.PATHS, *ending.PATHS)
BY_NAME = {path.name: path for path in ALL}
