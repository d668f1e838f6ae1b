"""Unix addresses: paths and abstract names, and who may use what is made there."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.datagram import DatagramSource
from pipeline.sources.fifo import FifoSource
from pipeline.sources.stream import StreamSource
from pipeline.sources.unix_address import UnixAddress
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource
from tests.sources.collector import SETTINGS, running

IS_ROOT = os.geteuid() == 0
OTHER_OWNER, OTHER_GROUP = (65534, 65533) if IS_ROOT else (os.geteuid(), os.getegid())
"""Only root may give a file away."""


@pytest.fixture
def name() -> str:
    return f"@syslog-pipeline-test-{os.getpid()}"


@pytest.mark.parametrize(
    ("make", "kind", "scheme"),
    [(UnixStreamSource, socket.SOCK_STREAM, "unix"), (UnixDatagramSource, socket.SOCK_DGRAM, "unixgram")],
)
async def test_abstract_name_has_no_file(
    name: str, make: type[UnixStreamSource | UnixDatagramSource], kind: socket.SocketKind, scheme: str
) -> None:
    """It is there as long as the source is, and is taken only once."""
    source = make(UnixAddress(name), SETTINGS)
    assert source.name == f"{scheme}://{name}"
    async with running(source) as collector:
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.connect(f"\0{name[1:]}")
            client.sendall(b"a\n")
        await collector.wait_lines(1)
        with pytest.raises(SettingError) as caught:
            make(UnixAddress(name), SETTINGS).prepare()
    assert collector.lines == [b"a"]
    assert str(caught.value) == f"Somebody already serves the socket {name}."
    with socket.socket(socket.AF_UNIX, kind) as client, pytest.raises(ConnectionRefusedError):
        client.connect(f"\0{name[1:]}")


def test_abstract_name_too_long_is_refused() -> None:
    """Linux allows 107 bytes."""
    long = "@" + "x" * 108
    with pytest.raises(SettingError) as caught:
        UnixDatagramSource(UnixAddress(long), SETTINGS).prepare()
    assert str(caught.value) == f"The socket {long} cannot be made: AF_UNIX path too long."


@pytest.mark.parametrize("kind", [FifoSource, UnixStreamSource, UnixDatagramSource])
def test_mode_owner_and_group_are_what_the_flags_say(tmp_path: Path, kind: type) -> None:
    """Of pipes and of sockets, whatever the umask."""
    settings = SourceSettings(logs=(), source_mode=0o622, source_owner=str(OTHER_OWNER), source_group=str(OTHER_GROUP))
    path = tmp_path / "made"
    before = os.umask(0o077)
    try:
        source = make_source(kind, path, settings)
        source.prepare()
    finally:
        os.umask(before)
    status = path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o622, OTHER_OWNER, OTHER_GROUP)
    source.close()


@pytest.mark.parametrize("kind", [FifoSource, UnixStreamSource, UnixDatagramSource])
def test_owner_that_cannot_be_set_leaves_nothing(kind: type) -> None:
    """An ordinary user may not give a file away. With the wrong owner it would be there for the wrong ones."""
    before = os.geteuid()
    user = before or OTHER_OWNER
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made"
        path.parent.chmod(0o777)
        os.seteuid(user)
        try:
            with pytest.raises(SettingError) as caught:
                make_source(kind, path, SourceSettings(logs=(), source_owner=str(user + 1))).prepare()
        finally:
            os.seteuid(before)
        assert not os.path.lexists(path)
    verb = "opened" if kind is FifoSource else "made"
    assert str(caught.value).endswith(f"{path} cannot be {verb}: operation not permitted.")


def make_source(kind: type, path: Path, settings: SourceSettings) -> FifoSource | StreamSource | DatagramSource:
    """Return a source of a kind that makes something at `path`."""
    if kind is FifoSource:
        return FifoSource(path, settings)
    source = kind(UnixAddress(str(path)), settings)
    assert isinstance(source, StreamSource | DatagramSource)
    return source
