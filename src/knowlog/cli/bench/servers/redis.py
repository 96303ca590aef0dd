"""A throw-away Redis, as durable as it can be: every write is on the disk before it is acknowledged."""

import shutil

from knowlog.cli.bench.servers.program import Program, Server

_CONF = """\
bind 127.0.0.1
port {port}
dir "{folder}"
appendonly yes
appendfsync {fsync}
save ""
maxmemory-policy noeviction
daemonize no
"""


class RedisServer(Server):
    """One Redis without a password."""

    name = "Redis"
    packages = "redis-server"
    fsync = "always"
    """When writes reach the disk: always, or everysec."""

    @classmethod
    def installed(cls) -> bool:
        """Whether redis-server is there."""
        return shutil.which("redis-server") is not None

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _launch(self) -> Program:
        configuration = self.folder / "redis.conf"
        configuration.write_text(_CONF.format(port=self.port, folder=self.folder.resolve(), fsync=self.fsync))
        return Program([str(shutil.which("redis-server")), str(configuration)], self.log, {})
