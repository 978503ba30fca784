"""NIfTI, DICOM, TIFF of several pages, 16 bits in colour."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import RNG

from pde2net import images
from pde2net.errors import FileError

nibabel = pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")
tifffile = pytest.importorskip("tifffile")

HEAT = "unknown u(x, y, z, t)\nequation u_t = laplacian(u)\nscheme explicit(tau = 1/8, steps = 2)\n"
AFFINE = np.array([[0.0, -2, 0, 5], [2, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])


@pytest.fixture
def heat3(tmp_path: Path) -> Path:
    (tmp_path / "heat3.pde").write_text(HEAT)
    return tmp_path / "heat3.pde"


def steps(u: np.ndarray, spacing: tuple[float, ...] = (1, 1, 1), tau: float = 1 / 8) -> np.ndarray:
    """Two explicit steps, written down independently."""
    for _ in range(2):
        change = np.zeros_like(u)
        for axis, h in enumerate(spacing):
            wide = np.concatenate([u.take([0], axis), u, u.take([-1], axis)], axis)
            change += np.diff(wide, n=2, axis=axis) / h**2
        u = u + tau * change
    return u


# -- NIfTI -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_nifti_keeps_header_and_affine(command, heat3, tmp_path: Path, suffix, dtype) -> None:
    volume = (1000 * RNG.random((5, 6, 7)) / (4 if dtype == np.uint8 else 1)).astype(dtype)
    image = nibabel.Nifti1Image(volume, AFFINE)
    image.header["descrip"] = b"a scan"
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / f"in{suffix}")
    result = command("run", heat3, f"in{suffix}", f"out{suffix}", "--dtype", "float64")
    assert result.status == 0, result.err
    assert "2 x 2 x 3, the grid has the spacing 1 x 1 x 1: --spacing file" in result.err
    found = nibabel.load(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(found.affine, AFFINE)
    assert bytes(found.header["descrip"]).startswith(b"a scan") and found.header.get_xyzt_units()[0] == "mm"
    assert found.get_data_dtype() == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(found.get_fdata(), steps(volume.astype(float)), rtol=1e-6)
    assert command("run", heat3, f"in{suffix}", f"again{suffix}", "--dtype", "float64").status == 0
    assert len({(tmp_path / f"{name}{suffix}").read_bytes() for name in ("out", "again")}) == 1


def test_the_spacing_of_the_file_is_taken(command, heat3, tmp_path: Path) -> None:
    volume = RNG.random((5, 6, 7))
    affine = np.diag([1.2, 0.9375, 3, 1])
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "in.nii")
    result = command("run", heat3, "in.nii", "out.npy", "--spacing", "file", "--dtype", "float64")
    assert result.status == 0 and not result.err
    want = steps(volume, (1.2, 0.9375, 3))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), want, rtol=1e-12)
    np.save(tmp_path / "in.npy", volume)
    assert not command("run", heat3, "in.npy", "out.nii").err
    assert nibabel.load(tmp_path / "out.nii").shape == volume.shape
    refused = command("run", heat3, "in.npy", "out.npy", "--spacing", "file")
    assert refused.status == 2 and "does not say how far" in refused.err


def test_a_slice_of_one_cell_is_an_image(command, heat, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(RNG.random((8, 9, 1)), np.eye(4)), tmp_path / "in.nii")
    assert command("run", heat(), "in.nii", "out.nii").status == 0
    assert nibabel.load(tmp_path / "out.nii").shape == (8, 9, 1)


@pytest.mark.parametrize("name", ["text.nii", "text.nii.gz", "cut.nii.gz"])
def test_broken_nifti(command, heat3, tmp_path: Path, name) -> None:
    if name.startswith("text"):
        (tmp_path / name).write_text("no volume")
    else:
        nibabel.save(nibabel.Nifti1Image(RNG.random((20, 20, 20)), np.eye(4)), tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:5000])
    result = command("run", heat3, name, "out.nii")
    assert result.status == 2 and f"{name} is not a NIfTI file" in result.err
    assert result.err.count("\n") == 1 and not (tmp_path / "out.nii").exists()


# -- DICOM -----------------------------------------------------------------------------------------


def dicom(path: Path, pixels: np.ndarray, place: float = 0.0, number: int = 1, series: str = "1.2") -> None:
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    found = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID, found.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    found.SeriesInstanceUID, found.InstanceNumber = series, number
    found.Rows, found.Columns = pixels.shape
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 16, 15, 1
    found.PixelSpacing, found.ImageOrientationPatient = [0.5, 0.75], [1, 0, 0, 0, 1, 0]
    found.ImagePositionPatient = [10, 20, place]
    found.RescaleSlope, found.RescaleIntercept = 2, -1000
    found.PixelData = pixels.astype(np.int16).tobytes()
    found.save_as(path, enforce_file_format=True)


@pytest.fixture
def scan(tmp_path: Path) -> np.ndarray:
    """The folder `scan` with a series, whose names and numbers are in another order than its places."""
    volume = RNG.integers(0, 2000, (4, 5, 6))
    (tmp_path / "scan").mkdir()
    for k, name in enumerate(("c.dcm", "a.dcm", "d", "b.dcm")):
        dicom(tmp_path / "scan" / name, volume[k], 30 + 1.5 * k, 9 - k)
    (tmp_path / "scan" / "README").write_text("a scan")
    return 2.0 * volume - 1000


def test_a_series_is_sorted_and_rescaled(command, heat3, scan, tmp_path: Path) -> None:
    options = ("--spacing", "file", "--dtype", "float64", "--tau", "1/32")
    assert command("run", heat3, "scan", "out.npy", *options).status == 0
    np.testing.assert_allclose(np.load("out.npy"), steps(scan, (1.5, 0.5, 0.75), 1 / 32), rtol=1e-6)
    assert command("run", heat3, "scan", "out.nii", *options).status == 0
    found = nibabel.load(tmp_path / "out.nii")
    np.testing.assert_allclose(found.affine @ [0, 0, 0, 1], [-10, -20, 30, 1])
    np.testing.assert_allclose(found.affine @ [1, 1, 1, 1], [-10.75, -20.5, 31.5, 1])
    assert command("run", heat3, "scan", "out.tif", *options).status == 0
    assert tifffile.imread(tmp_path / "out.tif").shape == (4, 5, 6)
    result = command("run", heat3, "scan", "out.npy")
    assert "1.5 x 0.5 x 0.75, the grid has the spacing 1 x 1 x 1" in result.err
    assert "scan.npy" in command("run", heat3, "scan", "results/").out


def test_a_slice_is_an_image(command, heat, scan, tmp_path: Path) -> None:
    assert command("run", heat(), "scan/a.dcm", "out.npy", "--tau", "1/1000000").status == 0
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), scan[1], atol=0.1)
    refused = command("run", heat(), "scan/a.dcm", "out.dcm")
    assert refused.status == 2 and "DICOM is read only; use .npy, .nii or .tif" in refused.err


@pytest.mark.parametrize("fault", ["gap", "twice", "series", "size", "text", "empty"])
def test_folders_that_are_no_series(command, heat3, scan, tmp_path: Path, fault) -> None:
    folder, pixels = tmp_path / "scan", np.zeros((5, 6))
    words = {"gap": "one is missing", "twice": "there twice", "series": "2 series", "size": "different sizes"}
    words |= {"text": "e.dcm is not a DICOM file", "empty": "without DICOM files"}
    if fault == "gap":
        dicom(folder / "e.dcm", pixels, 37.5)
    elif fault == "twice":
        dicom(folder / "e.dcm", pixels, 30)
    elif fault == "series":
        dicom(folder / "e.dcm", pixels, 36, series="1.3")
    elif fault == "size":
        dicom(folder / "e.dcm", np.zeros((7, 6)), 36)
    elif fault == "text":
        (folder / "e.dcm").write_text("no scan")
    else:
        for file in [f for f in folder.iterdir() if f.name != "README"]:
            file.unlink()
    result = command("run", heat3, "scan", "out.npy")
    assert result.status == 2 and words[fault] in result.err
    assert result.err.count("\n") == 1 and not (tmp_path / "out.npy").exists()


# -- TIFF and PNG ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pages_are_the_first_axis(command, heat3, tmp_path: Path, dtype) -> None:
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    volume = (top * RNG.random((5, 6, 7))).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", volume, photometric="minisblack")
    assert command("run", heat3, "in.tif", "out.tif", "--dtype", "float64").status == 0
    found = tifffile.imread(tmp_path / "out.tif")
    assert found.dtype == dtype
    np.testing.assert_allclose(found, steps(volume.astype(float)), rtol=1e-6, atol=0.51 if top > 1 else 0)
    with tifffile.TiffFile(tmp_path / "out.tif") as opened:
        assert len(opened.pages) == 5


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_16_bits(command, heat, tmp_path: Path, suffix, channels) -> None:
    values = RNG.integers(0, 65536, (9, 11, channels)).astype(np.uint16)
    alpha = values[..., 3] if channels == 4 else None
    picture = images.Picture(
        np.moveaxis(values[..., :3], -1, 0) / 65535, np.dtype(np.uint16), 65535.0, alpha, b"a profile"
    )
    images.write(tmp_path / f"in{suffix}", picture.channels, picture)
    again = images.read(tmp_path / f"in{suffix}")
    np.testing.assert_array_equal(again.channels, picture.channels)
    assert again.profile == b"a profile" and again.dtype == np.uint16
    assert alpha is None or (again.alpha == alpha).all()
    with Image.open(tmp_path / f"in{suffix}") as opened:  # as others read it
        high = np.asarray(opened)
    np.testing.assert_array_equal(high[..., :3], values[..., :3] >> 8)
    assert command("run", heat(), f"in{suffix}", f"out{suffix}", "--tau", "1e-9").status == 0
    np.testing.assert_array_equal(images.read(tmp_path / f"out{suffix}").channels, picture.channels)
    refused = command("run", heat(), f"in{suffix}", "out.jpg")
    assert refused.status == 2 and "use" in refused.err and ".tif" in refused.err


def test_grey_and_transparency_of_16_bits_are_for_tiff(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (2, 9, 11)).astype(np.uint16)
    picture = images.Picture(values[:1] / 65535, np.dtype(np.uint16), 65535.0, values[1])
    with pytest.raises(FileError, match=r"use \.tif"):
        images.check_writable(tmp_path / "in.png", picture)
    images.write(tmp_path / "in.tif", picture.channels, picture)
    again = images.read(tmp_path / "in.tif")
    np.testing.assert_array_equal(again.channels, picture.channels)
    np.testing.assert_array_equal(again.alpha, values[1])


def test_pages_of_different_sizes_are_no_volume(command, heat3, tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "in.tif") as writer:
        writer.write(np.zeros((4, 5), np.uint8))
        writer.write(np.zeros((5, 5), np.uint8))
    result = command("run", heat3, "in.tif", "out.tif")
    assert result.status == 2 and "different sizes" in result.err


# -- without the extra -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "source", "target"),
    [
        ("nibabel", "in.nii", "out.npy"),
        ("nibabel", "in.npy", "out.nii.gz"),
        ("pydicom", "scan/a.dcm", "out.npy"),
        ("tifffile", "in.tif", "out.npy"),
        ("tifffile", "in.npy", "out.tif"),
    ],
)
def test_what_is_missing_is_named(
    command, heat3, scan, monkeypatch, tmp_path: Path, module, source, target
) -> None:
    volume = RNG.random((5, 6, 7)).astype(np.float32)
    np.save(tmp_path / "in.npy", volume)
    tifffile.imwrite(tmp_path / "in.tif", volume, photometric="minisblack")
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "in.nii")
    monkeypatch.setitem(sys.modules, module, None)
    result = command("run", heat3, source, target)
    assert result.status == 2 and f'{module}: pip install "pde2net[volumes]"' in result.err
    assert result.err.count("\n") == 1 and not (tmp_path / target).exists()
