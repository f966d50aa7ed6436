"""`make reset`: stops what runs here and forgets all state. Tools that were fetched (uv, a browser) stay."""

import os
import signal
import time

from sandbox import local, places, processes
from sandbox.postgres import Cluster

KEPT = {"browsers", "cache", "setup.lock", "uv"}
CLUSTERS = ("postgres", "test-postgres")


def main() -> None:
    _stop_portal()
    processes.stop_leftovers()
    for place in (places.LOCAL, places.ELSEWHERE):
        for name in CLUSTERS:
            if (place / name / "data").exists():
                cluster = Cluster(place / name)
                cluster.halt()
                if cluster.socket_folder != cluster.folder:
                    places.forget(cluster.socket_folder)
    places.forget(places.ELSEWHERE)
    if places.LOCAL.exists():
        for entry in places.LOCAL.iterdir():
            if entry.name in KEPT:
                continue
            if entry.is_dir() and not entry.is_symlink():
                places.forget(entry)
            else:
                entry.unlink()
    print("Reset: the embedded database, queue, mail and logs are gone. The next `make run` begins anew.")


def _stop_portal() -> None:
    """A running `make run` is asked to stop, and waited for."""
    running = local.running_portal()
    if not running:
        return
    pid = int(running["PURSER_RUN_PID"])
    print("Stopping `make run` ...", flush=True)
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 3 * processes.PATIENCE_SECONDS
    while time.monotonic() < end and local.running_portal():
        time.sleep(0.2)


if __name__ == "__main__":
    try:
        main()
    except places.EmbeddedFailed as problem:
        raise SystemExit(str(problem)) from problem
