"""Every way of not being a function of weights and image is refused by name; what only looks so is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evoray.config import parse_config
from evoray.errors import ModelError
from evoray.evaluation import purity
from evoray.evaluation.host import ModelHost
from evoray.evaluation.passes import Passes
from evoray.models import Parent
from evoray.models.precision import of_network
from evoray.search.inputs import check_inputs

FOLDER = Path(__file__).parent
IMPURE = {
    "CountsInABuffer": r"a pass changes seen\.",
    "CountsInANumber": r"a pass changes calls\.",
    "CountsToFifty": r"a pass changes calls\.",
    "CountsElsewhere": r"a pass changes statistics\['calls'\]\[0\]\.",
    "CountsInAClosure": r"a pass changes count\.calls\[0\]\.",
    "CountsInAGlobal": r"a pass changes networks\.CALLS\.",
    "CountsInAHelper": r"a pass changes networks\.SEEN\.length",
    "CountsOnItsClass": r"a pass changes CountsOnItsClass\.calls\.",
    "AveragesInABuffer": r"a pass changes average\.",
    "AveragesInAnAttribute": r"a pass changes average\.",
    "NormAlwaysTraining": r"a pass changes norm\.num_batches_tracked, norm\.running_mean",
    "InitialisesFromData": r"a pass changes ready, shift\.",
    "HiddenState": r"a pass changes hidden\.",
    "KeepsKeys": r"a pass changes keys\.length",
    "NoiseOfItsOwn": r"a pass changes random\.",
    "AssignsAParameter": r"a pass changes fc\.weight\.",
    "EmbeddingByFunction": r"a pass changes table\.",
    "RenormalisesData": r"a pass writes to its weights \(fc\.weight\)",
    "RenormalisesLongOnes": r"a pass writes to its weights \(fc\.weight\)",
    "ClampsInPlace": r"a pass writes to its weights \(conv\.weight\)",
    "MaxNorm": r"table is an Embedding with max_norm",
    "DropoutByFunction": r"two passes .* the forward of DropoutByFunction itself",
    "MonteCarloDropout": r"two passes .* part in body \(Dropout\)",
    "SwitchesDropoutOn": r"two passes .* part in body \(Dropout\)",
    "Noise": r"two passes .* the forward of Noise itself",
    "NumpyNoise": r"two passes .* the forward of NumpyNoise itself",
    "PythonNoise": r"two passes .* the forward of PythonNoise itself",
    "PermutesChannels": r"two passes",
    "Gumbel": r"two passes",
    "RandomReLU": r"two passes",
    "TellsTheTime": r"two passes",
    "DropsALayerNowAndThen": r"two passes .* the forward of DropsALayerNowAndThen itself",
    "RemembersTheBatchBefore": r"after a pass over other images",
    "BatchStatistics": r"other images of its batch; they part in body \(BatchNorm1d\).*track_running_stats=True",
    "BatchStatisticsInPictures": r"other images of its batch; they part in norm \(BatchNorm2d\)",
    "PixelsInATableOfTheBatch": r"other images of its batch; they part in the forward of PixelsInATableOfTheBatch",
    "CentresTheBatch": r"other images of its batch; they part in the forward of CentresTheBatch itself",
    "ScalesByTheBatch": r"other images of its batch",
    "QuantizesByTheBatch": r"other images of its batch",
    "SoftmaxOverImages": r"other images of its batch",
    "MixesUp": r"other images of its batch",
    "SumsUpImages": r"other images of its batch",
    "AttendsToOtherImages": r"other images of its batch; they part in body \(MultiheadAttention\)",
    "DividesByTheirNumber": r"other outputs alone",
    "CountsRows": r"other outputs alone.*an image's place",
    "NoiseBySeed": r"other outputs alone",
    "OtherwiseOnThreads": r"on another thread",
    "CentresLargeBatches": r"other outputs in a batch of \d+ than in one of 2",
    "HalvesLargeBatches": r"other outputs in a batch of \d+ than in one of 2",
    "SqueezesOne": r"a batch of one gives outputs of shape \[\(5,\)\].*squeeze\(\)",
    "NeedsGradients": r"works with gradients alone",
}
UNEXPORTABLE = {
    "KernelOfTheFirstPass": r"the forward of KernelOfTheFirstPass itself, and it keeps kernel, which",
    "HeadOfTheFirstPass": r"a child's weights do not reach its outputs",
    "FusesAtEvalOnce": r"fresh network .* it keeps kernel, which .* dropped in train\(\)",
    "MergesAtEval": r"fresh network .* part in fc \(Linear\)",
    "DropsBranchesAtEval": r"eval\(\) changes which tensors it has \(second\.bias\)",
    "AliasesData": r"fresh network .* it keeps matrix, which",
    "ViewOfAWeight": r"fresh network .* it keeps first_rows, which",
    "ListOfLayers": r"fresh network .* it keeps layers\[0\]\.weight.*nn\.ModuleList",
    "DictOfWeights": r"fresh network .* it keeps weights\['gate'\]",
    "RandomProjection": r"fresh network .* it keeps projection, which .*register_buffer",
    "RandomBuffer": r"fresh network .* it keeps projection, which",
    "BufferOfWeights": r"fresh network .* it keeps length, which",
    "NumberOfAWeight": r"fresh network .* it keeps factor, which",
    "WeightsInNumpy": r"fresh network .* it keeps matrix, which",
    "BoundFunction": r"fresh network .* it keeps apply_head\.keywords\['weight'\]",
    "Closure": r"fresh network .* it keeps gate\.weight, which",
    "OverlappingParameters": r"fresh network",
    "CachedByArguments": r"fresh network .* the forward of CachedByArguments itself",
    "LoadsOtherwise": r"fresh network .* part in fc \(Linear\)",
    "SavesWithoutTheHead": r"state_dict\(\) leaves out fc\.weight",
    "ExtraState": r"_extra_state is no tensor",
    "ExpandedParameter": r'cannot be built a second time .*"gate".*clone\(\)',
    "SharesMemoryWithABuffer": r"a_copy lies in the memory of the parameter fc\.weight",
    "Lazy": r"fc\.weight is not initialised yet\. Run the network once",
    "HoldsALock": r"cannot be sent to workers .*lock",
    "compiled_inside": r"body is compiled\. .*compute\.compile = true",
    "meta": r"conv\.weight is on the meta device",
    "sparse": r"fc\.weight is sparse.*to_dense",
    "quantized": r"table is quantized",
    "once_only": r"cannot be built a second time.*the stream is at its end",
}
PROBABILITIES = {
    "Softmax": r"probabilities, which add up to 1; they come from out \(Softmax\).*takes logits",
    "SoftmaxByFunction": r"probabilities, .* the forward of SoftmaxByFunction itself",
    "SoftmaxInPercent": r"probabilities times 100: .*takes logits",
    "SoftmaxInBytes": r"probabilities times 255",
    "SoftmaxHalf": r"probabilities",
    "MeanOfSoftmax": r"probabilities",
    "ExpOfLogSoftmax": r"probabilities",
    "NormalisedCounts": r"probabilities",
    "Sigmoid": r"between 0 and 1, as a sigmoid's are; they come from out \(Sigmoid\)",
    "HardSigmoid": r"between 0 and 1",
}
PURE = [
    "Plain",
    "MultipliesRounding",
    "LogSoftmax",
    "EndsInReLU",
    "ZeroHead",
    "BiasesKeptAtEval",
    "KeptInside",
    "FusesAtEvalAnew",
    "FusesInEval",
    "TrainReturnsNothing",
    "OldWeightNorm",
    "WeightNorm",
    "OldSpectralNorm",
    "SpectralNorm",
    "Symmetric",
    "StandardisesWeights",
    "Groups",
    "Tied",
    "Recurrent",
    "Attention",
    "ComplexWeights",
    "KeepsFeatures",
    "OverwritesItsOutput",
    "PlacesOfTheFirstPass",
    "SeededInInit",
    "SeededAtLength",
    "TransposedParameter",
    "Autocasts",
    "HalfWeights",
    "Hooked",
    "PadsItsBatch",
    "OrthogonalWeights",
    "PixelsInATable",
    "AttentionMask",
    "EmptyTensors",
    "DropsNothing",
    "FirstOfTwo",
    "the_same_module",
    "parallel",
    "traced",
    "compiled",
]


@pytest.fixture
def judge():
    """Loads a network of ``networks.py`` and judges it; the sentences that are said."""

    def judged(name, parent=(), **sections):
        values = {
            "parent": {"source": "module", "name": f"networks:{name}", **dict(parent)},
            "data": {"path": "mock:images=16,size=8,classes=5"},
            "compute": {"backend": "local"},
        }
        inputs = check_inputs(parse_config(values | sections, config_dir=FOLDER), FOLDER)
        of_others = (*inputs.said.notes, *of_network(inputs.parent.model, inputs.config.compute.dtype))
        return tuple(line for line in inputs.notes if line not in of_others), inputs

    return judged


@pytest.mark.parametrize(("name", "reason"), (IMPURE | UNEXPORTABLE | PROBABILITIES).items())
def test_it_is_refused_with_the_module_and_the_remedy(judge, name, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        judge(name)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 900


@pytest.mark.parametrize("name", PURE)
def test_it_is_taken(judge, name):
    said, _ = judge(name)
    assert said == ()


def test_weights_that_no_output_depends_on_are_refused(judge):
    with pytest.raises(ModelError, match=r"do not reach its outputs.*mutation\.include"):
        judge("UnusedOnly", mutation={"include": ["unused.*"]})
    judge("UnusedOnly")


def test_the_own_type_is_tried_where_float32_fails(judge):
    with pytest.raises(ModelError, match="BFloat16"):
        judge("AlwaysHalf")
    judge("AlwaysHalf", compute={"backend": "local", "dtype": "bfloat16"})


@pytest.mark.parametrize("name", ["ReLUInPlaceFirst", "CentresInPlace"])
def test_a_network_that_writes_into_its_images_is_given_copies(judge, name):
    said, inputs = judge(name, parent={"mean": (0.5,) * 3, "std": (0.25,) * 3})
    assert len(said) == 1 and "is given copies" in said[0]
    images = torch.randn(2, 3, 8, 8)
    before = images.clone()
    with torch.inference_mode():
        first = inputs.parent.model(images)
        assert torch.equal(inputs.parent.model(images), first)
    assert torch.equal(images, before)


def test_records_that_are_no_images_are_called_what_they_are():
    """And modules keep their names."""
    check = purity._Check(Parent(torch.nn.Identity(), "net"), None, None, False, "records")
    found = purity.PARTS + "image.images (Images)"
    with pytest.raises(ModelError) as refused:
        check._refuse(f"an image's outputs depend on the other images of its batch{found}", "Normalise each image")
    assert str(refused.value) == (
        "the parent net: a record's outputs depend on the other records of its batch; they part in image.images "
        "(Images). Normalise each record."
    )
    said = str(check.failed(ValueError("no image"), torch.float32))
    assert "evaluating it on records of select failed (ValueError: no image)" in said and "with records and" in said


def test_the_parent_is_left_as_it_was(judge):
    _, inputs = judge("Plain")
    for name, tensor in inputs.parent.model.state_dict().items():
        assert torch.equal(tensor, inputs.state[name])


@pytest.mark.parametrize("name", ["BiasesKeptAtEval", "KeptInside", "FusesAtEvalAnew", "FusesInEval"])
def test_what_is_kept_at_eval_is_the_reason_for_renewal(judge, name, monkeypatch):
    monkeypatch.setattr(ModelHost, "renew", lambda host: None)
    with pytest.raises(ModelError, match="fresh network"):
        judge(name)


def test_a_network_that_needs_contiguous_images_gets_them(judge):
    said, inputs = judge("ViewsAfterConvolution")
    assert inputs.config.compute.layout == "contiguous"
    assert len(said) == 1 and "view size is not compatible" in said[0]
    assert judge("Plain")[1].config.compute.layout == "channels-last"


@pytest.mark.parametrize(("name", "images"), [("Plain", 7), ("KeepsFeatures", 8)])
def test_only_a_network_that_notes_its_passes_takes_the_last_one(judge, name, images, monkeypatch):
    seen = []
    call = Passes.__call__

    def counted(passes, network, batch):
        seen.append(len(batch))
        return call(passes, network, batch)

    monkeypatch.setattr(Passes, "__call__", counted)
    judge(name)
    assert sum(seen) == images
