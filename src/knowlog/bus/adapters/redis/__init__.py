"""Redis streams: a lane is a stream, leased to one consumer of a group at a time, in Redis itself.

A consumer beats: it says that it lives, gives up lanes that others should have, takes free ones. Whoever gets a lane
takes over what its last owner has left unsettled (XAUTOCLAIM), so that order survives a takeover. What every group has
settled is trimmed away.
"""

from knowlog.bus.adapters.redis.broker import RedisBroker
from knowlog.bus.adapters.redis.streams import lane_name

__all__ = ["RedisBroker", "lane_name"]
