"""`make soak`: days of trouble in minutes. Everything real is up and used, is killed again and again, and then the books are
asked. Start reading in `soaking.py`; what counts as a difference is in `oracles.py`."""
