"""Which columns of a table hold the files and the labels, and whether its first row is a header."""

from collections.abc import Sequence
from pathlib import Path

from evoray.errors import DataError
from evoray.ingest.labels.columns import FILES, INDEX, LABELS, Asked, listed, plain, position
from evoray.ingest.labels.division import is_split
from evoray.ingest.labels.filenames import FileNames
from evoray.ingest.labels.values import ONE, is_number
from evoray.ingest.names import is_image
from evoray.runtime.reading import shown

REMEDY = "Write a line for each image, its file and its label with a comma between, under the header filename,label"
Row = tuple[int, list[str]]
"""A line's number, from 1, and its cells."""


def split_header(path: Path, rows: Sequence[Row], files: FileNames, asked: Asked) -> tuple[list[str], Sequence[Row]]:
    """The header, empty where there is none, and the rows below it."""
    (line, first), rest = rows[0], rows[1:]
    if _is_header(path, line, first, rest, files, asked):
        if not rest:
            raise DataError(f"{shown(path)}: a header and no line below it. {REMEDY}.")
        return first, rest
    return [], rows


def _is_header(path: Path, line: int, first: list[str], rest: Sequence[Row], files: FileNames, asked: Asked) -> bool:
    wanted = {name for name in (asked.file_column, asked.label_column) if name is not None and not name.isdecimal()}
    if wanted & set(first) or {plain(name) for name in wanted} & {plain(cell) for cell in first}:
        return True
    if _is_numbered(first, rest):
        return True
    if any(files.exactly(cell) or is_image(cell) for cell in first):
        return False
    known = [plain(cell) in FILES | LABELS for cell in first]
    if all(known):
        return True
    if any(files.find(cell) for cell in first):
        return False
    if any(known) or not any(any(map(files.find, cells)) for _, cells in rest):
        return any(known)
    return _differs(path, line, first, rest)


def _is_numbered(first: Sequence[str], rest: Sequence[Row]) -> bool:
    """``,0,1``, as pandas numbers columns without names; ``0,1`` where a column below holds pictures alone."""
    row_numbers = INDEX.fullmatch(plain(first[0])) is not None
    columns = first[1:] if row_numbers else first
    if not columns or sorted(columns) != sorted(map(str, range(len(columns)))):
        return False
    widths = {len(cells) for _, cells in rest}
    pictures = len(widths) == 1 and any(
        all(map(is_image, column)) for column in zip(*(cells for _, cells in rest), strict=True)
    )
    return row_numbers or pictures


def _differs(path: Path, line: int, first: list[str], rest: Sequence[Row]) -> bool:
    """Whether a first row of unknown words is no record: others end like images, or have numbers in its place."""
    for at, cell in enumerate(first):
        column = [cells[at] for _, cells in rest if len(cells) > at]
        if column and all(map(is_image, column)):
            return True
        if column and not is_number(cell) and all(map(is_number, column)):
            return True
        if cell in column:
            return False
    raise DataError(
        f"{shown(path)}, line {line}: {listed(first)} is a header, or a record whose file is not here. "
        "Name a header's columns with --file-column and --label-column; else leave the line out."
    )


def file_column(
    path: Path, names: Sequence[str], rows: Sequence[Row], files: FileNames, asked: Asked, header: bool
) -> int:
    """The column whose cells name files of the folder, those with the usual names first."""
    if asked.file_column is not None:
        return position(names, asked.file_column, "--file-column", shown(path))
    columns = range(len(names))
    exact = [sum(bool(files.exactly(cells[at])) for _, cells in rows) for at in columns]
    hits = exact if any(exact) else [sum(bool(files.find(cells[at])) for _, cells in rows) for at in columns]
    if not any(exact) and (near := _nearly(names, rows, files, header, hits)) is not None:
        return near
    found = [at for at in columns if 2 * hits[at] > max(hits)]
    if len(found) > 1:
        found = [at for at in found if plain(names[at]) in FILES - LABELS] or found
        found = [at for at in found if len({cells[at] for _, cells in rows}) == len(rows)] or found
        found = [at for at in found if not (header and _is_open(names[at]))] or found
    if len(found) > 1 and any(len({tuple(files.find(cells[at])) for at in found}) > 1 for _, cells in rows):
        raise DataError(
            f"{shown(path)}: the columns {listed([names[at] for at in found])} name files of the folder. "
            "Say which counts with --file-column."
        )
    named = [name for name in names if plain(name) in FILES] if header and plain(names[found[0]]) in LABELS else []
    if named and not any(exact):  # labels 0, 1, 2 beside the ids 000, 001, 002 of other files than 0.png, 1.png, 2.png
        raise DataError(
            f"{shown(path)}: the column {listed(named, 1)} does not name the folder's files, and "
            f"{shown(names[found[0]], 60)} does. Write the files' names as they are, or say which counts with "
            "--file-column."
        )
    return found[0] if any(exact) else _not_row_numbers(path, names, rows, files, header, found[0])


def _is_open(name: str) -> bool:
    """Whether a column of numbers is no file's by its name: pandas' row numbers, or labels."""
    return plain(name) in LABELS - FILES or INDEX.fullmatch(plain(name)) is not None


def _not_row_numbers(
    path: Path, names: Sequence[str], rows: Sequence[Row], files: FileNames, header: bool, chosen: int
) -> int:
    """The column of files where numbers name pictures (``2`` is 2.png) beside names such as ``10.jpg`` of 10.png.

    Names with a picture's suffix count before numbers without one, and a column that is called so before row numbers.
    """
    columns = range(len(names))
    pictures = {at for at in columns if 2 * sum(is_image(cells[at]) for _, cells in rows) > len(rows)}
    called = {at for at, name in enumerate(names) if header and plain(name) in FILES - LABELS}
    if header:
        pictures -= {at for at, name in enumerate(names) if plain(name) in LABELS - FILES}
    row_numbers = header and INDEX.fullmatch(plain(names[chosen])) is not None
    if chosen in pictures or not (pictures or row_numbers or chosen in called):
        return chosen
    own = [files.resolve(cells[chosen])[0] for _, cells in rows]
    others = {at: [files.resolve(cells[at])[0] for _, cells in rows] for at in (pictures or called) - {chosen}}
    differs = {at: any(one and one != two for one, two in zip(found, own, strict=True)) for at, found in others.items()}
    others = {at: found for at, found in others.items() if differs[at] or (row_numbers and not any(found))}
    best = [at for at, found in others.items() if 2 * sum(map(bool, found)) > sum(map(bool, own))]
    if not others:
        return chosen
    if len(best) == 1 and (row_numbers or best[0] in pictures):
        return best[0]
    raise DataError(
        f"{shown(path)}: which of the columns {listed([names[at] for at in sorted({chosen, *others})])} names the "
        "folder's files? Say which counts with --file-column."
    )


def _nearly(
    names: Sequence[str], rows: Sequence[Row], files: FileNames, header: bool, hits: Sequence[int]
) -> int | None:
    """The column of files where none but one of labels names them as they are: by its name, or by what it nearly names.

    ``1, 2, 3`` of 000001.jpg, 000002.jpg, 000003.jpg.
    """
    named = [at for at, name in enumerate(names) if header and plain(name) in FILES]
    if any(hit for at, hit in enumerate(hits) if not (header and plain(names[at]) in LABELS)):
        return None
    if any(hits) and not (len(named) == 1 and all(files.resolve(cells[named[0]])[0] for _, cells in rows)):
        return None
    if named or header:
        return (named or [0])[0]
    near = [at for at in range(len(names)) if all(files.resolve(cells[at])[0] for _, cells in rows)]
    near = [at for at in near if len({cells[at] for _, cells in rows}) == len(rows)] or near
    return (near or [0])[0]


def label_column(path: Path, names: Sequence[str], rows: Sequence[Row], file: int, asked: Asked, header: bool) -> int:
    """The column of labels: by the usual names, else the only one beside the files."""
    if asked.label_column is not None:
        return position(names, asked.label_column, "--label-column", shown(path))
    others = [at for at in range(len(names)) if at != file]
    known = [at for at in others if header and plain(names[at]) in LABELS]
    left = known or [at for at in others if not (header and _is_beside(names, rows, at, asked))]
    if len(left) == 1:
        return left[0]
    if not left:
        raise DataError(f"{shown(path)}: no column of labels beside that of files. {REMEDY}.")
    if not known:
        _refuse_indicators(path, names, rows, left)
    where = "" if header else " (there is no header: they are counted from 1)"
    raise DataError(
        f"{shown(path)}: the label could be in the columns {listed([names[at] for at in left])}{where}, first row "
        f"{listed(rows[0][1])}. Say which with --label-column; a label with such signs in it wants quotes."
    )


def _is_beside(names: Sequence[str], rows: Sequence[Row], at: int, asked: Asked) -> bool:
    """A column of row numbers, or one that says which split an image is of."""
    of_only = asked.only is not None and plain(asked.only.partition("=")[0]) == plain(names[at])
    return bool(INDEX.fullmatch(plain(names[at]))) or of_only or is_split(names[at], {cells[at] for _, cells in rows})


def _refuse_indicators(path: Path, names: Sequence[str], rows: Sequence[Row], columns: Sequence[int]) -> None:
    """Columns of 0 and 1, one a class."""
    cells = [[row[at] for at in columns] for _, row in rows]
    flags = [at for at in range(len(columns)) if all(row[at] in ("0", "1", "0.0", "1.0", "-1") for row in cells)]
    if len(flags) < 2:
        return
    one = all(sum(float(row[at]) > 0 for at in flags) == 1 for row in cells)
    what = "one-hot labels (a column a class)" if one else "several labels a file (multi-label)"
    raise DataError(
        f"{shown(path)}: this is a list of {what}, in the columns {listed([names[columns[at]] for at in flags], 6)}. "
        f"{ONE}: write the class's name into one column, or name one column with --label-column."
    )
