import numpy as np
import pytest
import torch

from evoray.data.records import Records
from evoray.errors import ConfigError, DataError, ModelError
from evoray.tasks.base import Batch, Preparation
from evoray.tasks.pixels.segmentation import Segmentation
from evoray.tasks.registry import make_task
from evoray.tasks.sums import SumsLayout

HOW = Preparation(torch.device("cpu"), torch.float32, False, (0.0,), (1.0,))


def records(masks):
    masks = np.asarray(masks)
    images = np.zeros((len(masks), 1, *masks.shape[1:]), np.uint8)
    return Records(0, {"image": images, "mask": masks}, [f"{row}.png" for row in range(len(masks))])


class Says(torch.nn.Module):
    """Gives every pixel the class of an answer, surely."""

    def __init__(self, answers, classes):
        super().__init__()
        self.maps = 30 * torch.nn.functional.one_hot(torch.tensor(answers), classes).movedim(-1, 1).float()

    def forward(self, images):
        return {"out": self.maps[: len(images)]}


def judged(masks, answers, classes, task=None):
    task = (task or Segmentation()).of_run(classes)
    data, rows = records(masks), np.arange(len(masks))
    batch = task.batch(data, rows, HOW)
    outputs = task.outputs(Says(answers, classes), batch)
    targets = task.targets(data, rows, HOW.device)
    total = SumsLayout(task.columns).by_name(task.sums(outputs, targets))
    return {name: one.value for name, one in task.figures(total).items()}, task.scores(outputs, targets)


MASKS = np.array([[[0, 0, 1, 255]], [[2, 2, 2, 2]]], np.uint8)
ANSWERS = [[[0, 1, 1, 2]], [[2, 2, 0, 3]]]


def test_figures_by_hand():
    figures, scores = judged(MASKS, ANSWERS, 5)
    # intersection / union: class 0 1/3 (one of its pixels lost, one of class 2 given it), 1: 1/2, 2: 2/4
    assert figures["miou"] == pytest.approx((1 / 3 + 1 / 2 + 2 / 4) / 3)
    assert figures["pixel_accuracy"] == pytest.approx(4 / 7)
    assert scores["image_iou"] == pytest.approx([(1 / 2 + 1 / 2) / 2, 2 / 4])
    assert figures["image_iou"] == pytest.approx(np.mean(scores["image_iou"]))
    assert scores["nll"] == pytest.approx([10, 15], rel=1e-5)


def test_a_label_that_is_left_out():
    masks = MASKS.copy()
    masks[1, 0, 0] = 0
    figures, scores = judged(masks, ANSWERS, 5, Segmentation(ignore_index=2))
    assert figures["pixel_accuracy"] < 1 and np.isfinite(scores["nll"]).all()
    labels = masks.copy()
    labels[labels == 2] = 255
    same, alike = judged(labels, ANSWERS, 5)
    assert figures == same and all(np.array_equal(scores[name], alike[name]) for name in scores)


def test_masks_of_16_bits():
    wide = MASKS.astype(np.uint16)
    wide[wide == 255] = 65535
    wide[0, 0, 0] = 255
    figures, _ = judged(wide, ANSWERS, 300)
    assert figures["pixel_accuracy"] == pytest.approx(3 / 7)


def test_batches_that_are_filled_up_say_nothing_of_what_fills_them():
    task = Segmentation().of_run(5)
    how = Preparation(torch.device("cpu"), torch.float32, False, (0.0,), (1.0,), width=4)
    batch = task.batch(records(MASKS), np.arange(2), how)
    assert batch.inputs.shape == (4, 1, 1, 4) and batch.beside.labels.shape == (4, 1, 4)
    assert batch.beside.labels[2:].unique().tolist() == [255] and batch.beside.top == 2
    assert batch.unfilled().beside.labels.shape == (2, 1, 4)


def test_bytes_of_a_batch_are_those_it_holds():
    task, data = Segmentation().of_run(5), records(MASKS)
    batch = task.batch(data, np.arange(2), HOW)
    assert task.batch_bytes(data, 2, HOW) == batch.inputs.nbytes + batch.beside.labels.nbytes
    wide = records(MASKS.astype(np.uint16))
    assert task.batch_bytes(wide, 2, HOW) == batch.inputs.nbytes + task.batch(wide, [0, 1], HOW).beside.labels.nbytes


def test_without_masks_outputs_are_the_maps():
    assert Segmentation().outputs(Says(ANSWERS, 5), Batch(torch.zeros(2, 1, 1, 4), 2)).shape == (2, 5, 1, 4)


def test_an_image_that_is_not_valid_counts():
    task = Segmentation().of_run(5)
    network = Says(ANSWERS, 5)
    network.maps[1] = torch.nan
    outputs = task.outputs(network, task.batch(records(MASKS), np.arange(2), HOW))
    sums = task.sums(outputs, task.targets(records(MASKS), np.arange(2), HOW.device))
    assert SumsLayout(task.columns).by_name(sums)["invalid"] == 1
    assert not SumsLayout(task.columns).is_valid(sums)


@pytest.mark.parametrize("index", [-1, 65536, 1.5, "road"])
def test_a_label_that_cannot_be(index):
    with pytest.raises(ConfigError, match=r"ignore_index"):
        make_task("segmentation", settings={"ignore_index": index})


def test_classes_are_no_key():
    assert make_task("segmentation", settings={"ignore_index": 3}).of_run(2).columns[-1] == "labelled 1"
    with pytest.raises(ConfigError, match="classes"):
        make_task("segmentation", settings={"classes": 3})


def test_a_label_beyond_the_classes():
    with pytest.raises(DataError, match=r"1.png: its mask has the label 2, and the data 2 classes"):
        Segmentation().of_run(2).targets(records(MASKS), np.arange(2), HOW.device)
    task = Segmentation().of_run(3)
    with pytest.raises(ModelError, match="2 classes"):
        task.outputs(Says(np.minimum(ANSWERS, 1).tolist(), 2), task.batch(records(MASKS), np.arange(2), HOW))


def test_an_image_without_a_label_is_refused():
    masks = MASKS.copy()
    masks[1] = 255
    with pytest.raises(DataError, match=r"no pixel of its mask has a label.*Leave the image out"):
        Segmentation().of_run(3).targets(records(masks), np.arange(2), torch.device("cpu"))
