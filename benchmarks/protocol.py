"""How denoisers are measured, and where that is written: the 68 images, the noise, PSNR and SSIM."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import pde2net as p2n

RESULTS = Path(__file__).parent.parent / "docs" / "denoising" / "results.json"
BLANK = {"data": "", "parameters": None, "claim": "", "factor": "", "note": ""}
Denoiser = Callable[[Tensor, float], Tensor]


def images(path: Path) -> tuple[Tensor, Tensor]:
    """Training and test images, (count, 1, height, width) in [0, 1]."""
    data = np.load(path)
    training, test = (torch.from_numpy(data[k]).float().div(255).unsqueeze(1) for k in ("train", "test"))
    return training, test


def noisy(clean: Tensor, level: int) -> Tensor:
    return clean + level / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))


def psnr(result: Tensor, clean: Tensor) -> float:
    return -10 * math.log10(float((result - clean).square().mean()))


def measured(denoise: Denoiser, level: int, path: Path, every: int = 1) -> dict[str, float]:
    """Means over the test images of PSNR, SSIM, and seconds of processor time."""
    from skimage.metrics import structural_similarity

    _, test = images(path)
    values, likeness, seconds = [], [], 0.0
    with torch.no_grad():
        for clean, given in list(zip(test, noisy(test, level), strict=True))[::every]:
            start = time.process_time()
            result = denoise(given[None], level / 255)[0]
            seconds += time.process_time() - start
            values.append(psnr(result, clean))
            likeness.append(structural_similarity(clean[0].numpy(), result[0].numpy(), data_range=1.0))
    count = len(values)
    return {"psnr": sum(values) / count, "ssim": sum(likeness) / count, "seconds": seconds / count}


def claimed(claim: p2n.Claim) -> dict[str, str]:
    """What a row says of a certificate."""
    factor = "" if claim.factor is None else str(claim.factor)
    return {"claim": f"{claim.name.replace('_', ' ')}: {claim.status}", "factor": factor}


def rows() -> list[dict[str, Any]]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []


def add(level: int, name: str, about: Mapping[str, Any]) -> None:
    """Write a row, in the place of one of the same level and name."""
    row = {"sigma": level, "name": name, **BLANK, **about}
    kept = [r for r in rows() if (r["sigma"], r["name"]) != (level, name)]
    ordered = sorted([*kept, row], key=lambda r: (r["sigma"], r["psnr"], r["name"]))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
