"""laptop.memory: what is kept between commands."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ipwatch.core.host import HostKey, Pins
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.memory import BOOTS_KEPT, PROVED_KEPT, Memory, Proved, locked, replace

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def key(seed: int) -> HostKey:
    name = b"ssh-ed25519"
    return HostKey(name.decode(), b"".join(len(s).to_bytes(4) + s for s in (name, bytes([seed]) * 32)))


A, B, C = key(1), key(2), key(3)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state" / "ipwatch")


def test_nothing_is_made_by_asking(memory: Memory) -> None:
    """A memory that was never written knows nothing, and looking leaves no folder behind."""
    assert memory.pins("nas") == Pins()
    assert memory.proved("nas") == ()
    assert memory.boots("nas") == ()
    assert not memory.folder.exists()


def test_pins_are_replaced_as_a_whole(memory: Memory) -> None:
    """Pinning pins exactly these keys: the old ones are gone, another host's stay, and so do longer names."""
    memory.pin("nas", [A, B])
    memory.pin("nas.example.org", [C])
    memory.pin("na", [C])
    memory.pin("nas", [C])
    assert memory.pins("nas") == Pins((C,))
    assert memory.pins("nas.example.org") == memory.pins("na") == Pins((C,))
    memory.pin("nas", [])
    assert memory.pins("nas") == Pins()
    assert memory.pins("na") == Pins((C,))


def test_keys_of_the_configuration_count(memory: Memory) -> None:
    """Keys written in laptop.toml are pinned beside those of the file, each once."""
    memory.pin("nas", [A])
    assert memory.pins("nas", [A, B]) == Pins((A, B))


def test_revoked_keys_stay_revoked(memory: Memory) -> None:
    """A revoked key stays revoked whatever is pinned afterwards."""
    memory.revoke("nas", [A])
    memory.pin("nas", [B])
    memory.revoke("nas", [A, C])
    assert memory.pins("nas") == Pins((B,), (A, C))


def test_what_a_user_wrote_into_the_file_stays(memory: Memory) -> None:
    """Comments, lines we can not read and bytes that are no text survive a change."""
    memory.pin("nas", [A])
    written = b"# mine\n\xff\xfe junk\n\x0b\n* ssh-ed25519 bad\n"
    memory.known_hosts.write_bytes(written + memory.known_hosts.read_bytes())
    memory.pin("nas", [B])
    assert memory.known_hosts.read_bytes() == written + f"nas {B.text}\n".encode()


@pytest.mark.real
def test_ssh_keygen_reads_our_file(memory: Memory) -> None:
    """The file is what ssh takes for a known_hosts file."""
    memory.pin("nas", [A])
    command = ["ssh-keygen", "-F", "nas", "-l", "-f", str(memory.known_hosts)]
    assert A.fingerprint in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_proofs_are_kept_latest_first(memory: Memory) -> None:
    """Where a host proved itself is kept, latest first, each place once and not for ever."""
    for n in range(PROVED_KEPT + 3):
        memory.note_proved("nas", f"192.0.2.{n}", 22, "zone", AT + timedelta(hours=n))
    memory.note_proved("nas", "192.0.2.9", 22, "doh", AT + timedelta(days=1))
    memory.note_proved("nas", "192.0.2.9", 23, "doh", AT + timedelta(days=2))
    found = memory.proved("nas")
    assert len(found) == PROVED_KEPT
    assert found[:3] == (
        Proved("192.0.2.9", 23, AT + timedelta(days=2), "doh"),
        Proved("192.0.2.9", 22, AT + timedelta(days=1), "doh"),
        Proved("192.0.2.10", 22, AT + timedelta(hours=10), "zone"),
    )
    assert memory.proved("na") == ()
    memory.note_proved("desktop", "fe80::1%eth0", 22, "lan")
    assert memory.proved("desktop")[0].ip == "fe80::1%eth0"


def test_boots_are_kept_latest_first(memory: Memory) -> None:
    """How long boots took is kept, latest first and not for ever."""
    for n in range(BOOTS_KEPT + 2):
        memory.note_boot("nas", 30.04 + n)
    assert memory.boots("nas") == tuple(30.0 + n for n in range(BOOTS_KEPT + 1, 1, -1))


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", '{"proved": []}', "\xff", "[" * 100_000, '{"proved": {"nas": [], "nas": 7', "\0"],
    ids=range(8),
)
def test_a_damaged_memory_is_begun_anew(memory: Memory, text: str) -> None:
    """A memory.json that can not be read is no fault: it counts as empty, and at the next change it is put aside.
    Pins are not touched by it."""
    memory.pin("nas", [A])
    path = memory.folder / "memory.json"
    path.write_bytes(text.encode("latin-1"))
    assert memory.proved("nas") == ()
    assert path.read_bytes() == text.encode("latin-1")
    memory.note_boot("nas", 7)
    assert memory.boots("nas") == (7.0,)
    assert (memory.folder / "memory.json.damaged").read_bytes() == text.encode("latin-1")
    assert memory.pins("nas") == Pins((A,))


@pytest.mark.parametrize(
    "held",
    [
        7, "x", None, {}, [1], ["x"], [None], [{}], [{"ip": "x", "port": 22, "at": "2026-01-01"}],
        [{"ip": "192.0.2.1", "port": 0, "at": "2026-01-01"}], [{"ip": "192.0.2.1", "port": 22, "at": 7}],
        [{"ip": "192.0.2.1", "port": "x", "at": "2026-01-01"}],
        [{"ip": "192.0.2.1", "port": 1e999, "at": "2026-01-01"}],
    ],
    ids=range(13),
)  # fmt: skip
def test_odd_entries_are_passed_over(memory: Memory, held: object) -> None:
    """Entries of another form than ours are passed over, one by one, and do not keep a new one from being noted."""
    memory.folder.mkdir(parents=True)
    path = memory.folder / "memory.json"
    path.write_text(json.dumps({"proved": {"nas": held}, "boots": {"nas": held if isinstance(held, list) else [held]}}))
    assert memory.proved("nas") == ()
    memory.note_proved("nas", "192.0.2.7", 22, "lan", AT)
    assert memory.proved("nas") == (Proved("192.0.2.7", 22, AT, "lan"),)
    memory.note_boot("nas", 5)
    assert memory.boots("nas")[0] == 5.0


def test_odd_numbers_are_no_boots(memory: Memory) -> None:
    """What is no finite number of seconds is not a boot."""
    memory.folder.mkdir(parents=True)
    path = memory.folder / "memory.json"
    path.write_text('{"boots": {"nas": [true, NaN, Infinity, -1, "9", 30, 31.5]}}')
    assert memory.boots("nas") == (30.0, 31.5)


def test_a_time_without_a_zone_is_utc(memory: Memory) -> None:
    """A time that was written without a zone can still be compared."""
    memory.folder.mkdir(parents=True)
    entry = {"ip": "192.0.2.1", "port": 22, "at": "2026-11-25T12:00:00"}
    (memory.folder / "memory.json").write_text(json.dumps({"proved": {"nas": [entry]}}))
    assert memory.proved("nas") == (Proved("192.0.2.1", 22, AT),)


def test_nobody_else_may_read_it(memory: Memory) -> None:
    """The folder and its files are the user's alone, whatever the umask."""
    before = os.umask(0)
    try:
        memory.pin("nas", [A])
        memory.note_boot("nas", 1)
    finally:
        os.umask(before)
    assert memory.folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in memory.folder.iterdir()} == {"known_hosts", "memory.json", "lock"}
    assert {path.stat().st_mode & 0o777 for path in memory.folder.iterdir()} == {0o600}


def _write(folder: Path, number: int, times: int) -> None:
    memory = Memory(folder)
    for n in range(times):
        memory.pin(f"host-{number}-{n}", [key(number)])
        memory.note_proved(f"host-{number}-{n}", "192.0.2.1", 1 + n, "lan")
        memory.note_boot("all", number)


def test_several_processes_lose_nothing(memory: Memory) -> None:
    """What several processes write at once is all there, and a reader in between always sees whole files."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(memory.folder, n, 12)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        while any(writer.is_alive() for writer in writers):
            text = memory.known_hosts.read_text() if memory.known_hosts.exists() else ""
            assert all(len(row.split()) == 3 for row in text.splitlines())
            memory.proved("host-0-0")
    finally:
        for writer in writers:
            writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    for number in range(4):
        for n in range(12):
            assert memory.pins(f"host-{number}-{n}") == Pins((key(number),))
            assert memory.proved(f"host-{number}-{n}")[0].port == 1 + n
    assert len(memory.boots("all")) == BOOTS_KEPT
    assert not list(memory.folder.glob("*.damaged"))
    assert not list(memory.folder.glob(".*.tmp"))


def test_a_lock_that_is_not_given_up_is_told(memory: Memory) -> None:
    """A process that keeps the lock does not keep the others waiting for ever."""
    memory.pin("nas", [A])
    with (memory.folder / "lock").open("rb+") as other, locked(other.fileno(), 1):
        with (memory.folder / "lock").open("rb+") as mine, pytest.raises(TimeoutError), locked(mine.fileno(), 0.05):
            pass
        with pytest.raises(Trouble, match=r"another ipwatch has held .*lock for 0.1 s") as caught:
            Memory(memory.folder, patience=0.1).pin("nas", [B])
    assert caught.value.kind is Kind.NOT_WELL
    memory.pin("nas", [B])


class Msvcrt:
    """Windows' module as far as it is used: a lock on the first byte that is taken for some tries."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.calls: list[int] = []

    def locking(self, _descriptor: int, mode: int, count: int) -> None:
        assert count == 1
        self.calls.append(mode)
        if mode == self.LK_NBLCK and self.busy:
            self.busy -= 1
            raise PermissionError(13, "Permission denied")


def test_the_lock_of_windows(tmp_path: Path) -> None:
    """On Windows the first byte is locked, tried again while it is taken, and unlocked afterwards, also on a fault."""
    windows = Msvcrt(2)
    with (tmp_path / "lock").open("wb") as file:
        with pytest.raises(KeyError), locked(file.fileno(), 5, "nt", {"msvcrt": windows}.__getitem__):
            raise KeyError
        assert windows.calls == [2, 2, 2, 0]
        windows.busy = 1000
        with pytest.raises(TimeoutError), locked(file.fileno(), 0.05, "nt", {"msvcrt": windows}.__getitem__):
            pass


def failing(times: int, done: Callable[[Path, Path], Any]) -> Callable[[Path, Path], None]:
    left = iter(range(times))

    def move(source: Path, target: Path) -> None:
        for _ in left:
            raise PermissionError(13, "Access is denied")
        done(source, target)

    return move


def test_a_file_open_elsewhere_is_replaced_when_it_is_free(tmp_path: Path) -> None:
    """Where the system refuses to replace an open file, it is tried again for a moment, and then told."""
    (tmp_path / "new").write_text("new")
    replace(tmp_path / "new", tmp_path / "old", failing(3, os.replace))
    assert (tmp_path / "old").read_text() == "new"
    with pytest.raises(PermissionError, match="another program has it open"):
        replace(tmp_path / "old", tmp_path / "new", failing(10**9, os.replace))


@pytest.fixture
def denied(tmp_path: Path) -> Iterator[Path]:
    """A folder that can not be written."""
    folder = tmp_path / "denied"
    folder.mkdir()
    (folder / "known_hosts").write_text("")
    (folder / "known_hosts").chmod(0)
    (folder / "lock").write_text("")
    (folder / "lock").chmod(0o666)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ('Memory(folder / "x").note_boot("nas", 1)', "the folder {}/x can not be used: permission denied"),
        ('Memory(folder).note_boot("nas", 1)', "{}/memory.json can not be written: permission denied"),
        ('Memory(folder).pins("nas")', "{}/known_hosts can not be read: permission denied"),
    ],
)
def test_a_folder_that_may_not_be_used_is_told(denied: Path, code: str, sentence: str) -> None:
    """A folder or file the user may not use ends in one sentence that names it."""
    for folder in denied.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    program = (
        "from pathlib import Path; from ipwatch.laptop.memory import Memory; from ipwatch.core.trouble import Trouble\n"
        f"folder = Path({str(denied)!r})\ntry: {code}\nexcept Trouble as trouble: print(trouble, int(trouble.kind))"
    )
    # The modules are imported before the change of user: nobody may not read them everywhere.
    run = subprocess.run(
        [sys.executable, "-c", f"import ipwatch.laptop.memory, fcntl, os; os.setuid(65534)\n{program}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == sentence.format(denied) + " 1\n"


def test_a_file_in_the_folder_s_place_is_told(tmp_path: Path) -> None:
    """A file where the folder should be, and a folder where a file should be, end in one sentence each."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble, match=r"the folder .*/file can not be used: file exists"):
        Memory(tmp_path / "file").pin("nas", [A])
    (tmp_path / "state" / "known_hosts").mkdir(parents=True)
    with pytest.raises(Trouble, match="known_hosts can not be read: is a directory"):
        Memory(tmp_path / "state").pins("nas")
    (tmp_path / "state" / "memory.json").mkdir()
    (tmp_path / "state" / "memory.json" / "x").mkdir()
    with pytest.raises(Trouble, match=r"memory.json can not be read: is a directory"):
        Memory(tmp_path / "state").note_boot("nas", 1)
