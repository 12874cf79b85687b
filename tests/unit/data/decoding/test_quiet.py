from __future__ import annotations

import ctypes
import os
import threading

import pytest
from pictures import encoded
from PIL import Image

from evoray.data import ImageTransform
from evoray.data.decoding import quiet as module
from evoray.data.decoding.quiet import quiet, quiet_c
from evoray.errors import PictureError

needs_libtiff = pytest.mark.skipif(module._libtiff() is None, reason="Pillow brings no libtiff of its own")


def decode_damaged():
    content = bytearray(encoded(Image.effect_noise((40, 30), 60), "TIFF", compression="tiff_lzw"))
    content[20:60] = b"\xff" * 40
    with pytest.raises(PictureError):
        ImageTransform(resize=8, crop=8)(bytes(content))


@needs_libtiff
def test_libtiff_prints_nothing_while_it_is_held_and_prints_again_afterwards(capfd):
    with quiet:
        decode_damaged()
        with quiet:
            decode_damaged()
        decode_damaged()
    assert capfd.readouterr().err == ""
    decode_damaged()
    assert "tempfile.tif" in capfd.readouterr().err


@needs_libtiff
def test_the_last_of_several_threads_brings_the_handler_back(capfd):
    def work():
        for _ in range(5):
            with quiet:
                decode_damaged()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capfd.readouterr().err == ""
    decode_damaged()
    assert capfd.readouterr().err != ""


def test_without_a_libtiff_of_pillows_nothing_happens(monkeypatch, tmp_path):
    monkeypatch.setattr(module.PIL, "__file__", str(tmp_path / "PIL" / "__init__.py"))
    module._libtiff.cache_clear()
    try:
        with quiet:
            decode_damaged()
        assert module._libtiff() is None
    finally:
        monkeypatch.undo()
        module._libtiff.cache_clear()


needs_glibc = pytest.mark.skipif(module._stream() is None, reason="C's stderr cannot be changed here")


def print_by_c():
    ctypes.CDLL(None).perror(b"of C")


def damaged_jpeg():
    """Bytes behind the picture's data, which libjpeg says and goes on."""
    content = encoded(Image.effect_noise((64, 48), 60).convert("RGB"), "JPEG", quality=90)
    middle = len(content) // 2
    return content[:middle] + b"\xff\xd0" + content[middle:]


@needs_glibc
def test_c_prints_nothing_while_it_is_held_and_prints_again_afterwards(capfd):
    with quiet_c:
        print_by_c()
        with quiet_c:
            print_by_c()
        print_by_c()
        os.write(2, b"python\n")
    assert capfd.readouterr().err == "python\n"
    print_by_c()
    assert "of C" in capfd.readouterr().err


@needs_glibc
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchvisions_libjpeg_prints_nothing_in_this_process(capfd):
    import torch
    from torchvision.io import decode_jpeg

    content = damaged_jpeg()
    decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    assert "Corrupt JPEG data" in capfd.readouterr().err
    for _ in range(2):
        ImageTransform(resize=8, crop=8, decoder="torchvision")(content)
    assert capfd.readouterr().err == ""


def test_where_c_cannot_be_changed_nothing_happens(monkeypatch, capfd):
    monkeypatch.setattr(module, "_stream", lambda: None)
    with quiet_c:
        print_by_c()
    assert "of C" in capfd.readouterr().err
