"""Listening for streams, of whatever address; each connection is split into lines on its own.

To stop without loss: accept no more, remove the socket's file, shut each connection down for
reading, read what is in it, close. A writer then knows what has not been taken
(measured with syslog-ng: 0 lost; a plain close lost 71 of 100,000). Where systemd keeps a socket or a
connection for the next run, it is left to that run as it is, after what it holds has been read.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from contextlib import suppress

import trio

from pipeline.batch import Deliver
from pipeline.descriptors import CONNECTION_NAME
from pipeline.errors import SettingError, describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.intake import Intake, count_waiting, drain
from pipeline.sources.octet_framing import StreamFramer
from pipeline.sources.socket_source import SocketSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.waiting import read_to_end
from pipeline.unix_socket import BoundSocket, is_listening

logger = logging.getLogger(__name__)

ACCEPT_PAUSE_SECONDS = 0.1
"""How long to wait for a descriptor to come free when there is none for a new connection."""

OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

NOTHING_TO_ACCEPT = frozenset(
    {
        errno.EAGAIN,
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENONET,
        errno.ETIMEDOUT,
    }
)
"""Nobody waits, or who did has gone. What was wrong with his connection is no fault of the socket (accept(2))."""


class StreamSource(SocketSource):
    """Listens at one address and reads all connections."""

    idle_seconds = 0.0
    """How long a connection may be silent; 0 is for ever."""

    def __init__(self, name: str, settings: SourceSettings, surroundings: Surroundings | None = None) -> None:
        super().__init__(name, settings, surroundings)
        self.found: list[socket.socket] = []
        self.open_connections: set[socket.socket] = set()
        self.spare = -1
        """A descriptor that is held to be let go: at the end, who waits can be taken even when there is no other."""

    @property
    def waiting_bytes(self) -> int | None:
        """What the connections hold."""
        return count_waiting(connection.fileno() for connection in self.open_connections)

    def prepare(self) -> None:
        self.open(lambda sock: is_listening(sock) and self.is_ours(sock))
        self.found = self.surroundings.descriptors.take_sockets(self.is_ours)
        try:
            self.spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.close()
            raise SettingError(f"{self.name} cannot be read: {describe_os_error(error)}.") from error

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        assert self.sockets, "prepare() comes first"
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                for connection in self.found:
                    self.let_in(connection, nursery, deliver)
                self.found = []
                for listener in self.sockets:
                    nursery.start_soon(self.accept_connections, listener, nursery, deliver)
        finally:
            self.close()

    async def accept_connections(self, listener: BoundSocket, nursery: trio.Nursery, deliver: Deliver) -> None:
        """Serve connections in the nursery until cancelled; then read those that still wait, too."""
        try:
            while True:
                if (connection := await self.accept(listener.socket)) is not None:
                    self.let_in(connection, nursery, deliver)
        except trio.Cancelled:
            if not self.is_kept(listener):
                listener.unlink()
                self.drain_waiting(listener.socket, deliver)
            raise

    async def accept(self, listener: socket.socket) -> socket.socket | None:
        """Return the next connection, or None for one that was refused or is put off."""
        await trio.lowlevel.wait_readable(listener)
        try:
            connection = accept_waiting(listener)
        except OSError as error:
            if error.errno not in OUT_OF_RESOURCES:
                raise
            self.report_failure(error)
            await trio.sleep(ACCEPT_PAUSE_SECONDS)
            return None
        if connection is not None and self.counts.connections >= self.settings.max_connections:
            self.counts.connections_refused += 1
            connection.close()
            return None
        return connection

    def let_in(self, connection: socket.socket, nursery: trio.Nursery, deliver: Deliver) -> None:
        """Have a connection read. It counts from now on, because the next may be accepted before its task begins."""
        self.counts.connections += 1
        self.open_connections.add(connection)
        self.counts.arrivals += 1
        nursery.start_soon(self.serve, connection, deliver)

    async def serve(self, connection: socket.socket, deliver: Deliver) -> None:
        """Read one connection, which counts already, to its end."""
        intake = self.make_intake(deliver, StreamFramer)
        intake.resume(self.surroundings.descriptors.rest_of(connection.fileno()))
        with connection:
            try:
                await read_to_end(connection.fileno(), intake, idle_seconds=self.idle_seconds)
                intake.finish()
            except trio.Cancelled:
                self.end_connection(connection, intake)
                raise
            except OSError as error:
                self.lose_connection(error, intake)
            finally:
                self.counts.connections -= 1
                self.open_connections.discard(connection)

    def end_connection(self, connection: socket.socket, intake: Intake) -> None:
        """Take what a connection holds; then leave it to the next run, or end it."""
        try:
            if not self.leave_connection(connection, intake):
                with suppress(OSError):  # its writer has reset it, perhaps
                    # From here on the writer can send no more, and sees that.
                    connection.shutdown(socket.SHUT_RD)
                drain(connection.fileno(), intake, self.surroundings.may_drain)
                intake.finish()
        except OSError as error:
            self.lose_connection(error, intake)

    def leave_connection(self, connection: socket.socket, intake: Intake) -> bool:
        """Take what a connection holds; return whether the next run will have it and go on with it."""
        descriptors, descriptor = self.surroundings.descriptors, connection.fileno()
        if not descriptors.stores or drain(descriptor, intake, self.surroundings.may_drain):
            return False
        descriptors.store(descriptor, CONNECTION_NAME)
        if not descriptors.leave(descriptor, intake.begun):
            return False
        intake.forget()
        return True

    def drain_waiting(self, listener: socket.socket, deliver: Deliver) -> None:
        """Take what those connections hold that nobody has accepted."""
        self.close_spare()
        try:
            while self.surroundings.may_drain() and (waiting := accept_waiting(listener)) is not None:
                with waiting:
                    self.end_connection(waiting, self.make_intake(deliver, StreamFramer))
        except OSError as error:
            self.counts.errors += 1
            logger.error("%s: what waiting writers have sent is lost: %s.", self.name, describe_os_error(error))

    def lose_connection(self, error: OSError, intake: Intake) -> None:
        """Deliver what a connection held that broke: it was reset by its writer, as a rule."""
        if error.errno != errno.ECONNRESET:
            self.counts.errors += 1
        intake.finish()

    def report_failure(self, error: OSError) -> None:
        """Count a failure to accept; the first of a source is also logged."""
        self.counts.errors += 1
        if self.counts.errors == 1:
            logger.warning(
                "%s: a new connection has to wait: %s. It is tried again every %g s; more failures are only counted.",
                self.name,
                describe_os_error(error),
                ACCEPT_PAUSE_SECONDS,
            )

    def close(self) -> None:
        super().close()
        for connection in self.found:
            connection.close()
        self.found = []
        self.close_spare()

    def close_spare(self) -> None:
        if self.spare >= 0:
            os.close(self.spare)
        self.spare = -1


def accept_waiting(listener: socket.socket) -> socket.socket | None:
    """Return a non-blocking connection that waits to be accepted, or None when there is none."""
    try:
        connection, _ = listener.accept()
    except OSError as error:
        if error.errno in NOTHING_TO_ACCEPT:
            return None
        raise
    connection.setblocking(False)
    return connection
