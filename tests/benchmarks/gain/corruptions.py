"""Common corruptions of photographs, after Hendrycks & Dietterich 2019 (arXiv 1903.12261, section 4): kinds are theirs,
code and strengths are our own. Images are uint8 [h, w, 3]; severity is 1 (weak) to 5.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def gaussian_noise(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    return _bytes(image + random.normal(0, (10, 20, 32, 48, 64)[severity - 1], image.shape))


def shot_noise(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    photons = (60, 30, 15, 8, 4)[severity - 1]
    return _bytes(random.poisson(image / 255 * photons) * (255 / photons))


def impulse_noise(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    share = (0.02, 0.05, 0.09, 0.14, 0.2)[severity - 1]
    drawn = random.random(image.shape)
    return np.where(drawn < share / 2, 0, np.where(drawn < share, 255, image)).astype(np.uint8)


def defocus_blur(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """A disk of light for every point."""
    radius = severity
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.float64)
    return _filtered(image, disk / disk.sum())


def motion_blur(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Along a line of any direction."""
    length = 2 * severity + 3
    angle, kernel = random.uniform(0, np.pi), np.zeros((length, length))
    for step in np.linspace(-1, 1, 4 * length):
        place = (length - 1) / 2 * (1 + step * np.array([np.sin(angle), np.cos(angle)]))
        kernel[tuple(np.rint(place).astype(int))] = 1
    return _filtered(image, kernel / kernel.sum())


def brightness(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    return _bytes(image + 255 * 0.1 * severity)


def contrast(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    mean = image.mean((0, 1))
    return _bytes((image - mean) * (0.5, 0.4, 0.3, 0.2, 0.1)[severity - 1] + mean)


def fog(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Smooth clouds of white over the image."""
    clouds = sum(
        ndimage.gaussian_filter(random.normal(size=image.shape[:2]), width, mode="wrap") * width
        for width in (4, 12, 32)
    )
    clouds = (clouds - clouds.min()) / np.ptp(clouds)
    share = (0.2, 0.3, 0.4, 0.5, 0.6)[severity - 1] * (0.5 + clouds[:, :, None])
    return _bytes(image * (1 - share) + 255 * share)


def pixelate(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    share = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
    small = Image.fromarray(image).resize((int(width * share), int(height * share)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST))


def jpeg(image: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    written = io.BytesIO()
    Image.fromarray(image).save(written, "JPEG", quality=(25, 18, 13, 10, 7)[severity - 1])
    return np.asarray(Image.open(written))


def _filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return _bytes(ndimage.convolve(image.astype(np.float64), kernel[:, :, None], mode="reflect"))


CORRUPTIONS: dict[str, Corruption] = {
    one.__name__: one
    for one in (
        gaussian_noise,
        shot_noise,
        impulse_noise,
        defocus_blur,
        motion_blur,
        brightness,
        contrast,
        fog,
        pixelate,
        jpeg,
    )
}
