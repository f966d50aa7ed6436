"""`make soak MINUTES=10`: the last line is one JSON object with the figures; the exit code is 0 when nothing differs."""

import os
import sys

from tests.paths import ROOT, operator_variables


def main() -> int:
    # Before anything of the project is imported: its state lies in a folder of its own, and no developer's settings count.
    for name in operator_variables():
        os.environ.pop(name, None)
    os.environ["PURSER_ENV_FILES"] = "none"
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    os.environ.setdefault("PURSER_LOCAL", str(ROOT / ".local" / "soak"))
    from tests.soak import soaking

    return soaking.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
