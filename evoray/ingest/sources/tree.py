"""Every image file below a folder, each real folder once.

What no one means is left aside: hidden folders, ``__MACOSX``, ``._*``, pipes and devices. A link that leads out of the
tree is not opened unless the user says so, nor is one to a folder that is walked already, or above.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import listed
from evoray.ingest.names import IMAGEFOLDER, is_aside, is_aside_folder, is_image, suffix_of
from evoray.runtime.reading import shown


@dataclass
class Walked:
    """Paths from the root, with / between their parts.

    files: image files in the order of their parts; folders: those directly below the root that were walked; seconds:
    those in them.
    aside, odd, out, again: what was left: by its name, as no regular file, as a link out of the tree, as a link to a
    folder that counts once. others: how many files in folders below the root end how, none of which is an image.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    seconds: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def notes(self) -> tuple[str, ...]:
        said = {
            "left aside, since no one means them": self.aside,
            "not read, for they are no regular files": self.odd,
            "links that leave the tree, not opened (--follow-links opens them, or name the real folder)": self.out,
            "links to folders that are counted already, or above": self.again,
        }
        notes = [f"{len(names)} {what}: {listed(names, 3)}" for what, names in said.items() if names]
        if self.others:
            notes.append(
                f"{self.others.total()} files whose names say no image are left aside: {_counted(self.others)}"
            )
        more = Counter(suffix_of(name) for name in self.files if not name.lower().endswith(IMAGEFOLDER))
        if more:
            notes.append(f"{more.total()} images are taken whose suffix ImageFolder leaves aside: {_counted(more)}")
        return tuple(notes)


def _counted(suffixes: Counter[str]) -> str:
    return listed([f"{count} {suffix}" for suffix, count in suffixes.most_common()], 4)


def walk(root: Path, follow: bool = False) -> Walked:
    """The tree below ``root``, itself perhaps a link; raises DataError where a folder cannot be read.

    follow: whether links out of the tree are opened.
    """
    walker = _Walker(str(root), os.path.realpath(root), follow)
    walker.enter("", walker.real)
    for link in walker.links:  # grows as folders behind links are entered: all real folders came first
        walker.enter_link(link)
    found = walker.found
    found.files.sort(key=lambda name: name.split("/"))
    for names in (found.folders, found.seconds, found.aside, found.odd, found.out, found.again):
        names.sort()
    return found


def holds_images(root: Path, links: bool = False) -> bool:
    """Whether a folder below ``root`` holds an image: a look, and no walk. links: those to folders count as such."""
    for at, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_aside_folder(name))
        deep = at != str(root)
        if links and any(os.path.islink(os.path.join(at, name)) for name in folders):
            return True
        if deep and any(is_image(name) and not is_aside(name) for name in files):
            return True
    return False


class _Walker:
    def __init__(self, root: str, real: str, follow: bool) -> None:
        self.root, self.real, self.follow = root, real, follow
        self.found = Walked()
        self.links: list[str] = []
        self._seen: set[str] = set()

    def enter(self, start: str, real: str) -> None:
        """Walks from a folder, links left for later; without recursion, for a tree may be deep."""
        waiting = [(start, real)]
        while waiting:
            relative, path = waiting.pop()
            if path in self._seen:
                continue
            self._seen.add(path)
            if relative and (depth := relative.count("/")) < 2:
                (self.found.seconds if depth else self.found.folders).append(relative)
            for entry in self._entries(relative):
                below = f"{relative}/{entry.name}" if relative else entry.name
                if entry.is_symlink():
                    self._link(below)
                elif entry.is_dir(follow_symlinks=False):
                    if is_aside_folder(entry.name):
                        self.found.aside.append(below)
                    else:
                        waiting.append((below, f"{path}/{entry.name}"))
                else:
                    self._file(below, entry.is_file(follow_symlinks=False))

    def enter_link(self, link: str) -> None:
        real = os.path.realpath(os.path.join(self.root, link))
        if self.real == real or self.real.startswith(f"{real.rstrip('/')}/") or real in self._seen:
            self.found.again.append(link)
        elif not self._may(real):
            self.found.out.append(link)
        else:
            self.enter(link, real)

    def _entries(self, relative: str) -> Iterator[os.DirEntry[str]]:
        path = os.path.join(self.root, relative)
        try:
            with os.scandir(path) as entries:
                yield from sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{shown(path)}: cannot be read ({error.strerror}). Allow it, or move it away.") from None

    def _link(self, below: str) -> None:
        path = os.path.join(self.root, below)
        name = os.path.basename(below)
        try:
            mode = os.stat(path).st_mode
        except OSError:  # leads nowhere, or in a circle
            mode = 0
        if stat.S_ISDIR(mode):
            self.links.append(below) if not is_aside_folder(name) else self.found.aside.append(below)
        elif is_image(name) and mode and not self._may(os.path.realpath(path)):
            self.found.out.append(below)
        else:
            self._file(below, stat.S_ISREG(mode))

    def _file(self, below: str, regular: bool) -> None:
        name = os.path.basename(below)
        if is_aside(name):
            self.found.aside.append(below)
        elif is_image(name):
            (self.found.files if regular else self.found.odd).append(below)
        elif regular and "/" in below:
            self.found.others[suffix_of(name)] += 1

    def _may(self, real: str) -> bool:
        return self.follow or real.startswith(f"{self.real.rstrip('/')}/")
