"""Small networks for 3x8x8 images and 5 classes: pure ones, and every way of not being one that reports tell of.

Each is a class without arguments, built by ``parent.name = "networks:Name"``.
"""

from __future__ import annotations

import functools
import random
import threading
import time
import warnings

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm


def _quietly(make, *args):
    """What PyTorch calls deprecated and users still have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args)


class Plain(nn.Module):
    """Convolution, ReLU, mean, linear; derived classes put something between or in place of its steps."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2)
        self.body = nn.Identity()
        self.fc = nn.Linear(6, 5)

    def features(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x)).mean((2, 3))

    def middle(self, x: Tensor) -> Tensor:
        return self.body(x)

    def forward(self, x):
        return self.fc(self.middle(self.features(x)))


# impure: two passes, batches, threads


class CountsInABuffer(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def middle(self, x):
        self.seen += 1
        return x * self.seen


class CountsInANumber(Plain):
    calls = 0

    def middle(self, x):
        self.calls += 1
        return x / self.calls


class CountsToFifty(Plain):
    """Nothing shows in the first passes."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def middle(self, x):
        self.calls += 1
        return x if self.calls < 50 else x * 2


class CountsElsewhere(Plain):
    """In an object that is no module."""

    def __init__(self):
        super().__init__()
        self.statistics = {"calls": [0]}

    def middle(self, x):
        self.statistics["calls"][0] += 1
        return x


class AveragesInABuffer(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("average", torch.zeros(6), persistent=False)

    def middle(self, x):
        self.average.mul_(0.9).add_(0.1 * x.mean(0))
        return x


class AveragesInAnAttribute(Plain):
    def __init__(self):
        super().__init__()
        self.average = torch.zeros(6)

    def middle(self, x):
        self.average = 0.99 * self.average + 0.01 * x.mean(0)
        return x - self.average


class DropoutByFunction(Plain):
    def middle(self, x):
        return F.dropout(x, 0.5, training=True)


class MonteCarloDropout(Plain):
    def __init__(self):
        super().__init__()
        self.body = nn.Dropout(0.5)

    def train(self, mode=True):
        super().train(mode)
        self.body.training = True
        return self


class SwitchesDropoutOn(Plain):
    def __init__(self):
        super().__init__()
        self.body = nn.Dropout(0.5)

    def middle(self, x):
        self.body.train()
        return self.body(x)


class Noise(Plain):
    def middle(self, x):
        return x + 0.01 * torch.randn_like(x)


class NumpyNoise(Plain):
    def middle(self, x):
        return x + float(np.random.rand())


class PythonNoise(Plain):
    def middle(self, x):
        return x * random.uniform(0.9, 1.1)


class NoiseOfItsOwn(Plain):
    def __init__(self):
        super().__init__()
        self.random = np.random.default_rng(0)

    def middle(self, x):
        return x + float(self.random.random())


class DropsALayerNowAndThen(Plain):
    """One pass in five is another: two passes say nothing most of the time."""

    def middle(self, x):
        return x if torch.rand(()) < 0.8 else torch.zeros_like(x)


class PermutesChannels(Plain):
    def middle(self, x):
        return x[:, torch.randperm(6)]


class Gumbel(Plain):
    def middle(self, x):
        return F.gumbel_softmax(x)


class RandomReLU(Plain):
    def middle(self, x):
        return F.rrelu(x - 1, training=True)


class TellsTheTime(Plain):
    def middle(self, x):
        return x + (time.perf_counter_ns() % 1009) / 1009


class RenormalisesData(Plain):
    def middle(self, x):
        self.fc.weight.data /= self.fc.weight.data.norm(dim=1, keepdim=True)
        return x


class RenormalisesLongOnes(Plain):
    """As its parent stands, nothing is written: a child's weights are longer."""

    def __init__(self):
        super().__init__()
        with torch.no_grad():
            self.fc.weight.div_(self.fc.weight.norm(dim=1, keepdim=True))

    def middle(self, x):
        with torch.no_grad():
            self.fc.weight.div_(self.fc.weight.norm(dim=1, keepdim=True).clamp_min(1.0001))
        return x


class AssignsAParameter(Plain):
    def middle(self, x):
        self.fc.weight = nn.Parameter(self.fc.weight * 0.99)
        return x


class ClampsInPlace(Plain):
    def middle(self, x):
        self.conv.weight.data.clamp_(-0.1, 0.1)
        return x


class EmbeddingByFunction(Plain):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(6, 6))

    def middle(self, x):
        return x + F.embedding(x.argmax(1), self.table, max_norm=1.0)


class InitialisesFromData(Plain):
    """ActNorm: the first batch sets scale and shift."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(6))
        self.register_buffer("ready", torch.tensor(False))

    def middle(self, x):
        if not self.ready:
            self.shift.data.copy_(-x.mean(0))
            self.ready.fill_(True)
        return x + self.shift


class BatchStatistics(Plain):
    def __init__(self):
        super().__init__()
        self.body = nn.BatchNorm1d(6, track_running_stats=False)

    def features(self, x):
        return torch.relu(self.conv(x)).mean((2, 3))


class BatchStatisticsInPictures(Plain):
    """Of each channel, over rows and columns too: an image alone has some."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(6, track_running_stats=False)

    def features(self, x):
        return torch.relu(self.norm(self.conv(x))).mean((2, 3))


class NormAlwaysTraining(Plain):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(6)

    def features(self, x):
        self.norm.train()
        return torch.relu(self.norm(self.conv(x))).mean((2, 3))


class CentresTheBatch(Plain):
    def middle(self, x):
        return x - x.mean(0)


class ScalesByTheBatch(Plain):
    def features(self, x):
        return super().features(x / x.abs().max())


class QuantizesByTheBatch(Plain):
    """One scale for all images, as dynamic quantization takes it."""

    def middle(self, x):
        step = x.abs().max() / 127
        return (x / step).round() * step


class CentresLargeBatches(Plain):
    def middle(self, x):
        return x - x.mean(0) if len(x) > 6 else x


class HalvesLargeBatches(Plain):
    """A batch that is cut, whose second part goes another way."""

    def middle(self, x):
        return torch.cat([x[:6], x[6:] / 2])


class MultipliesRounding(Plain):
    """Its last digits are other ones in a batch of one or of many, as kernels' are, and then doubled forty times."""

    def middle(self, x):
        x = torch.sigmoid(9 * x + 1) * (1 + 2**-23 * (len(x) == 1 or len(x) > 6))
        for _ in range(40):
            x = 3.9 * x * (1 - x)
        return x


class PadsItsBatch(Plain):
    def forward(self, x):
        return super().forward(torch.cat([x, torch.zeros(-len(x) % 8, *x.shape[1:])]))[: len(x)]


class SoftmaxOverImages(Plain):
    def middle(self, x):
        return x.softmax(0)


class MixesUp(Plain):
    def middle(self, x):
        return 0.9 * x + 0.1 * x.flip(0)


class SumsUpImages(Plain):
    """Each image and those before it."""

    def middle(self, x):
        return x.cumsum(0)


class AttendsToOtherImages(Plain):
    """Batch and sequence the wrong way around."""

    def __init__(self):
        super().__init__()
        self.body = nn.MultiheadAttention(6, 2)

    def middle(self, x):
        return self.body(x, x, x)[0]


class DividesByTheirNumber(Plain):
    def middle(self, x):
        return x / len(x)


class CountsRows(Plain):
    def middle(self, x):
        return x + torch.arange(len(x)).view(-1, 1)


class NoiseBySeed(Plain):
    def middle(self, x):
        return x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


class SqueezesOne(Plain):
    def forward(self, x):
        return super().forward(x).squeeze()


class CountsInAClosure(Plain):
    def __init__(self):
        super().__init__()
        calls = [0]

        def count():
            calls[0] += 1

        self.count = count

    def middle(self, x):
        self.count()
        return x


CALLS = 0
SEEN: list[float] = []


class CountsInAGlobal(Plain):
    def middle(self, x):
        global CALLS
        CALLS += 1
        return x if CALLS < 1000 else 2 * x


def _remember(x):
    SEEN.append(0.0)
    return x


class CountsInAHelper(Plain):
    def middle(self, x):
        return _remember(x)


class CountsOnItsClass(Plain):
    calls = 0

    def middle(self, x):
        type(self).calls += 1
        return x


class ChangesLater(Plain):
    """Where nobody looks, after more passes than are made before a run."""

    def __init__(self):
        super().__init__()
        self.ticks = iter(range(10**9))

    def middle(self, x):
        return x if next(self.ticks) < 40 else 10 * x


class HiddenState(Plain):
    def __init__(self):
        super().__init__()
        self.hidden = torch.zeros(6)

    def middle(self, x):
        self.hidden = torch.tanh(self.hidden + x.mean(0))
        return x + self.hidden


class KeepsKeys(Plain):
    """A cache of keys that grows with every pass."""

    def __init__(self):
        super().__init__()
        self.keys = []

    def middle(self, x):
        self.keys.append(x[:1])
        return x + torch.cat(self.keys).mean(0)


class RemembersTheBatchBefore(Plain):
    last = None

    def middle(self, x):
        found = x if self.last is None else x + self.last.mean()
        self.last = x
        return found


class OtherwiseOnThreads(Plain):
    def middle(self, x):
        return x if threading.current_thread() is threading.main_thread() else x * 2


# not determined by what is exported


class KernelOfTheFirstPass(Plain):
    kernel = None

    def middle(self, x):
        if self.kernel is None:
            self.kernel = self.fc.weight * 2
        return x + x @ self.kernel.T @ self.kernel


class HeadOfTheFirstPass(Plain):
    """All that a child changes is kept from its parent."""

    kept = None

    def forward(self, x):
        if self.kept is None:
            self.kept = self.conv.weight.clone(), self.fc.weight.clone()
        return torch.relu(F.conv2d(x, self.kept[0])).mean((2, 3)) @ self.kept[1].T


class FusesAtEvalOnce(Plain):
    kernel = None

    def train(self, mode=True):
        super().train(mode)
        if not mode and self.kernel is None:
            self.kernel = self.fc.weight.detach().clone() * 2
        return self

    def forward(self, x):
        return self.features(x) @ self.kernel.T


class MergesAtEval(Plain):
    """LoRA: what is added at eval() is added again where an export is loaded."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Parameter(torch.randn(5, 2)), nn.Parameter(torch.randn(2, 6))
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.fc.weight.data += (self.up @ self.down).data * (-1 if mode else 1)
            self.merged = not mode
        return self


class DropsBranchesAtEval(Plain):
    """RepVGG: two kernels become one, and their parameters are gone."""

    def __init__(self):
        super().__init__()
        self.second = nn.Conv2d(3, 6, 3, stride=2)

    def train(self, mode=True):
        super().train(mode)
        if not mode and hasattr(self, "second"):
            self.conv.weight.data += self.second.weight.data
            del self.second
        return self


class AliasesData(Plain):
    def __init__(self):
        super().__init__()
        self.matrix = self.fc.weight.data

    def forward(self, x):
        return self.features(x) @ self.matrix.T + self.fc.bias


class ViewOfAWeight(Plain):
    def __init__(self):
        super().__init__()
        self.first_rows = self.fc.weight.detach()[:2]

    def middle(self, x):
        return x + self.first_rows.mean()


class ListOfLayers(Plain):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(6, 6), nn.Linear(6, 6)]

    def middle(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class DictOfWeights(Plain):
    def __init__(self):
        super().__init__()
        self.weights = {"gate": torch.randn(6)}

    def middle(self, x):
        return x * self.weights["gate"]


class RandomProjection(Plain):
    def __init__(self):
        super().__init__()
        self.projection = torch.randn(6, 6)

    def middle(self, x):
        return x @ self.projection


class RandomBuffer(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("projection", torch.randn(6, 6), persistent=False)

    def middle(self, x):
        return x @ self.projection


class BufferOfWeights(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("length", self.fc.weight.detach().norm(), persistent=False)

    def middle(self, x):
        return x / self.length


class NumberOfAWeight(Plain):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(()))
        self.factor = self.scale.item()

    def middle(self, x):
        return x * self.factor


class WeightsInNumpy(Plain):
    def __init__(self):
        super().__init__()
        self.matrix = np.random.default_rng(torch.initial_seed()).normal(size=(6, 6)).astype(np.float32)

    def middle(self, x):
        return x @ torch.from_numpy(self.matrix)


class BoundFunction(Plain):
    def __init__(self):
        super().__init__()
        self.apply_head = functools.partial(F.linear, weight=self.fc.weight.detach().clone())

    def forward(self, x):
        return self.apply_head(self.features(x)) + self.fc.bias


class Closure(Plain):
    def __init__(self):
        super().__init__()
        weight = torch.randn(6)
        self.gate = lambda x: x * weight

    def middle(self, x):
        return self.gate(x)


class OverlappingParameters(Plain):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 2)
        self.head.weight = nn.Parameter(self.fc.weight.data[:2])

    def forward(self, x):
        x = self.features(x)
        return self.fc(x) + self.head(x).sum(1, keepdim=True)


class CachedByArguments(Plain):
    @functools.lru_cache(maxsize=8)  # noqa: B019
    def kernel(self):
        return self.fc.weight.detach().clone()

    def middle(self, x):
        return x + x @ self.kernel().T @ self.kernel()


class LoadsOtherwise(Plain):
    """What is loaded is not what was saved."""

    def __init__(self):
        super().__init__()
        self.register_load_state_dict_pre_hook(self._halve)

    @staticmethod
    def _halve(module, state, *_):
        state["fc.weight"] = state["fc.weight"] / 2


class SavesWithoutTheHead(Plain):
    def state_dict(self, *args, **kwargs):
        return {name: tensor for name, tensor in super().state_dict(*args, **kwargs).items() if "fc" not in name}


class ExtraState(Plain):
    def get_extra_state(self):
        return {"version": 3}

    def set_extra_state(self, state):
        pass


class ExpandedParameter(Plain):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.randn(1).expand(6))

    def middle(self, x):
        return x * self.gate


class UnusedOnly(Plain):
    """Chosen for mutation: ``unused`` alone."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(6, 6)


class Lazy(Plain):
    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(5)


class MaxNorm(Plain):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(6, 6, max_norm=1.0)

    def middle(self, x):
        return x + self.table(x.argmax(1))


class HoldsALock(Plain):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class NeedsGradients(Plain):
    def middle(self, x):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(x.square().sum(), x)
        return slope


# probabilities in place of logits


class Softmax(Plain):
    def __init__(self):
        super().__init__()
        self.out = nn.Softmax(dim=1)

    def forward(self, x):
        return self.out(super().forward(x))


class SoftmaxInPercent(Plain):
    def forward(self, x):
        return 100 * super().forward(x).softmax(1)


class SoftmaxInBytes(Plain):
    def forward(self, x):
        return super().forward(x).softmax(1) * 255


class SoftmaxByFunction(Plain):
    def forward(self, x):
        return super().forward(x).softmax(1)


class SoftmaxHalf(Plain):
    """Rounded to sixteen bits on the way."""

    def forward(self, x):
        return super().forward(x).softmax(1).bfloat16()


class MeanOfSoftmax(Plain):
    def forward(self, x):
        logits = super().forward(x)
        return (logits.softmax(1) + (2 * logits).softmax(1)) / 2


class Sigmoid(Plain):
    def __init__(self):
        super().__init__()
        self.out = nn.Sigmoid()

    def forward(self, x):
        return self.out(super().forward(x))


class HardSigmoid(Plain):
    def forward(self, x):
        return F.hardsigmoid(super().forward(x))


class ExpOfLogSoftmax(Plain):
    def forward(self, x):
        return super().forward(x).log_softmax(1).exp()


class NormalisedCounts(Plain):
    def forward(self, x):
        counts = F.softplus(super().forward(x))
        return counts / counts.sum(1, keepdim=True)


# pure, although something looks as if they were not


class LogSoftmax(Plain):
    def forward(self, x):
        return super().forward(x).log_softmax(1)


class EndsInReLU(Plain):
    def forward(self, x):
        return torch.relu(super().forward(x) * 0.01)


class ZeroHead(Plain):
    def __init__(self):
        super().__init__()
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)


class BiasesKeptAtEval(Plain):
    """As LeViT keeps its attention biases: dropped in train()."""

    def __init__(self):
        super().__init__()
        self.biases = nn.Parameter(torch.randn(3))
        self.register_buffer("places", torch.tensor([0, 1, 2, 0, 1, 2]), persistent=False)
        self.kept = {}

    def train(self, mode=True):
        super().train(mode)
        self.kept = {}

    def middle(self, x):
        if self.training:
            return x + self.biases[self.places]
        key = str(x.device)
        if key not in self.kept:
            self.kept[key] = self.biases[self.places]
        return x + self.kept[key]


class KeptInside(Plain):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(BiasesKeptAtEval(), nn.Identity())

    def forward(self, x):
        return self.inner(x) + super().forward(x)


class FusesAtEvalAnew(Plain):
    def train(self, mode=True):
        super().train(mode)
        self.kernel = None if mode else self.fc.weight.detach().clone() * 2
        return self

    def forward(self, x):
        return self.features(x) @ self.kernel.T


class FusesInEval(Plain):
    kernel = None

    def eval(self):
        super().eval()
        self.kernel = self.fc.weight.detach().clone()

    def forward(self, x):
        return self.features(x) @ self.kernel.T


class TrainReturnsNothing(Plain):
    def train(self, mode=True):
        super().train(mode)


class OldWeightNorm(Plain):
    def __init__(self):
        super().__init__()
        self.body = _quietly(weight_norm, nn.Linear(6, 6))


class WeightNorm(Plain):
    def __init__(self):
        super().__init__()
        self.body = parametrizations.weight_norm(nn.Linear(6, 6))


class OldSpectralNorm(Plain):
    def __init__(self):
        super().__init__()
        self.body = spectral_norm(nn.Linear(6, 6))


class SpectralNorm(Plain):
    def __init__(self):
        super().__init__()
        self.body = parametrizations.spectral_norm(nn.Linear(6, 6))


class _Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).T


class Symmetric(Plain):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 6)
        parametrize.register_parametrization(self.body, "weight", _Symmetric())


class StandardisesWeights(Plain):
    """Anew in every pass, into a new tensor."""

    def features(self, x):
        weight = self.conv.weight
        weight = (weight - weight.mean((1, 2, 3), keepdim=True)) / weight.std((1, 2, 3), keepdim=True)
        return torch.relu(F.conv2d(x, weight, self.conv.bias, stride=2)).mean((2, 3))


class Groups(Plain):
    def __init__(self):
        super().__init__()
        self.norm = nn.Sequential(nn.GroupNorm(2, 6), nn.InstanceNorm2d(6, affine=True), nn.BatchNorm2d(6))

    def features(self, x):
        return torch.relu(self.norm(self.conv(x))).mean((2, 3))


class Tied(Plain):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def middle(self, x):
        return self.second(torch.relu(self.first(x)))


class Recurrent(Plain):
    def __init__(self):
        super().__init__()
        self.body = nn.LSTM(3, 3, batch_first=True)

    def middle(self, x):
        return self.body(x.view(-1, 2, 3))[0].flatten(1)


class Attention(Plain):
    def __init__(self):
        super().__init__()
        self.body = nn.TransformerEncoderLayer(6, 2, 12, batch_first=True)

    def middle(self, x):
        return self.body(x[:, None])[:, 0]


class ComplexWeights(Plain):
    """A filter in the Fourier domain (FNO, GFNet): its imaginary part counts."""

    def __init__(self):
        super().__init__()
        self.filter = nn.Parameter(torch.randn(6, 2, 2, dtype=torch.complex64))

    def features(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(self.conv(x)[..., :2, :2]) * self.filter, s=(2, 2)).mean((2, 3))


class KeepsFeatures(Plain):
    """For Grad-CAM and the like: kept, and not used."""

    last = None

    def middle(self, x):
        self.last = x
        return x


class ReLUInPlaceFirst(Plain):
    def __init__(self):
        super().__init__()
        self.first = nn.ReLU(inplace=True)

    def features(self, x):
        return super().features(self.first(x))


class CentresInPlace(Plain):
    def features(self, x):
        x -= 0.5
        return super().features(x)


class OverwritesItsOutput(Plain):
    def __init__(self):
        super().__init__()
        self.out = torch.zeros(8, 5)

    def forward(self, x):
        self.out[: len(x)] = super().forward(x)
        return self.out[: len(x)]


class PlacesOfTheFirstPass(Plain):
    """ConViT: indices by the size of the images, and of nothing else."""

    def __init__(self):
        super().__init__()
        self.register_buffer("places", torch.zeros(1), persistent=False)

    def middle(self, x):
        if len(self.places) != x.shape[1]:
            self.places = torch.arange(x.shape[1]).float()
        return x + self.places


class SeededInInit(Plain):
    def __init__(self):
        super().__init__()
        self.projection = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))

    def middle(self, x):
        return x @ self.projection


class TransposedParameter(Plain):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(5, 6).T)

    def forward(self, x):
        return self.features(x) @ self.matrix


class Autocasts(Plain):
    def middle(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return F.linear(x, self.fc.weight.T @ self.fc.weight).float()


class OrthogonalWeights(Plain):
    """Keeps a matrix that does not lie in memory as a worker's does."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, stride=2)
        self.fc = parametrizations.orthogonal(nn.Linear(24, 5))


class PixelsInATable(Plain):
    """Takes numbers that images have, and no others."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(256, 2)
        self.fc = nn.Linear(8, 5)

    def features(self, x):
        shades = (x * 255).round().long().flatten(1)
        return torch.cat([self.table(shades).mean(1), x.flatten(1)[:, :6]], 1)


class PixelsInATableOfTheBatch(PixelsInATable):
    def middle(self, x):
        return x - x.mean(0)


class AttentionMask(Plain):
    """A buffer of minus infinity, as of causal attention."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((6, 6), -torch.inf).triu(1))

    def middle(self, x):
        return x * (self.mask + x[:, :, None] * x[:, None]).softmax(2)[:, -1]


class EmptyTensors(Plain):
    """As observers of quantization keep before they have seen anything."""

    def __init__(self):
        super().__init__()
        self.register_buffer("least", torch.tensor([]))
        self.extra = nn.Parameter(torch.empty(0, 3))


class HalfWeights(Plain):
    def __init__(self):
        super().__init__()
        self.to(torch.bfloat16)


class Hooked(Plain):
    def __init__(self):
        super().__init__()
        self.conv.register_forward_hook(_doubled)


def _doubled(module, args, output):
    return output * 2


class AlwaysHalf(Plain):
    """Runs in its own type alone."""

    def __init__(self):
        super().__init__()
        self.to(torch.bfloat16)

    def forward(self, x):
        return super().forward(x.bfloat16())


class DropsNothing(Plain):
    """Dropout of 0 is drawn and changes nothing."""

    def middle(self, x):
        return F.dropout(x, 0.0, training=True) + 0 * torch.rand(())


class FirstOfTwo(Plain):
    """A head for training alone."""

    def __init__(self):
        super().__init__()
        self.auxiliary = nn.Linear(6, 5)

    def forward(self, x):
        out = super().forward(x)
        return (out, self.auxiliary(self.features(x))) if self.training else out


class SharesMemoryWithABuffer(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("a_copy", self.fc.weight.data)


class OptimizedModule(nn.Module):
    """As ``torch.compile`` wraps a module; the real one imports PyTorch's compiler for seconds."""

    def __init__(self, model):
        super().__init__()
        self._orig_mod = model

    def forward(self, x):
        return self._orig_mod(x)


_ONE = Plain()


def the_same_module():
    """A module of the program, handed out at every call."""
    return _ONE


def parallel():
    return nn.DataParallel(Plain())


def traced():
    return torch.fx.symbolic_trace(Plain())


def scripted():
    return _quietly(torch.jit.trace, Plain().eval(), torch.zeros(2, 3, 8, 8))


def compiled_inside():
    model = Plain()
    model.body = OptimizedModule(nn.Linear(6, 6))
    return model


def compiled():
    return OptimizedModule(Plain())


def meta():
    with torch.device("meta"):
        return Plain()


def sparse():
    model = Plain()
    model.fc.weight = nn.Parameter(model.fc.weight.detach().to_sparse(), requires_grad=False)
    return model


def quantized():
    model = Plain()
    model.register_buffer("table", _quietly(torch.quantize_per_tensor, torch.ones(3), 0.1, 0, torch.qint8))
    return model


class SeededAtLength(Plain):
    """Draws what it keeps, and no state_dict holds, with a seed of its own: more than is drawn in haste."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.noise = torch.empty(70_000).normal_()

    def forward(self, x):
        return super().forward(x) + self.noise[-5:]


_built: list[int] = []


def once_only():
    """Fails at the second call, as what reads a stream does."""
    _built.append(1)
    if len(_built) > 1:
        _built.clear()
        raise RuntimeError("the stream is at its end")
    return Plain()


class ViewsAfterConvolution(nn.Module):
    """As in tutorials."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 6 * 6, 5)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.head(x.view(x.size(0), -1))
