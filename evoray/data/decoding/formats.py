"""Which formats are read, whatever a file's name says; every other is named and no code for it is run."""

import re

from PIL import Image, TiffImagePlugin, WebPImagePlugin

from evoray.errors import PictureError
from evoray.runtime.reading import shown

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
"""Pillow's names. JPEG takes MPO with it (a phone's JPEG with further pictures behind the first); PPM is also PBM, PGM,
PNM and PFM. No other plugin is asked: EPS would start Ghostscript, and others run what the user has installed."""

_REGISTERED = (TiffImagePlugin, WebPImagePlugin)
"""Imported here, for a format that Pillow does not know yet would make it import every plugin that it has."""

_OTHERS = (
    (0, b"%!PS", "PostScript (EPS)"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop (PSD)"),
    (0, b"\xd7\xcd\xc6\x9a", "Windows metafile (WMF)"),
    (40, b" EMF", "Windows metafile (EMF)"),
    (0, b"\x01\x00\x09\x00\x00\x03", "Windows metafile (WMF)"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"\x89HDF", "HDF5"),
    (0, b"CDF", "NetCDF"),
    (0, b"GRIB", "GRIB"),
    (0, b"BUFR", "BUFR"),
    (128, b"DICM", "DICOM"),
    (344, b"n+1\0", "NIfTI"),
    (0, b"\xd0\xcf\x11\xe0", "OLE (FPX, MIC or an Office document)"),
    (0, b"icns", "ICNS"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"\0\0\2\0", "CUR or TGA"),
    (0, b"DDS ", "DDS"),
    (0, b"BLP", "BLP"),
    (0, b"FTEX", "FTEX"),
    (0, b"qoif", "QOI"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif", "HEIF"),
    (4, b"ftyp", "a film (MP4 or its kin)"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"/* XPM */", "XPM"),
    (0, b"#define ", "XBM"),
    (0, b"gimp xcf", "GIMP (XCF)"),
    (0, b"\x0a\x05\x01", "PCX"),
    (0, b"\xb1\x68\xde\x3a", "DCX"),
    (0, b"\x93NUMPY", "an array of NumPy"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"PARE", "an encrypted Parquet file"),
    (0, b"ARROW1", "an Arrow file (Feather)"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"MATLAB 5.0 MAT-file", "a MATLAB file"),
    (0, b"\x7fELF", "a program"),
    (0, b"\x80\x02", "a pickle of Python's"),
    (0, b"\x80\x03", "a pickle of Python's"),
    (0, b"\x80\x04", "a pickle of Python's"),
    (0, b"\x80\x05", "a pickle of Python's"),
    (0, b"\x1f\x8b", "a gzip file"),
    (257, b"ustar", "a tar archive"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself"),
)
"""Place, first bytes and name of what is met under a picture's name."""

_TEXTS = (
    (b"<!doctype html", "a web page (HTML)"),
    (b"<html", "a web page (HTML)"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML (SVG?)"),
    (b"<head", "a web page (HTML)"),
    (b"<body", "a web page (HTML)"),
    (b"<error", "an answer of a server's (XML)"),
    (b"{", "JSON or text"),
)
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]+")
_SHOWN_TEXT = 40


def name_of(content: bytes) -> str:
    """What a file that is none of FORMATS seems to be, for a message."""
    if not content:
        return "an empty file"
    for place, start, name in _OTHERS:
        if content.startswith(start, place):
            return name
    if content.startswith(b"\xff\xff\xff\xff") and content[6:8] == b"\0\0":
        return "an Arrow stream (Hugging Face's datasets)"
    text = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, name in _TEXTS:
        if text.startswith(start):
            return name
    if not content[:4096].strip(b"\0"):
        return "a file of zeros, as an interrupted copy leaves it"
    if _TEXT.fullmatch(content[:512]):
        return f"a text ({shown(' '.join(content[:512].decode().split()), _SHOWN_TEXT)})"
    return "no picture that is known"


def claimed(content: bytes) -> str | None:
    """The one of FORMATS that the first bytes are of, whether or not the rest is sound."""
    Image.preinit()
    for name in FORMATS:
        _, accepts = Image.OPEN[name]
        if accepts is not None and accepts(content[:16]) is True:
            return name
    return None


def check_lazy(image: Image.Image) -> None:
    """Raises PictureError for what a Dataset opened and did not load, where loading would run a program."""
    if getattr(image, "format", None) in ("EPS", "WMF", "EMF") and getattr(image, "tile", None):
        raise PictureError(f"{image.format}, which is a program and not run. Have it yield RGB pictures.")
