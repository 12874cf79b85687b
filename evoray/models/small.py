"""Three small classifiers for 1x28x28 images and 10 classes: a CNN with BatchNorm, a ResNet, a ViT.

What experiments need that ask for tens of thousands of children on a few cores: the kinds of layers that large
networks have, at about half a million multiply-adds an image.
"""

import torch
from torch import Tensor, nn

from evoray.models.base import Parent, Preprocessing

CLASSES = 10
SMALL = ("cnn", "resnet", "vit")
"""Names of the architectures; each is also a function here."""
FASHION = Preprocessing(mean=(0.2860,), std=(0.3530,), channels=1)
"""Mean and standard deviation over the pixels of Fashion-MNIST's 60,000 training images."""


class SmallCNN(nn.Module):
    """Three convolutions with BatchNorm, global average, one linear layer: 24,058 weights, 0.55 M multiply-adds."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(_conv(1, 16, 2), nn.ReLU(), _conv(16, 32, 2), nn.ReLU(), _conv(32, 64, 2))
        self.output = nn.Linear(64, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 10] of images [n, 1, 28, 28]."""
        logits: Tensor = self.output(torch.relu(self.features(images)).mean((2, 3)))
        return logits


class _Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm around a shortcut (He et al. 2016, figure 2)."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = _conv(before, width, stride)
        self.second = _conv(width, width, 1)
        self.shortcut = nn.Identity() if stride == 1 else _conv(before, width, stride, size=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


class SmallResNet(nn.Module):
    """A stem of stride 4 and two residual blocks: 19,962 weights, 0.5 M multiply-adds."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(1, 16, 4, size=5)
        self.blocks = nn.Sequential(_Block(16, 16, 1), _Block(16, 32, 2))
        self.output = nn.Linear(32, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 10] of images [n, 1, 28, 28]."""
        logits: Tensor = self.output(self.blocks(torch.relu(self.stem(images))).mean((2, 3)))
        return logits


class _Encoder(nn.Module):
    """A pre-norm transformer layer (Dosovitskiy et al. 2021, equations 2 and 3)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        images, tokens, width = x.shape
        heads = self.qkv(self.norm1(x)).view(images, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        x = x + self.projection(attended.transpose(1, 2).reshape(images, tokens, width))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class SmallViT(nn.Module):
    """16 patches of 7x7, width 48, two layers of three heads, the mean of the tokens: 41,674 weights, 0.7 M."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 48, 7, stride=7)
        self.position = nn.Parameter(torch.randn(1, 16, 48) * 0.02)
        self.layers = nn.Sequential(_Encoder(48, 3), _Encoder(48, 3))
        self.norm = nn.LayerNorm(48)
        self.output = nn.Linear(48, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 10] of images [n, 1, 28, 28]."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.position
        logits: Tensor = self.output(self.norm(self.layers(tokens)).mean(1))
        return logits


def _conv(before: int, width: int, stride: int, size: int = 3) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, width, size, stride=stride, padding=size // 2, bias=False), nn.BatchNorm2d(width)
    )


def cnn() -> Parent:
    """``parent.name = "evoray.models.small:cnn"``."""
    return Parent(SmallCNN(), "small-cnn", FASHION)


def resnet() -> Parent:
    """``parent.name = "evoray.models.small:resnet"``."""
    return Parent(SmallResNet(), "small-resnet", FASHION)


def vit() -> Parent:
    """``parent.name = "evoray.models.small:vit"``."""
    return Parent(SmallViT(), "small-vit", FASHION)
