"""Trains the denoisers that the package ships, on photographs that may be redistributed alone.

    python benchmarks/ship.py t1        writes pde2net/models/t1.safetensors

The photographs come with scikit-image and scikit-learn; files with other checksums are refused. The level of
the noise is drawn anew for each patch. A training goes on where it stopped; its folder is runs/ship-TIER.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch
from tiers import TIERS, train

import pde2net as p2n

MODELS = Path(p2n.__file__).parent / "models"
LEVELS = p2n.learn.Noise((5 / 255, 55 / 255))
EPOCHS = {"t1": 20, "t3": 20}  # validation is flat by then
MIDDLE = 128  # cells to each side of the middle of a photograph, for validation
DRAWS = 4  # of noise and its level, for each of these

# Of the pixels that `photographs` returns, rounded to bytes. Licences: pde2net/models/README.md.
TRAINING = {
    "astronaut": "457c49cb4401ccb6",
    "brick": "664a145c5253f0d6",
    "chelsea": "ca11ec8dc3e5bcef",
    "coffee": "0e449136d3458a68",
    "grass": "b18dae4c68bf850a",
    "hubble_deep_field": "af150e26be8efe81",
    "ihc": "89a2c065e53d64c9",
    "retina": "46ca1c2d0513dd8a",
    "china": "e053024b000d49b2",
}
VALIDATION = {"coins": "e080cc03805f1fa7", "gravel": "3d51ad45f789cd8b", "flower": "1f6e1d35d013affc"}


def chosen(split: str, sums: dict[str, str]) -> list[torch.Tensor]:
    """The photographs of these names and checksums."""
    found = p2n.learn.photographs(split)
    for name, stated in sums.items():
        if name not in found:
            raise SystemExit(f"There is no photograph {name}: pip install scikit-image scikit-learn")
        own = digest(found[name])
        if own != stated:
            raise SystemExit(f"The photograph {name} is another one: {own} is not {stated}.")
    return [found[name] for name in sums]


def middle(image: torch.Tensor) -> torch.Tensor:
    y, x = (n // 2 for n in image.shape[1:])
    return image[:, y - MIDDLE : y + MIDDLE, x - MIDDLE : x + MIDDLE]


def digest(image: torch.Tensor) -> str:
    return hashlib.sha256(image.mul(255).round().to(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tier", choices=EPOCHS)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tier = TIERS[arguments.tier]
    torch.manual_seed(0)
    module = tier.make("numba" if tier.claim else "torch")
    folder = Path("runs") / f"ship-{arguments.tier}"
    pictures = chosen("train", TRAINING), DRAWS * [middle(v) for v in chosen("validation", VALIDATION)]
    module = train(tier, module, *pictures, LEVELS, folder, EPOCHS[arguments.tier], tier.rate)
    certificate = p2n.learn.certify(module)
    print(certificate.claims[tier.claim])
    p2n.learn.save(module, MODELS / f"{arguments.tier}.safetensors")


if __name__ == "__main__":
    main()
