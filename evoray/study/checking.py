"""Before a study begins: everything that its runs would stop at one by one is looked at, and named at once."""

from collections.abc import Sequence

from evoray.errors import ModelError, UsageError
from evoray.models import find_weights
from evoray.study.images import has_shards, local_shards
from evoray.study.plan import Case

AT_ONCE = (
    "Of all parents at once: --set run.parent.download=true fetches weights, and --set run.parent.weights=random "
    "tries the study out without them."
)


def check_cases(cases: Sequence[Case], images: bool) -> None:
    """Looks for the weights and shards of cases that are to run; weights are fetched where that is asked for.

    Args:
        images: whether shards that are missing are going to be made.

    Raises:
        UsageError: naming every parent's file whose weights or shards are not there, and what to do.
    """
    problems = _weights(cases)
    if not images:
        problems += _shards(cases)
    if problems:
        raise UsageError("the study cannot begin.\n" + "\n".join(problems))


def _weights(cases: Sequence[Case]) -> list[str]:
    """One problem a file: a study's seeds may share their weights."""
    found: dict[str, UsageError] = {}
    for case in cases:
        parent = case.grid()[0].config.parent
        try:
            find_weights(parent, case.path.resolve().parent)
        except UsageError as error:
            found[f"{case.path}: {error}"] = error
            if parent.download:  # where one cannot be fetched, no other can, and each try may take a minute
                break
    named = any(isinstance(error, ModelError) for error in found.values())
    return [*found, AT_ONCE] if named else list(found)


def _shards(cases: Sequence[Case]) -> list[str]:
    return [
        f'data.path = "{path}" (of {", ".join(file.name for file in files)}): no shards there. Give --images with the '
        "images, and they are made first."
        for path, files in local_shards(cases).items()
        if not has_shards(path, files[0])
    ]
