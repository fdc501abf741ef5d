"""What a job keeps of its source, and the folder it runs in.

A notebook's snapshot is the notebook; a script's is its folder, without what ``.gitignore`` and
``.perijoveignore`` name, there and above in its git repository. A job runs in a folder of its own,
so that two jobs never write into each other's files: it has the snapshot, links to everything else
that lies beside the source (``data/``, ``../data``, helper modules), and an empty ``outputs/``. Two
folders above the root are mirrored as well, for a notebook that no git repository surrounds.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pathspec

from perijove.errors import SnapshotTooLarge
from perijove.models.attempts import OUTPUTS, WORK
from perijove.models.jobs import JobKind
from perijove.services.sources import Source

ALWAYS_IGNORED = (".git/", ".ipynb_checkpoints/", "__pycache__/", ".venv/", "node_modules/")
IGNORE_FILES = (".gitignore", ".perijoveignore")
ABOVE = WORK.count("/")
"""Folders above the root that a job sees."""
Specs = list[tuple[Path, pathspec.GitIgnoreSpec]]
"""What ignore files say, and of which folder; the innermost is last."""
MANY = 1000
"""Entries of a folder above the root that is left out: linking them takes a job's time."""


def take_snapshot(source: Source, target: Path, max_bytes: int, max_files: int) -> None:
    """Copy what the job keeps into `target`, at the same paths as below the root.

    Raises
    ------
    SnapshotTooLarge: the folder passes `max_bytes` or `max_files`; nothing is left behind.
    """
    copied = target / source.path
    copied.parent.mkdir(parents=True)
    if source.kind is JobKind.SCRIPT:
        folder = source.file.parent
        files = list(_measured(folder, max_bytes, max_files, _inherited(folder)))
        for file in files:
            to = copied.parent / file.relative_to(folder)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, to)
    copied.write_bytes(source.content)


def beside(folder: Path, max_bytes: int, max_files: int) -> Iterator[tuple[Path, str]]:
    """Files of a notebook's folder and their paths below it, for a machine that does not share
    it: without what the ignore files name.

    Raises
    ------
    SnapshotTooLarge: the folder passes `max_bytes` or `max_files`.
    """
    for file in _measured(folder, max_bytes, max_files, []):
        yield file, file.relative_to(folder).as_posix()


def _measured(folder: Path, max_bytes: int, max_files: int, above: Specs) -> Iterator[Path]:
    sizes: dict[str, int] = {}
    total = 0
    always = (folder, pathspec.GitIgnoreSpec.from_lines(ALWAYS_IGNORED))
    for count, file in enumerate(_kept(folder, folder, [always, *above]), 1):
        size = file.stat().st_size
        total += size
        top = file.relative_to(folder).parts[0]
        sizes[top] = sizes.get(top, 0) + size
        if total > max_bytes or count > max_files:
            largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
            rule = f"{max_bytes >> 20} MiB" if total > max_bytes else f"{max_files} files"
            raise SnapshotTooLarge(
                f"The snapshot of {folder} must have at most {rule}; "
                f"the most is in {', '.join(largest)}.",
                field="path",
                remedy="Name what the job does not need in .perijoveignore, one pattern a line.",
            )
        yield file


def _kept(folder: Path, top: Path, above: Specs) -> Iterator[Path]:
    specs = [*above, *_said(folder)]
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        is_folder = entry.is_dir(follow_symlinks=False)
        if _is_ignored(Path(entry.path), is_folder, specs):
            continue
        if is_folder:
            yield from _kept(Path(entry.path), top, specs)
        elif entry.is_file(follow_symlinks=False) or _is_link_inside(entry, top):
            yield Path(entry.path)


def _said(folder: Path) -> Specs:
    """What the ignore files of one folder say."""
    lines: list[str] = []
    for name in IGNORE_FILES:
        try:
            if (folder / name).is_file():
                lines += (folder / name).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
    return [(folder, pathspec.GitIgnoreSpec.from_lines(lines))] if lines else []


def _inherited(folder: Path) -> Specs:
    """What the ignore files above `folder` say, up to the root of its git repository; nothing where
    they ignore the folder itself: its script was asked for all the same."""
    way: list[Path] = []
    for place in (folder, *folder.parents):
        way.insert(0, place)
        if (place / ".git").exists():
            break
    else:
        return []
    specs: Specs = []
    for outer, inner in pairwise(way):
        specs += _said(outer)
        if _is_ignored(inner, True, specs):
            return []
    return specs


def _is_ignored(path: Path, is_folder: bool, specs: Specs) -> bool:
    """As git decides: the innermost file that says something about it."""
    for base, spec in reversed(specs):
        relative = path.relative_to(base).as_posix() + "/" * is_folder
        if (ignored := spec.check_file(relative).include) is not None:
            return ignored
    return False


def _is_link_inside(entry: os.DirEntry[str], top: Path) -> bool:
    """A link to a regular file below `top`; one that leads out is not followed."""
    real = Path(os.path.realpath(entry.path))
    return entry.is_symlink() and real.is_file() and real.is_relative_to(top.resolve())


def lay_out(kind: JobKind, path: str, snapshot: Path, origin: Path, work: Path) -> Path:
    """Make the working folder below `work`; returns where the job starts.

    `origin` is the root the snapshot was taken from; what lies above it appears above `work`.
    Calling it again completes a half-made one.
    """
    here = work / PurePosixPath(path).parent
    here.mkdir(parents=True, exist_ok=True)
    if kind is JobKind.SCRIPT:
        shutil.copytree(snapshot, work, dirs_exist_ok=True)
    (here / OUTPUTS).mkdir(exist_ok=True)
    level, mirrored = origin, work
    for part in (*PurePosixPath(path).parent.parts, None):
        _link_entries(level, mirrored)
        if part is not None:
            level, mirrored = level / part, mirrored / part
    for level, mirrored in zip(_above(origin), work.parents[:ABOVE], strict=False):
        _link_entries(level, mirrored)
    return here


def _above(root: Path) -> Iterator[Path]:
    """The folders above the root, up to one that is nobody's project."""
    for inner, folder in zip((root, *root.parents), root.parents[:ABOVE], strict=False):
        try:
            shared = folder.stat().st_mode & stat.S_ISVTX  # /tmp and its like
            with os.scandir(folder) as entries:
                many = sum(1 for _ in entries) > MANY
        except OSError:
            return
        if inner == Path.home() or folder == Path.home() or len(folder.parts) == 1:
            return
        if shared or many:
            return
        yield folder


def _link_entries(origin: Path, target: Path) -> None:
    try:
        with os.scandir(origin) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return  # the source was moved away since: the job has its snapshot
    present = set(os.listdir(target))
    for name in names:
        if name not in present and name not in (".git", ".ipynb_checkpoints"):
            os.symlink(origin / name, target / name)
