from __future__ import annotations

from pathlib import Path

from evoray.ingest.sources import FolderSource
from evoray.ingest.understood import MOST_LINES, understood


def source(classes, labels, notes=()):
    return FolderSource(Path(), tuple(classes), [f"{number}.png" for number in range(len(labels))], labels, notes)


def test_classes_first_records_and_counts_are_said():
    assert understood(source(["cat", "dog", "owl"], [1, 0, 1, 1], ("how it was read",))) == [
        "how it was read",
        "4 images of 3 classes. First: 0.png is dog; 1.png is cat; 2.png is dog",
        "images a class: cat: 1, dog: 3, owl: 0",
    ]


def test_of_many_classes_the_range_is_said():
    lines = understood(source([f"c{number:02d}" for number in range(30)], [0, 0, *range(1, 28)]))
    assert lines[-1] == ("1 to 2 images a class; fewest: c01 (1), most: c00 (2); 2 classes have no images: c28, c29")
    names = [f"c{number:02d}" for number in range(30)]
    assert understood(source(names, range(30)))[-1] == "1 image of each class"
    assert understood(source(names, [*range(30), *range(30)]))[-1] == "2 images of each class"
    assert understood(source(names, [-1]))[-1] == "no images of any of the 30 classes"
    lines = understood(source(names, [0] * 1234 + list(range(1, 30)) * 5))
    assert lines[-1] == "5 to 1,234 images a class; fewest: c01 (5), most: c00 (1,234)"


def test_it_is_a_screen_at_most_and_steers_no_terminal():
    lines = understood(source(["\x1b[2J" + "x" * 5000, "b\nc"], [0, 1, -1], tuple("n" * 999 for _ in range(99))))
    assert len(lines) == MOST_LINES
    lines = understood(source(["\x1b[2J" + "x" * 5000, "b\nc"], [0, 1, -1]))
    assert all(len(line) <= 300 and line.isprintable() for line in lines)
    assert r"0.png is \x1b[2Jxx" in lines[0] and r"1.png is b\x0ac; 2.png is unreadable" in lines[0]


def test_images_of_one_class_alone_are_asked_about():
    assert understood(source(["cat", "images"], [1, 1]))[-1] == "all images are of one class, images: is that meant?"
