"""Our end of the process that reads strangers' files: starts it when needed, ends it when idle or stuck."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from dataclasses import dataclass
from itertools import count
from typing import Self

from knowlog.formats import Extracted, Limits, Source, wire
from knowlog.ingestion.settings import ParsingSettings
from knowlog.kernel.errors import ParseFailed, Unavailable

_GRACE_S = 5.0
_PASSED_ON = ("LANG", "LC_ALL", "PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


Ending = tuple[int, bool]
"""Exit code of a child, and whether it was ended for taking too long."""


class _ForkServer:
    """One running fork server and the jobs it was given."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._numbers = count()
        self._endings: dict[int, asyncio.Future[Ending]] = {}
        self._received = b""
        asyncio.get_running_loop().add_reader(control, self._listen)

    @classmethod
    async def start(cls, settings: ParsingSettings) -> Self:
        """Start the process, in a session and an environment of its own."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = await create_subprocess_exec(
                sys.executable,
                *("-I", "-m", "knowlog.formats.forkserver", str(theirs.fileno())),
                *(str(settings.memory_mb * 2**20), str(settings.timeout_s)),
                pass_fds=(theirs.fileno(),),
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                start_new_session=True,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                cwd="/",
            )
        return cls(process, ours)

    @property
    def pid(self) -> int | None:
        """Return the process id, None once the process has ended."""
        return self._process.pid if self._process.returncode is None else None

    @property
    def connected(self) -> bool:
        """Tell whether jobs can be handed over."""
        return self._control.fileno() >= 0 and self.pid is not None

    def hand_over(self, connection: socket.socket) -> "_Job":
        """Give a file's socket to a new child."""
        number = next(self._numbers)
        socket.send_fds(self._control, [wire.JOB.pack(number)], [connection.fileno()])
        self._endings[number] = asyncio.get_running_loop().create_future()
        return _Job(self, number, self._endings[number])

    def end(self, number: int) -> None:
        """End a child whose answer nobody wants any more."""
        with contextlib.suppress(OSError):  # then it ends at its time limit
            self._control.send(wire.JOB.pack(number))

    def disconnect(self) -> None:
        """Close the control socket, at which the process ends itself and its children."""
        if self._control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        for ending in self._endings.values():
            ending.cancel()
        self._endings.clear()

    async def kill(self) -> None:
        """End the process and its children now."""
        self.disconnect()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def _listen(self) -> None:
        try:
            received = self._control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.disconnect()
            return
        self._received += received
        while len(self._received) >= wire.ENDING.size:
            number, code, late = wire.ENDING.unpack_from(self._received)
            self._received = self._received[wire.ENDING.size :]
            ending = self._endings.pop(number, None)
            if ending is not None and not ending.done():
                ending.set_result((code, bool(late)))


@dataclass(frozen=True, slots=True)
class _Job:
    """A file that a child reads. `ending` tells how that child ended."""

    server: _ForkServer
    number: int
    ending: asyncio.Future[Ending]


class Sandbox:
    """Reads each file in a child process of its own. For one event loop; call `close` at the end."""

    def __init__(self, settings: ParsingSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._starting = asyncio.Lock()
        self._server: _ForkServer | None = None
        self._busy = 0
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id of the fork server, None while none runs."""
        return self._server.pid if self._server is not None else None

    async def read(self, source: Source, limits: Limits) -> Extracted:
        """Return the text of a file.

        ParseFailed or UnsupportedType when the file cannot be read within its limits; Unavailable when no
        child process could be started, which says nothing about the file.
        """
        async with self._slots:
            self._busy += 1
            try:
                return await self._read(source, limits)
            finally:
                self._busy -= 1
                self._end_when_idle()

    async def close(self) -> None:
        """End the fork server and every child."""
        if self._idle is not None:
            self._idle.cancel()
        server, self._server = self._server, None
        if server is not None:
            await server.kill()

    async def _read(self, source: Source, limits: Limits) -> Extracted:
        connection, job = await self._hand_over()
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            async with asyncio.timeout(self._settings.timeout_s + _GRACE_S):
                return await self._converse(reader, writer, source, limits, job.ending)
        except asyncio.CancelledError:  # the job was cancelled: the child must not go on for nobody
            job.server.end(job.number)
            raise
        except TimeoutError:  # the fork server itself is stuck
            await self.close()
            raise self._too_slow() from None
        finally:
            writer.close()

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        source: Source,
        limits: Limits,
        ending: asyncio.Future[Ending],
    ) -> Extracted:
        try:
            for part in wire.pack_request(source, limits):
                writer.write(part)
            await writer.drain()
            return await _reply(reader, limits)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._reason(ending) from error
        except (ValueError, TypeError, KeyError) as error:  # a reply that makes no sense
            raise self._broken() from error

    async def _reason(self, ending: asyncio.Future[Ending]) -> ParseFailed | Unavailable:
        """Return why a child ended before it had answered; without word of it, the file is not to blame."""
        await asyncio.wait([ending])
        if ending.cancelled():
            return Unavailable("The process that reads files was ended. Try again.")
        exit_code, late = ending.result()
        if late or exit_code in (-signal.SIGALRM, -signal.SIGXCPU):
            return self._too_slow()
        return self._broken()

    async def _hand_over(self) -> tuple[socket.socket, _Job]:
        """Return our end of a fresh socket whose other end a child has, and that child's job."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            async with self._starting:
                server = await self._started()
                return ours, server.hand_over(theirs)
        except OSError as error:
            ours.close()
            raise Unavailable(
                f"The process that reads files could not be used ({error}). Try again."
            ) from error
        finally:
            theirs.close()

    async def _started(self) -> _ForkServer:
        if self._server is None or not self._server.connected:
            await self.close()
            self._server = await _ForkServer.start(self._settings)
        return self._server

    def _end_when_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._busy == 0 and self._server is not None:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._settings.idle_s, self._server.disconnect)

    def _too_slow(self) -> ParseFailed:
        return ParseFailed(
            f"Reading the file took longer than {self._settings.timeout_s:g} s, the limit for one document."
            " Split it into smaller files, or save it again in a simpler format."
        )

    def _broken(self) -> ParseFailed:
        return ParseFailed(
            f"Reading the file needed more than {self._settings.memory_mb} MB of memory or broke the reader:"
            " it is very large, damaged or made to do harm. Save it again in a simpler format, or split it."
        )


async def _reply(reader: asyncio.StreamReader, limits: Limits) -> Extracted:
    header_bytes, blob_bytes = wire.LENGTHS.unpack(await reader.readexactly(wire.LENGTHS.size))
    if header_bytes > wire.MAX_HEADER_BYTES or blob_bytes > 4 * limits.max_chars:
        raise ValueError("reply outside its limits")
    header, blob = await reader.readexactly(header_bytes), await reader.readexactly(blob_bytes)
    return wire.unpack_reply(header, blob, limits)
