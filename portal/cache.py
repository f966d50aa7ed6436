"""The cache while Redis is away: empty, and forgetting what it is told. Nobody is turned away for that."""

from typing import Any

import structlog
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


class RedisOrNothing(RedisCache):
    """What counts attempts (sign-in, buying, keys) goes on without counting; what is kept is looked up again."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._or(True, super().add, *args, **kwargs))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._or(default, super().get, key, default, version)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._or(None, super().set, *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._or(False, super().touch, *args, **kwargs))

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._or(False, super().delete, *args, **kwargs))

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._or(False, super().has_key, *args, **kwargs))

    def incr(self, *args: Any, **kwargs: Any) -> int:
        return int(self._or(0, super().incr, *args, **kwargs))

    def _or(self, otherwise: Any, act: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return act(*args, **kwargs)
        except (RedisError, OSError) as away:
            log.warning("cache_away", error=type(away).__name__)
            return otherwise
