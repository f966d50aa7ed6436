from tests.factories.paying import stripe

__all__ = ["stripe"]
