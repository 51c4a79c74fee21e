"""What a job has left: which paths lead to it, and that none leads anywhere else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_training.engine import output_paths
from jupyter_training.engine.output_paths import MAX_DEPTH, NoSuchOutput, RelativePath
from jupyter_training.engine.outputs import (
    Kind,
    Listing,
    OpenFile,
    UnreadableOutput,
    Window,
    look,
)

SECRET = b"nobody is to read this"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def root(data: Path) -> Path:
    made = data / "jobs" / "job-1" / "output"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    path = tmp_path / "secrets" / "key"
    path.write_bytes(SECRET)
    return path


def listed(
    root: Path, path: str = "", limit: int = 1000, *, recursive: bool = False
) -> list[RelativePath]:
    """The paths of a listing, page after page."""
    found: list[RelativePath] = []
    after: RelativePath = ()
    while True:
        window = Window(limit, after, recursive=recursive)
        page = look(root, output_paths.parse(path), window, within=root.parents[2])
        assert isinstance(page, Listing)
        assert len(page.entries) <= limit
        found += [entry.path for entry in page.entries]
        if not page.more:
            return found
        after = page.end


def content(root: Path, path: str, within: Path | None = None) -> bytes:
    window = Window(1000)
    found = look(root, output_paths.parse(path), window, within=within or root.parents[2])
    assert isinstance(found, OpenFile)
    try:
        return found.read(0, 1 << 20)
    finally:
        found.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Paths.


@pytest.mark.parametrize(
    "path",
    ["..", ".", "a/..", "a/../../b", "./a", "/etc/passwd", "a//b", "a\0b", "//", "/", "a/./b"],
)
def test_a_path_that_leads_elsewhere_is_none(path: str) -> None:
    with pytest.raises(NoSuchOutput, match="not a path below the results"):
        output_paths.parse(path)


def test_a_path_that_is_too_deep_or_too_long(root: Path) -> None:
    with pytest.raises(NoSuchOutput, match="64 directories deep"):
        output_paths.parse("/".join(["a"] * (MAX_DEPTH + 1)))
    with pytest.raises(NoSuchOutput, match="longer than a path can be"):
        look(root, (b"a" * 256,), Window(1), within=root.parents[2])


names = st.binary(min_size=1, max_size=9).filter(
    lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name
)


@given(st.lists(names, max_size=5))
def test_every_name_can_be_told_in_a_url(several: list[bytes]) -> None:
    path = tuple(several)
    assert output_paths.parse(os.fsdecode(b"/".join(path))) == path
    encoded = output_paths.encode(path)
    assert encoded.isascii()
    assert output_paths.decode(encoded) == path
    output_paths.text(path).encode()


@pytest.mark.parametrize(
    ("directory", "root", "expected"),
    [
        ("/home/me/data/jobs/a", "/home/me", "data/jobs/a"),
        ("/home/me", "/home/me", ""),
        ("/home/me/x/../out", "/home/me", "out"),
        ("/home/me/../you/out", "/home/me", None),
        ("/home/meme/out", "/home/me", None),
        ("/home/me/.local/share/out", "/home/me", None),
        ("/.home/me/out", "/.home/me", "out"),
        ("/srv/out", "/", "srv/out"),
    ],
)
def test_where_the_file_browser_shows_them(directory: str, root: str, expected: str | None) -> None:
    assert output_paths.browser_path(Path(directory), Path(root)) == expected


# Listings.


def test_one_that_is_not_there_yet_is_empty(data: Path) -> None:
    nowhere = data / "jobs" / "job-2" / "output"
    assert look(nowhere, (), Window(9), within=data) == Listing((), [], more=False)
    with pytest.raises(NoSuchOutput, match=r"There is no 'a/b' in the results"):
        look(nowhere, (b"a", b"b"), Window(9), within=data)


def test_what_entries_tell(root: Path, secret: Path) -> None:
    (root / "model.pt").write_bytes(b"12345")
    os.utime(root / "model.pt", ns=(0, 1_700_000_000_123_456_789))
    (root / "plots").mkdir()
    (root / "to the secret").symlink_to(secret)
    (root / "nowhere").symlink_to("nothing")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
    page = look(root, (), Window(99), within=root.parents[2])
    assert isinstance(page, Listing)
    told = {output_paths.text(entry.path): (entry.kind, entry.size) for entry in page.entries}
    assert told == {
        "model.pt": (Kind.FILE, 5),
        "nowhere": (Kind.SYMLINK, None),
        "pipe": (Kind.OTHER, None),
        "plots": (Kind.DIRECTORY, None),
        "socket": (Kind.OTHER, None),
        "to the secret": (Kind.SYMLINK, None),
    }
    assert list(told) == sorted(told)
    modified = page.entries[0].modified_at
    assert modified is not None
    assert modified.isoformat() == "2023-11-14T22:13:20.123456+00:00"


NAMES = ["a", "b", "b.txt", "c", "d"]


@given(
    st.sets(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(tuple), max_size=12),
    st.integers(1, 5),
)
def test_pages_are_the_whole_in_order_however_they_are_cut(
    tmp_path_factory: pytest.TempPathFactory, paths: set[tuple[str, ...]], limit: int
) -> None:
    root = tmp_path_factory.mktemp("data") / "jobs" / "job-1" / "output"
    root.mkdir(parents=True)
    for path in paths:
        directory = root.joinpath(*path[:-1])
        if not any(one.is_file() for one in (directory, *directory.parents)):
            directory.mkdir(parents=True, exist_ok=True)
            if not (directory / path[-1]).exists():
                (directory / path[-1]).touch()
    there = sorted(
        tuple(os.fsencode(part) for part in path.relative_to(root).parts)
        for path in root.rglob("*")
    )
    assert listed(root, limit=limit, recursive=True) == there
    assert listed(root, limit=limit) == [path for path in there if len(path) == 1]


def test_names_that_are_not_text(root: Path) -> None:
    names = [b"\xff\xfe.bin", "caf\u00e9".encode(), b"new\nline", b"\x1b[31mred", b"a b%2f", b'"<&']
    for name in names:
        (root / os.fsdecode(name)).write_bytes(name)
    found = listed(root, limit=2)
    assert found == [(name,) for name in sorted(names)]
    for path in found:
        path_again = output_paths.decode(output_paths.encode(path))
        assert content(root, os.fsdecode(b"/".join(path_again))) == path[0]


def test_a_hundred_thousand_files_are_a_page_at_a_time(root: Path) -> None:
    many = root / "many"
    many.mkdir()
    here = os.open(many, os.O_RDONLY)
    for number in range(100_000):
        os.close(os.open(f"{number:06}", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    tracemalloc.start()
    page = look(root, (b"many",), Window(1000, (b"049999",)), within=root.parents[2])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(page, Listing)
    assert [entry.path[1] for entry in page.entries] == [b"%06d" % n for n in range(50_000, 51_000)]
    assert page.more
    assert peak < 4_000_000


def test_a_very_deep_tree_is_listed_as_deep_as_it_can_be_asked_for(root: Path) -> None:
    here = os.open(root, os.O_RDONLY)
    for _ in range(3 * MAX_DEPTH):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    before = open_descriptors()
    found = listed(root, limit=7, recursive=True)
    assert found == [(b"d",) * depth for depth in range(1, MAX_DEPTH + 1)]
    assert open_descriptors() == before


def test_a_directory_that_changes_while_it_is_listed(root: Path) -> None:
    for number in range(300):
        (root / f"{number:03}").touch()
    first = look(root, (), Window(100), within=root.parents[2])
    assert isinstance(first, Listing)
    for number in range(0, 300, 2):
        (root / f"{number:03}").unlink()
    rest = look(root, (), Window(1000, first.end), within=root.parents[2])
    assert isinstance(rest, Listing)
    assert [entry.path for entry in rest.entries] == [(b"%03d" % n,) for n in range(101, 300, 2)]


# Safety.


@pytest.mark.parametrize("path", ["key", "dir/key", "up/secrets/key", "dir", "up"])
def test_no_link_is_followed(root: Path, secret: Path, path: str) -> None:
    (root / "key").symlink_to(secret)
    (root / "dir").symlink_to(secret.parent)
    (root / "up").symlink_to(root.parents[3])
    before = open_descriptors()
    with pytest.raises(NoSuchOutput, match="is a symbolic link"):
        content(root, path)
    assert open_descriptors() == before
    assert all(b"key" not in path[1:] for path in listed(root, recursive=True))


@pytest.mark.parametrize("which", ["output", "job-1", "jobs"])
def test_nor_is_one_on_the_way_to_the_jobs_own_directory(
    root: Path, secret: Path, which: str
) -> None:
    links = {"output": root, "job-1": root.parent, "jobs": root.parents[1]}
    place = links[which]
    aside = place.with_name("aside")
    place.rename(aside)
    place.symlink_to(secret.parent if which == "output" else aside)
    for path in ("", "key"):
        with pytest.raises(NoSuchOutput, match="is a symbolic link"):
            look(root, output_paths.parse(path), Window(9), within=root.parents[2])


def test_a_place_of_the_jobs_own_choice(tmp_path: Path, data: Path, secret: Path) -> None:
    (tmp_path / "disk" / "results").mkdir(parents=True)
    (tmp_path / "disk" / "results" / "a").write_bytes(b"1")
    (tmp_path / "home").symlink_to("disk")
    chosen = tmp_path / "home" / "results"
    # Where it lies is its owner's matter.
    assert content(chosen, "a", data) == b"1"
    chosen.rename(chosen.with_name("aside"))
    chosen.symlink_to(secret.parent)
    with pytest.raises(NoSuchOutput, match="is a symbolic link"):
        content(chosen, "key", data)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: os.mknod(path, 0o20600, os.makedev(1, 5))]
)
def test_what_is_no_file_is_not_opened(root: Path, make: Callable[[Path], None]) -> None:
    try:
        make(root / "thing")
    except PermissionError:
        pytest.skip("only root makes devices")
    with pytest.raises(NoSuchOutput, match="neither a file nor a directory"):
        content(root, "thing")
    with pytest.raises(NoSuchOutput, match="neither a file nor a directory"):
        content(root, "thing/below")


def test_a_file_on_the_way_is_no_directory(root: Path) -> None:
    (root / "file").write_bytes(b"1")
    with pytest.raises(NoSuchOutput, match="'file' is a file and not a directory"):
        content(root, "file/below")
    with pytest.raises(NoSuchOutput, match="There is no 'nothing'"):
        content(root, "nothing")


SWAP_DIRECTORY = """
mine, link = sys.argv[2] + "/mine", sys.argv[2] + "/link"
os.mkdir(mine)
open(mine + "/key", "w").write("mine")
os.symlink(os.path.dirname(sys.argv[1]), link)
print(flush=True)
while True:
    os.rename(mine, "thing")
    os.rename("thing", mine)
    os.rename(link, "thing")
    os.rename("thing", link)
"""
SWAP_FILE = """
mine, link = sys.argv[2] + "/mine", sys.argv[2] + "/link"
open("kept", "w").write("mine")
print(flush=True)
while True:
    os.link("kept", mine)
    os.replace(mine, "thing")
    os.symlink(sys.argv[1], link)
    os.replace(link, "thing")
"""


@pytest.mark.parametrize(("code", "path"), [(SWAP_DIRECTORY, "thing/key"), (SWAP_FILE, "thing")])
def test_whatever_is_swapped_at_whatever_moment(
    root: Path, secret: Path, code: str, path: str
) -> None:
    """A job that replaces a directory, or a file, by a link all the time."""
    (root / "drafts").mkdir()
    swapping = subprocess.Popen(
        [sys.executable, "-c", f"import os, sys{code}", secret, root / "drafts"],
        cwd=root,
        stdout=subprocess.PIPE,
    )
    try:
        assert swapping.stdout is not None
        swapping.stdout.readline()
        tries = read = links = 0
        # How often it is met in which state is the matter of who else needs the processors.
        while tries < 10_000 or min(read, links) <= 50:
            assert tries < 1_000_000, (read, links)
            tries += 1
            try:
                assert content(root, path) == b"mine"
                read += 1
            except NoSuchOutput as refused:
                links += "symbolic link" in str(refused)
    finally:
        swapping.kill()
        swapping.communicate()


def test_what_the_server_may_not_read() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be another user for a moment")
    with TemporaryDirectory() as directory:
        data = Path(directory)
        data.chmod(0o755)
        root = data / "jobs" / "job-1" / "output"
        (root / "closed").mkdir(parents=True)
        (root / "closed" / "a").write_bytes(b"1")
        (root / "closed").chmod(0o700)
        (root / "file").write_bytes(b"1")
        (root / "file").chmod(0o600)
        os.seteuid(65534)
        try:
            for path in ("closed", "closed/a", "file"):
                with pytest.raises(UnreadableOutput, match=f"may not read '{path}': Permission"):
                    content(root, path)
            assert listed(root, recursive=True) == [(b"closed",), (b"file",)]
        finally:
            os.seteuid(0)


# Files.


def test_the_tag_of_a_file_tells_contents_apart(root: Path) -> None:
    path = root / "file"

    def tag() -> str:
        found = look(root, (b"file",), Window(1), within=root.parents[2])
        assert isinstance(found, OpenFile)
        found.close()
        return found.tag

    path.write_bytes(b"one")
    young = tag()
    assert young.startswith('W/"')
    times = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert tag() != young


def test_an_open_file_stays_what_it_was(root: Path, secret: Path) -> None:
    (root / "file").write_bytes(b"0123456789")
    found = look(root, (b"file",), Window(1), within=root.parents[2])
    assert isinstance(found, OpenFile)
    (root / "file").unlink()
    (root / "file").symlink_to(secret)
    assert (found.size, found.read(2, 3), found.read(10, 5)) == (10, b"234", b"")
    found.close()


def test_a_time_that_is_no_date(root: Path) -> None:
    (root / "file").touch()
    try:
        os.utime(root / "file", (0, 2**60))
    except OverflowError:
        pytest.skip("this file system has no such times")
    assert listed(root) == [(b"file",)]
