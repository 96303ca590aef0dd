"""Our end of the process that reads strangers' files: starts it when needed, ends it when idle or stuck."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec

from knowlog.formats import Extracted, Limits, Source, wire
from knowlog.ingestion.settings import ParsingSettings
from knowlog.kernel.errors import ParseFailed, Unavailable

_GRACE_S = 5.0
_PASSED_ON = ("LANG", "LC_ALL", "PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Sandbox:
    """Reads one file per child process. Safe for many tasks of one event loop; call `close` at the end."""

    def __init__(self, settings: ParsingSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._busy = 0
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id of the fork server, None while none runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

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
        process, self._process = self._process, None
        self._disconnect()
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _read(self, source: Source, limits: Limits) -> Extracted:
        ours = await self._hand_over()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(self._settings.timeout_s + _GRACE_S):
                return await self._converse(reader, writer, source, limits)
        except TimeoutError:  # the fork server itself is stuck
            await self.close()
            raise self._too_slow() from None
        finally:
            writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: Source, limits: Limits
    ) -> Extracted:
        head, blob = wire.pack_request(source, limits)
        with contextlib.suppress(ConnectionError):  # a child that died says why in its ending
            writer.write(head)
            writer.write(blob)
            await writer.drain()
        try:
            answer = await reader.readexactly(1)
            if answer != wire.REPLY:
                raise self._ended(*wire.ENDING.unpack(await reader.readexactly(wire.ENDING.size)))
            return await self._reply(reader, limits)
        except (asyncio.IncompleteReadError, ConnectionError) as error:  # no word of how the child ended
            raise Unavailable("The process that reads files was ended. Try again.") from error

    async def _reply(self, reader: asyncio.StreamReader, limits: Limits) -> Extracted:
        """Return what a child read; a reply that makes no sense is treated like a crash."""
        try:
            header_bytes, blob_bytes = wire.LENGTHS.unpack(await reader.readexactly(wire.LENGTHS.size))
            if header_bytes > wire.MAX_HEADER_BYTES or blob_bytes > 4 * limits.max_chars:
                raise ValueError("reply outside its limits")
            header, blob = await reader.readexactly(header_bytes), await reader.readexactly(blob_bytes)
            return wire.unpack_reply(header, blob, limits)
        except (asyncio.IncompleteReadError, ValueError, TypeError, KeyError) as error:
            if self.pid is None:
                raise Unavailable("The process that reads files was ended. Try again.") from error
            raise self._ended(-signal.SIGSEGV, late=False) from error

    async def _hand_over(self) -> socket.socket:
        """Return our end of a fresh socket whose other end is with the fork server."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            async with self._starting:
                control = await self._started()
                socket.send_fds(control, [b"f"], [theirs.fileno()])
        except OSError as error:
            ours.close()
            await self.close()
            raise Unavailable(
                f"The process that reads files did not start or ended ({error}). Try again."
            ) from error
        finally:
            theirs.close()
        return ours

    async def _started(self) -> socket.socket:
        if self._control is not None and self.pid is not None:
            return self._control
        await self.close()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = await create_subprocess_exec(
                sys.executable,
                *("-I", "-m", "knowlog.formats.forkserver", str(theirs.fileno())),
                *(str(self._settings.memory_mb * 2**20), str(self._settings.timeout_s)),
                pass_fds=(theirs.fileno(),),
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                start_new_session=True,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                cwd="/",
            )
        return self._control

    def _end_when_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._busy == 0:
            self._idle = asyncio.get_running_loop().call_later(self._settings.idle_s, self._disconnect)

    def _disconnect(self) -> None:
        """Close the control socket, at which an idle fork server ends by itself."""
        control, self._control = self._control, None
        if control is not None:
            control.close()

    def _too_slow(self) -> ParseFailed:
        return ParseFailed(
            f"Reading the file took longer than {self._settings.timeout_s:g} s, the limit for one document."
            " Split it into smaller files, or save it again in a simpler format."
        )

    def _ended(self, exit_code: int, late: bool) -> ParseFailed:
        """Return the reason to show for a child that died before it answered."""
        if late or exit_code in (-signal.SIGALRM, -signal.SIGXCPU):
            return self._too_slow()
        return ParseFailed(
            f"Reading the file needed more than {self._settings.memory_mb} MB of memory or broke the reader:"
            " it is very large, damaged or made to do harm. Save it again in a simpler format, or split it."
        )
