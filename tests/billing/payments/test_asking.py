"""One after the other is asked about, whatever became of the one before."""

import pytest
from structlog.testing import capture_logs

from billing.payments import asking, gateway


@pytest.mark.parametrize(
    ("fault", "event", "level"),
    [
        (gateway.Unknown("nobody answered"), "refund_not_read", "warning"),
        (ZeroDivisionError("of ours"), "refund_not_polled", "error"),
    ],
)
def test_one_that_fails_does_not_stop_the_others_and_is_written_down(fault: Exception, event: str, level: str) -> None:
    seen = []

    def ask(name: str) -> None:
        seen.append(name)
        if name == "second":
            raise fault

    with capture_logs() as logged:
        assert asking.about_each(["first", "second", "third"], ask, what="refund") == 2
    assert seen == ["first", "second", "third"]
    assert [(line["event"], line["log_level"], line["refund"]) for line in logged] == [(event, level, "second")]
