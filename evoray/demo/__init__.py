"""The two demos: images (``images.py``) and texts (``language.py``). Recorded runs name the first one's parts here."""

from evoray.demo.images import MEAN, STD, SmallCNN, demo_config, small_cnn, train_parent

__all__ = ["MEAN", "STD", "SmallCNN", "demo_config", "small_cnn", "train_parent"]
