"""Volumes of scanners: NIfTI in and out, DICOM in. Their values are those that are meant, not scaled."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pde2net.errors import FileError
from pde2net.images.picture import Picture, arranged

UNEVEN = 0.01  # of a distance between slices


def needed(module: str, what: str) -> Any:
    """A module of the extra `volumes`. Raises FileError if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise FileError(f'{what} needs {module}: pip install "pde2net[volumes]".') from error


def read_nifti(file: Path) -> Picture:
    """The values of a NIfTI file, with slope and intercept, its header, affine and spacing."""
    nibabel = needed("nibabel", "NIfTI")
    try:
        image = nibabel.load(file)
        array = np.asanyarray(image.dataobj)
        spacing = tuple(map(float, image.header.get_zooms()))
    # nibabel raises nearly anything for a damaged file, zlib.error among it.
    except Exception as error:
        raise FileError(f"{file} is not a NIfTI file that can be read: {error}") from error
    if array.size == 0 or array.dtype.kind not in "fiub":
        raise FileError(f"{file} holds {array.dtype} values of the shape {array.shape}: numbers are needed.")
    dtype = np.dtype(np.float64 if array.dtype.itemsize > 4 else np.float32)
    return Picture(
        array.astype(np.float64)[None],
        dtype,
        spacing=spacing,
        affine=image.affine,
        header=(image.header, array.shape),
        physical=True,
    )


def write_nifti(file: Path, channels: NDArray[np.float64], like: Picture) -> None:
    """Floats, with the header and the affine of a volume that had them."""
    nibabel = needed("nibabel", "NIfTI")
    array = arranged(channels, like)
    if array.dtype.kind != "f":
        array = array.astype(np.float32)
    header, shape = like.header or (None, array.shape)
    array = array.reshape(shape) if array.size == np.prod(shape) and len(channels) == 1 else array
    affine = like.affine
    if affine is None:
        spacing = [*like.spacing[:3], 1.0, 1.0, 1.0][:3]
        affine = np.diag([*spacing, 1.0])
    image = nibabel.Nifti1Image(array.astype(array.dtype.newbyteorder("=")), affine, header)
    image.header.set_slope_inter(1, 0)
    image.header.set_data_dtype(array.dtype)
    nibabel.save(image, file)


def read_dicom(path: Path) -> Picture:
    """A slice, or those of a folder, which are one series, sorted by position, along the first axis."""
    pydicom = needed("pydicom", "DICOM")
    if not path.is_dir():
        return _picture([_slice(pydicom, path)], path, single=True)
    files = sorted(file for file in path.iterdir() if file.is_file())
    slices = [found for file in files if (found := _slice(pydicom, file, maybe=True)) is not None]
    if not slices:
        raise FileError(f"{path} is a folder without DICOM files.")
    series = {str(s.get("SeriesInstanceUID", "")) for s in slices}
    if len(series) > 1:
        raise FileError(f"{path} holds {len(series)} series of DICOM: each needs a folder of its own.")
    return _picture(slices, path, single=False)


def _slice(pydicom: Any, file: Path, maybe: bool = False) -> Any:
    """A data set with pixels; None for what is no DICOM, if it may be so."""
    try:
        found = pydicom.dcmread(file)
    except Exception as error:
        if maybe and isinstance(error, pydicom.errors.InvalidDicomError) and file.suffix.lower() != ".dcm":
            return None
        raise FileError(f"{file} is not a DICOM file that can be read: {error}") from error
    if "PixelData" not in found:
        if maybe:
            return None  # an index of the folder, a report
        raise FileError(f"{file} has no picture.")
    if int(found.get("SamplesPerPixel", 1)) != 1 or int(found.get("NumberOfFrames", 1)) != 1:
        raise FileError(f"{file} holds colours or several frames; grey slices, one a file, can be read.")
    return found


def _picture(slices: list[Any], path: Path, single: bool) -> Picture:
    rows, columns = np.array(slices[0].get("ImageOrientationPatient", [1, 0, 0, 0, 1, 0]), float).reshape(
        2, 3
    )
    normal = np.cross(rows, columns)
    positions = [s.get("ImagePositionPatient") for s in slices]
    if None in positions:
        places = [float(s.get("InstanceNumber", k) or k) for k, s in enumerate(slices)]
    else:
        places = [float(np.dot(normal, np.array(p, float))) for p in positions]
    order = np.argsort(places, kind="stable")
    try:
        pixels = [_values(slices[k]) for k in order]
    # Compressed pixels ask for other packages, in many ways.
    except Exception as error:
        raise FileError(f"{path} has pixels that cannot be read: {error}") from error
    if len({p.shape for p in pixels}) > 1:
        raise FileError(f"{path} has slices of different sizes, which make no volume.")
    within = tuple(map(float, slices[0].get("PixelSpacing", (1, 1))))
    if single:
        return Picture(pixels[0][None], np.dtype(np.float32), spacing=within, physical=True)
    between = _distance([places[k] for k in order], path)
    start = np.zeros(3) if None in positions else np.array(positions[order[0]], float)
    affine = np.eye(4)
    affine[:3] = np.stack([normal * between, columns * within[0], rows * within[1], start], axis=1)
    affine[:2] *= -1  # DICOM points to the left and the back, NIfTI to the right and the front
    spacing = (between, *within)
    return Picture(
        np.stack(pixels)[None], np.dtype(np.float32), spacing=spacing, affine=affine, physical=True
    )


def _values(found: Any) -> NDArray[np.float64]:
    """With the slope and the intercept of the scanner: Hounsfield units of a CT."""
    pixels: NDArray[np.float64] = found.pixel_array.astype(np.float64)
    return pixels * float(found.get("RescaleSlope", 1)) + float(found.get("RescaleIntercept", 0))


def _distance(places: list[float], path: Path) -> float:
    """Between slices. Raises FileError if one is missing, or there twice."""
    if len(places) == 1:
        return 1.0
    steps = np.diff(places)
    middle = float(np.median(steps))
    if middle <= 0 or np.abs(steps - middle).max() > UNEVEN * middle:
        raise FileError(
            f"{path} has slices {steps.min():.4g} to {steps.max():.4g} apart: one is missing, or there twice."
        )
    return middle
