"""All paths. A new flow or task belongs to one of them: `test_registry.py` asks."""

from tests.crash import closing, contracting, ending, giving_back, paying, planning, recharging, saving_cards, using

ALL = (
    *paying.PATHS,
    *using.PATHS,
    *ending.PATHS,
    *giving_back.PATHS,
    *saving_cards.PATHS,
    *recharging.PATHS,
    *closing.PATHS,
    *contracting.PATHS,
    *planning.PATHS,
)
BY_NAME = {path.name: path for path in ALL}
