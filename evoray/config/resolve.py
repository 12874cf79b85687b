"""From a configuration to one in which every value is known: ``resolve(config, facts)``, recorded whole.

Below it nobody sees ``"auto"``. How many workers there are, and how many children are looked at on ``test``, stay open
by intention: the first follows the cluster while the run goes on, the second what the search evaluated.
"""

from dataclasses import dataclass

from evoray.config.schema import ComputeConfig, Dtype, RunConfig
from evoray.errors import ConfigError
from evoray.runtime.auto import given


@dataclass(frozen=True)
class Facts:
    """What a configuration is resolved with.

    has_gpu: whether a worker could have one. batch_size, dtype: the fastest, where they were looked for.
    """

    has_gpu: bool
    batch_size: int | None = None
    dtype: Dtype | None = None


class ResolvedCompute(ComputeConfig):
    """``[compute]`` with what decides last bits known."""

    device: str
    threads_per_worker: int
    gpus_per_worker: float
    dtype: Dtype
    batch_size: int


class ResolvedConfig(RunConfig):
    """A run's configuration once nothing has to be looked up any more but sigma, which the run itself finds."""

    compute: ResolvedCompute


def resolve(config: RunConfig, facts: Facts) -> ResolvedConfig:
    """Every ``"auto"`` replaced by what it stands for here.

    Raises:
        ConfigError: a GPU is asked for and there is none; a batch size or a type is to be found and ``facts`` has none.
    """
    compute = config.compute
    device = _device(compute, facts.has_gpu)
    if compute.cuda_graphs and device == "cpu":
        raise ConfigError("compute.cuda_graphs = true: needs a GPU, the device is cpu. Leave it out.")
    threads, gpus = given(compute.threads_per_worker), given(compute.gpus_per_worker)
    size = given(compute.batch_size) or facts.batch_size
    if size is None:
        raise ConfigError('compute.batch_size = "auto": no size was found. Set a number.')
    dtype = given(compute.dtype) or facts.dtype
    if dtype is None:
        raise ConfigError('compute.dtype = "auto": no type was found. Set one.')
    resolved = {
        "device": device,
        "threads_per_worker": max(1, int(compute.cpus_per_worker)) if threads is None else threads,
        "gpus_per_worker": (0.0 if device == "cpu" else 1.0) if gpus is None else gpus,
        "dtype": dtype,
        "batch_size": size,
    }
    fields = {name: getattr(config, name) for name in RunConfig.model_fields}
    whole = {name: getattr(compute, name) for name in ComputeConfig.model_fields}
    return ResolvedConfig.model_construct(**fields | {"compute": ResolvedCompute.model_construct(**whole | resolved)})


def _device(compute: ComputeConfig, has_gpu: bool) -> str:
    device = given(compute.device)
    if device is None:
        return "cuda" if has_gpu else "cpu"
    if device.startswith("cuda") and not has_gpu:
        raise ConfigError(f"compute.device = {device!r}: no GPU there. Set it to auto or cpu.")
    return device
