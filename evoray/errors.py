"""What can go wrong, in one tree. Every message says what, where, and what to do.

EvorayError                 exit 1
├── UsageError              exit 2   a command that cannot be carried out as given
│   ├── ConfigError                  a key of the configuration, or what it names
│   ├── DataError                    images, shards, manifests
│   │   └── PictureError             one picture that is not read; an ingest lists it and goes on
│   └── ModelError                   parents and checkpoints
├── LineageError            exit 1   a recipe that does not match its parent, space or weights
└── RunError                exit 1   a run that started and could not finish
    ├── StoppedError         exit 130 Ctrl-C, as a shell ends
    ├── EvaluationError              a user's function raised; names the child and the shard
    └── BackendError                 the cluster cannot do what was asked
        └── NotStartedError          an embedded Ray, before anything of the run has begun
"""


class EvorayError(Exception):
    """Base of all errors that EvoRay raises on purpose; ``exit_code`` is the command line's."""

    exit_code = 1


class UsageError(EvorayError):
    """The request itself is wrong; nothing was started or written."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key, its value, or what it names."""


class DataError(UsageError):
    """Images, shards or manifests that are missing, empty or damaged."""


class PictureError(DataError):
    """One picture that is not read: damaged, of a kind that is refused, or beyond a bound."""


class ModelError(UsageError):
    """A parent network or a checkpoint that cannot be used."""


class LineageError(EvorayError):
    """A lineage that is malformed, or whose parent, space or weights have another digest."""


class RunError(EvorayError):
    """A run that was started and cannot finish."""


class StoppedError(RunError):
    """Ctrl-C; the exit code is the one by which shells and schedulers know it."""

    exit_code = 130


class EvaluationError(RunError):
    """A model or a user's function raised while a child was evaluated on a shard."""


class BackendError(RunError):
    """The backend cannot give what the run needs."""


class NotStartedError(BackendError):
    """An embedded Ray cannot be started; nothing of the run has begun."""
