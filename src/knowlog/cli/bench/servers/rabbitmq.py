"""A throw-away RabbitMQ of one node, with an epmd of its own, so that it meets no other Erlang on the machine."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

from knowlog.cli.bench.servers.program import Program, Server, listens
from knowlog.kernel.errors import Unavailable

_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself; the one on PATH is a wrapper that insists on the machine's own folders."""
_CONTROL = _SCRIPT.with_name("rabbitmqctl")
_ELECT = "[ra:trigger_election({N, node()}) || {N, _} <- ra_directory:list_registered(quorum_queues)]."
_USER = "rabbitmq"
_NAMES_TIMEOUT_S = 30.0
_ELECT_TIMEOUT_S = 120.0
_CONF = """\
listeners.tcp.local = 127.0.0.1:{port}
loopback_users.guest = true
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
log.file.level = warning
log.console = false
"""


class RabbitServer(Server):
    """One RabbitMQ, with the user guest that it lets in over loopback alone. Its ports: AMQP, Erlang, epmd."""

    name = "RabbitMQ"
    packages = "rabbitmq-server"
    _names: Program | None = None

    @classmethod
    def installed(cls) -> bool:
        """Whether rabbitmq-server is there."""
        return _SCRIPT.exists() and shutil.which("epmd") is not None

    @property
    def url(self) -> str:
        """The virtual host /."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the server; after a kill, see that each queue has a leader."""
        again = (self.folder / "data").exists()
        super().start()
        if again:
            self._elect()

    def _elect(self) -> None:
        """A single RabbitMQ that was killed may leave a quorum queue without a leader for ever
        (rabbitmq/rabbitmq-server issue 10070). This is what its operator would do.
        """
        command = [str(_CONTROL), "eval", _ELECT]
        deadline = time.monotonic() + _ELECT_TIMEOUT_S
        while True:
            done = subprocess.run(
                command, env={**os.environ, **self._environment()}, user=self._user() or None,
                group=self._user() or None, capture_output=True, text=True, check=False, cwd="/",
            )  # fmt: skip
            if not done.returncode:
                return
            if time.monotonic() > deadline:
                raise Unavailable(f"RabbitMQ's queues cannot be looked at: {done.stderr[-300:]}")
            time.sleep(1)  # on a busy machine the tool may give up before the node has answered it

    def stop(self) -> None:
        """End the server in order, then its epmd."""
        super().stop()
        self._end_names()

    def kill(self) -> None:
        """End both at once."""
        super().kill()
        self._end_names()

    def _end_names(self) -> None:
        if self._names is not None:
            self._names.kill()
            self._names = None

    def _launch(self) -> Program:
        user = self._user()
        (self.folder / "rabbitmq.conf").write_text(_CONF.format(port=self.port))
        (self.folder / "plugins").write_text("[].\n")
        if user:
            account = pwd.getpwnam(user)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
        environment = self._environment()
        self._names = Program(
            [str(shutil.which("epmd")), "-port", str(self.ports[2]), "-address", "127.0.0.1"],
            self.log, environment, user,
        )  # fmt: skip
        deadline = time.monotonic() + _NAMES_TIMEOUT_S
        while not listens(self.ports[2]) and time.monotonic() < deadline:
            time.sleep(0.02)  # a node that does not find it starts one of its own, which nobody would stop
        return Program([str(_SCRIPT)], self.log, environment, user)

    def _user(self) -> str:
        """As root, the package's user, unless it cannot reach the folder."""
        if os.geteuid() != 0:
            return ""
        with contextlib.suppress(KeyError):
            pwd.getpwnam(_USER)
            if all(folder.stat().st_mode & 0o001 for folder in self.folder.resolve().parents):
                return _USER
        return ""

    def _environment(self) -> dict[str, str]:
        own = self.folder.resolve()
        return {
            "HOME": str(own),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": "knowlog@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(own / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(own / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(own / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(own / "data"),
            "RABBITMQ_LOG_BASE": str(own / "logs"),
            "RABBITMQ_PID_FILE": str(own / "pid"),
            "RABBITMQ_DIST_PORT": str(self.ports[1]),
            "ERL_EPMD_PORT": str(self.ports[2]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Idle schedulers sleep instead of spinning: on a small machine that is time taken from the client.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
        }

    def _ready(self) -> bool:
        """Whether it greets: it listens a little before it does."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            probe.settimeout(1)
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(probe.recv(1))
        return False
