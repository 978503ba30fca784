"""The loop of training: what it minimises, that it repeats itself, and what it refuses."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
import torch.nn.functional as F
from learn.trained import data, equal, module, network, t, u, weights

import pde2net as p2n
from pde2net.learn import Noise, fit
from pde2net.learn.reach import reach

SGD = {"optimizer": lambda groups: torch.optim.SGD(groups, momentum=0.9), "lr": 0.1}
CHOICES: dict[str, dict[str, Any]] = {
    "Adam": {},
    "cosine": {"scheduler": "cosine"},
    "SGD": SGD,
    "plateau": {**SGD, "scheduler": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0)},
    "steps": {"scheduler": lambda o: torch.optim.lr_scheduler.StepLR(o, 2), "clip": 0.1},
    "LBFGS": {"optimizer": "LBFGS", "batch": 24, "lr": 0.5},
    "rates": {"lr": {"K": 1e-3, "others": 1e-2}},
    "patches": {"patch": 32, "patches": 2, "flips": True},
    "greedy": {"greedy": 1},
}


def test_one_step_is_that_of_torch() -> None:
    """A batch of all images: the gradient of the mean squared error, by hand."""
    noisy, clean = data()
    made, by_hand = module(), module()
    optimiser = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        F.mse_loss(by_hand(noisy), clean).backward()
        optimiser.step()
    history = fit(made, noisy, clean, 3, batch=24, optimizer="SGD", lr=0.1, progress=False)
    for name, value in weights(by_hand).items():
        torch.testing.assert_close(weights(made)[name], value, rtol=1e-5, atol=1e-7)
    assert history.loss[0] == pytest.approx(float(F.mse_loss(module()(noisy), clean).detach()), rel=1e-5)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_training_in_parts_is_one_at_once(choice: str, tmp_path: Path) -> None:
    noisy, clean = data()
    options = {
        "batch": 8,
        "seed": 3,
        "progress": False,
        "validation": (noisy[:4], clean[:4]),
        **CHOICES[choice],
    }
    whole = module()
    history = fit(whole, noisy, clean, 4, checkpoint=tmp_path / "whole", **options)
    again = module()
    fit(again, noisy, clean, 4, **options)
    assert equal(weights(whole), weights(again))
    if choice == "cosine":
        return
    folder = tmp_path / "parts"
    for epochs in (1, 3, 4):
        part = module(seed=epochs)
        if epochs == 1:
            part = module()
        resumed = fit(part, noisy, clean, epochs, checkpoint=folder, resume=True, **options)
    assert equal(weights(part), weights(whole))
    assert resumed.loss == history.loss and resumed.validation == history.validation
    assert equal(weights(part), p2n.learn.checkpoint.read(folder / "best.safetensors")[0])


def test_the_module_ends_with_the_best_weights_and_patience_stops() -> None:
    noisy, clean = data()
    made = module()
    wild = {
        "lr": 0.2,
        "optimizer": "SGD",
        "scheduler": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda e: 30**e),
    }
    history = fit(
        made, noisy, clean, 30, validation=(noisy, clean), patience=2, batch=24, progress=False, **wild
    )
    assert history.best is not None and history.best < len(history.loss) < 30
    assert len(history.loss) == history.best + 2
    with torch.no_grad():
        assert float(F.mse_loss(made.eval()(noisy), clean)) == pytest.approx(
            min(history.validation), rel=1e-5
        )


def test_a_cosine_ends_at_zero_and_kinds_have_their_rates(tmp_path: Path) -> None:
    noisy, clean = data()
    made = module()
    before = weights(made)
    fit(made, noisy, clean, 2, lr={"K": 0.0, "lambda": 0.01}, progress=False)
    after = weights(made)
    assert all(torch.equal(before[n], after[n]) == n.endswith(".K") for n in before)
    history = fit(made, noisy, clean, 3, scheduler="cosine", checkpoint=tmp_path, progress=False)
    assert history.rate[-1] == pytest.approx(0, abs=1e-12)
    rows = list(csv.reader((tmp_path / "history.csv").read_text().splitlines()))
    assert rows[0] == ["epoch", "loss", "rate", "seconds", "trained"] and len(rows) == 4
    assert (tmp_path / "loss.png").stat().st_size > 5000


def test_greedy_training_changes_one_block_after_the_other() -> None:
    noisy, clean = data()
    made = module()
    before = weights(made)
    history = fit(made, noisy, clean, 1, greedy=2, lr=0.01, progress=False, batch=24)
    assert history.trained == ["block 1", "block 1", "block 2", "block 2", "all"]
    assert not any(torch.equal(before[n], weights(made)[n]) for n in before)
    first = module()
    from pde2net.learn.blocks import first_blocks

    with first_blocks(first, 0):
        assert history.loss[0] == pytest.approx(float(F.mse_loss(first(noisy), clean).detach()), rel=1e-5)
    assert len(first.blocks) == 2
    with pytest.raises(p2n.DeclarationError, match="no blocks with parameters of their own"):
        fit(module(shared=True), noisy, clean, 1, greedy=1, progress=False)


def test_the_loss_is_cropped_by_the_reach() -> None:
    """Two steps with filters of 5: K reaches 4 behind K^T, twice. Cells behind the border see less."""
    made = module()
    noisy, clean = data()
    assert reach(made, noisy[:1], {}) == 8
    history = fit(made, noisy, clean, 1, crop="reach", batch=24, progress=False)
    result = module()(noisy)
    wanted = F.mse_loss(result[..., 8:-8], clean[..., 8:-8])
    assert history.loss[0] == pytest.approx(float(wanted.detach()), rel=1e-5)
    K = p2n.learn.baselines.unet(1, 2, levels=2)
    assert 0 < reach(K, noisy[:1], {}) < 64
    with pytest.raises(p2n.DeclarationError, match="leaves nothing"):
        fit(module(), noisy, clean, 1, crop=32, progress=False)


def test_noise_is_drawn_anew_and_its_level_can_be_a_field() -> None:
    clean = p2n.learn.signals(64, 256)
    samples = p2n.learn.samples.Samples(Noise((0.1, 0.5)), clean, {"f": "input", "sigma": "noise"}, seed=0)
    given, target, known = samples[3]
    assert torch.equal(target, clean[3]) and torch.equal(known["f"], given)
    assert float((given - target).std()) == pytest.approx(float(known["sigma"]), rel=0.2)
    assert 0.1 <= float(known["sigma"]) <= 0.5
    samples.epoch = 1
    assert not torch.equal(samples[3][0], given)
    levels = [float(samples[k][2]["sigma"]) for k in range(64)]
    assert min(levels) < 0.15 and max(levels) > 0.45


def test_patches_are_cut_from_all_alike_and_lists_have_images_of_all_sizes() -> None:
    clean = [torch.rand(1, 9, 12), torch.rand(1, 7, 30)]
    noisy = [2 * image for image in clean]
    fields = {"f": "input", "mask": torch.arange(2.0)}
    samples = p2n.learn.samples.Samples(noisy, clean, fields, seed=0, patch=6, flips=True, patches=5)
    assert len(samples) == 10
    for k in range(10):
        given, target, known = samples[k]
        assert target.shape == (1, 6, 6) and torch.equal(given, 2 * target)
        assert known["mask"] == k // 5
    whole = torch.arange(36.0).view(1, 6, 6)
    seen = set()
    samples = p2n.learn.samples.Samples([whole], [whole], {}, seed=0, flips=True)
    for epoch in range(100):
        samples.epoch = epoch
        seen.add(tuple(samples[0][1].flatten().tolist()))
    assert len(seen) == 8  # the symmetries of a square


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no data": ({"inputs": [], "targets": []}, "no data"),
    "counts": ({"inputs": torch.rand(3, 1, 8)}, "3 inputs and 2 targets"),
    "shapes": ({"inputs": torch.rand(2, 1, 9)}, "input 0 has the shape"),
    "channels": ({"targets": [torch.rand(1, 8), torch.rand(2, 8)]}, "as many"),
    "integers": ({"targets": torch.zeros(2, 1, 8, dtype=torch.uint8)}, "floating point"),
    "a small image": ({"patch": 9}, "fewer than a patch of 9"),
    "epochs": ({"epochs": 0}, "epochs"),
    "batch": ({"batch": 2.5}, "batch"),
    "an optimizer": ({"optimizer": "Adan"}, 'Did you mean "Adam"'),
    "a scheduler": ({"scheduler": "cosin"}, 'Did you mean "cosine"'),
    "a loss": ({"loss": "mse"}, 'Did you mean "mse_loss"'),
    "a kind": ({"lr": {"lamda": 1.0}}, 'Did you mean "lambda"'),
    "a missing kind": ({"lr": {"K": 1.0}}, "no rate for lambda"),
    "a rate": ({"lr": {"others": -1.0}}, "learning rate"),
    "patience": ({"patience": 2}, "validation"),
    "resume": ({"resume": True}, "checkpoint="),
    "a field": ({"fields": {"f": "inptu"}}, '"input"'),
    "noise of inputs": ({"fields": {"f": "noise"}}, '"input"'),
    "a field of another count": ({"fields": {"f": torch.rand(3, 1, 8)}}, "one entry for each of 2"),
    "a crop": ({"crop": "reech"}, '"reach"'),
    "an option": ({"bacth": 2}, 'Did you mean "batch"'),
    "sigma": ({"inputs": lambda: Noise(-1.0)}, "positive number"),
    "no sigma": ({"inputs": lambda: Noise("x")}, "positive number"),  # type: ignore[arg-type]
    "a negative clip": ({"clip": -1}, "clip is a positive number, or None"),
    "clip not finite": ({"clip": math.nan}, "clip is a positive number"),
    "a negative seed": ({"seed": -1}, "seed is a whole number from 0 to"),
    "half a seed": ({"seed": 0.5}, "seed is a whole number"),
    "no patience": ({"patience": 0}, "patience is a whole number from 1 to"),
    "no word": ({"flips": "yes"}, "flips is True or False"),
    "no function": ({"loss": 3}, "loss is a name or a function"),
    "no folder": ({"checkpoint": 3}, "checkpoint is the path of a folder"),
    "an unknown field": ({"fields": {"q": 1.0}}, "takes no field q"),
    "a network": ({"module": network}, "network.module"),
    "images of two sizes": (
        {"inputs": [torch.rand(1, 8), torch.rand(1, 9)], "targets": [torch.rand(1, 8), torch.rand(1, 9)]},
        "give patch=, or batch=1",
    ),
    "arrays": ({"targets": np.zeros((2, 1, 8))}, "torch.as_tensor"),
    "a loss of nothing": ({"loss": lambda result, target: target.mean()}, "does not depend on the result"),
    "a class of schedulers": ({"scheduler": torch.optim.lr_scheduler.StepLR}, "'step_size'. A function"),
    "noise as targets": ({"targets": lambda: Noise(0.1)}, "not Noise"),
    "fields of validation": ({"validation": (torch.rand(1, 1, 8),) * 3}, "fields by name"),
    "half precision": ({"module": lambda: module().half()}, "half precision"),
    "no values": ({"module": lambda: module().to("meta")}, "device meta"),
    "a list of arrays": ({"targets": [np.zeros((1, 8))] * 2}, "of type ndarray"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    options, message = REFUSED[name]
    options = dict(options)
    other = options.pop("module", None)
    made = module(fidelity="f" in options.get("fields", {}))
    before = weights(made)
    with pytest.raises(p2n.DeclarationError, match=message):
        given = {"inputs": torch.rand(2, 1, 8), "targets": torch.rand(2, 1, 8), "epochs": 1, **options}
        for key in ("inputs", "targets"):
            given[key] = given[key]() if callable(given[key]) else given[key]
        fit(other() if other else made, **given, progress=False)
    assert equal(before, weights(made))


def test_noise_beyond_the_range_of_images_is_told() -> None:
    clean = torch.rand(2, 1, 8)
    for sigma, warned in ((25.0, True), ((1.5, 25.0), True), ((0.1, 25.0), False), (0.5, False)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(module(), Noise(sigma), clean, 1, progress=False)
        assert any("units of these values" in str(w.message) for w in caught) is warned


def test_an_error_of_a_loss_says_what_it_was_called_with() -> None:
    def loss(result: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (result @ target).mean()

    with pytest.raises(RuntimeError) as found:
        fit(module(), torch.rand(2, 1, 8), torch.rand(2, 1, 8), 1, loss=loss, progress=False)
    assert "(2, 1, 8)" in found.value.__notes__[0]


def test_data_of_a_fidelity_are_asked_for() -> None:
    noisy, clean = data()
    with pytest.raises(p2n.DeclarationError, match=r'fields=\{"f": "input"\}'):
        fit(module(fidelity=True), noisy, clean, 1, progress=False)
    history = fit(module(fidelity=True), noisy, clean, 2, fields={"f": "input"}, progress=False)
    assert history.loss[1] < history.loss[0]


@pytest.mark.parametrize("where", ["inputs", "weights"])
def test_a_loss_that_is_not_finite_leaves_the_weights_of_the_epoch_before(where: str, tmp_path: Path) -> None:
    noisy, clean = data()
    made = module() if where == "inputs" else p2n.learn.baselines.residual(1, 4)  # the first keeps finite
    fit(made, noisy, clean, 2, checkpoint=tmp_path, progress=False)
    good = weights(made)
    wild = {"optimizer": "SGD", "lr": 1e30} if where == "weights" else {}
    if where == "inputs":
        noisy[5] = torch.nan
    with pytest.raises(p2n.TrainingError, match=r"not finite.*epoch 1"):
        fit(made, noisy, clean, 2, batch=4, progress=False, **wild)
    assert equal(good, weights(made))


def test_a_folder_has_one_training(tmp_path: Path) -> None:
    noisy, clean = data()
    folder = tmp_path / "run"
    fit(module(), noisy, clean, 1, checkpoint=folder, progress=False)
    with pytest.raises(p2n.FileError, match=r"resume=True .* goes on"):
        fit(module(), noisy, clean, 1, checkpoint=folder, progress=False)
    for options, message in (
        ({"batch": 8}, "batch = 16, not 8"),
        ({"seed": 8}, "seed = 0, not 8"),
        ({"lr": 0.5}, "lr = 0.01, not 0.5"),
    ):
        with pytest.raises(p2n.FileError, match=message):
            fit(module(), noisy, clean, 2, checkpoint=folder, resume=True, progress=False, **options)
    with pytest.raises(p2n.FileError, match="data"):
        fit(module(), 2 * noisy, clean, 2, checkpoint=folder, resume=True, progress=False)
    other = module(scheme=p2n.Explicit(tau=None, steps=3))
    with pytest.raises(p2n.FileError, match=r"another network.*scheme"):
        fit(other, noisy, clean, 2, checkpoint=folder, resume=True, progress=False)
    (folder / "last.safetensors").write_bytes(b"\x80\x04no checkpoint")
    with pytest.raises(p2n.FileError, match="no file of weights"):
        fit(module(), noisy, clean, 2, checkpoint=folder, resume=True, progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(p2n.FileError, match="Cannot write"):
        fit(module(), noisy, clean, 1, checkpoint=tmp_path / "file", progress=False)


def test_validation_is_a_part_of_a_training(tmp_path: Path) -> None:
    noisy, clean = data()
    checks = noisy[:4], clean[:4]
    fit(module(), noisy, clean, 2, validation=checks, checkpoint=tmp_path, progress=False)
    for other in (None, (noisy[4:8], clean[4:8])):
        with pytest.raises(p2n.FileError, match="a training with validation"):
            fit(module(), noisy, clean, 3, validation=other, checkpoint=tmp_path, resume=True, progress=False)
    history = fit(
        module(), noisy, clean, 3, validation=checks, checkpoint=tmp_path, resume=True, progress=False
    )
    assert len(history.validation) == 3


def test_the_best_weights_go_with_the_state(tmp_path: Path) -> None:
    """However the other file was left: killed between the two, it may have those of a later epoch."""
    noisy, clean = data()
    options = {"validation": (noisy[:4], clean[:4]), "checkpoint": tmp_path, "progress": False}
    made = module()
    fit(made, noisy, clean, 2, **options)
    (tmp_path / "best.safetensors").write_bytes(b"")
    again = module(seed=2)
    fit(again, noisy, clean, 2, resume=True, **options)
    assert equal(weights(made), weights(again))
    p2n.learn.load(module(), tmp_path / "best.safetensors")


@pytest.mark.parametrize("border", ["inside", "continued"])
def test_rates_are_named_as_in_the_declaration(border: str) -> None:
    """However the values are stored: as logarithms, roots or before their parities."""
    own = p2n.LinearOperator("K", 2, 3, border=border)
    w = own.parameter("w", nonnegative=True)
    problem = p2n.Problem(sp.Eq(u.diff(t), -own.adjoint(w * own(u))), parameters={w: [1, 1]})
    made = p2n.compile(
        problem, p2n.Explicit(tau=None, steps=2), trainable=[own, w, "tau"], keep_stable=True
    ).module()
    noisy, clean = data(4)
    before = p2n.learn.values(made)
    fit(made, noisy, clean, 1, lr={"K": 0.0, "w": 0.1, "tau": 0.0}, progress=False)
    after = p2n.learn.values(made)
    assert not torch.equal(after["w"], before["w"])


def test_a_validation_that_is_not_finite_stops(tmp_path: Path) -> None:
    noisy, clean = data()
    bad = clean[:4].clone()
    bad[2, 0, 5] = torch.nan
    made = module()
    before = weights(made)
    with pytest.raises(p2n.TrainingError, match=r"validation loss is not finite .* after epoch 1"):
        fit(made, noisy, clean, 2, validation=(noisy[:4], bad), progress=False)
    assert equal(before, weights(made))


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_of_a_module_stays(mode: bool) -> None:
    noisy, clean = data()
    made = module().train(mode)
    fit(made, noisy, clean, 1, validation=(noisy[:4], clean[:4]), progress=False)
    assert {part.training for part in made.modules()} == {mode}


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_data_of_every_type_and_with_gradients(kind: torch.dtype) -> None:
    noisy, clean = data(4)
    made = p2n.learn.baselines.residual(1, 2).to(kind)
    wanted = (2 * noisy.to(kind).requires_grad_(True)), clean.to(kind).requires_grad_(True)
    history = fit(made, *wanted, 2, batch=2, progress=False)
    assert len(history.loss) == 2 and wanted[1].grad is None


DAMAGED: dict[str, dict[str, str]] = {
    "settings": {"settings": "{"},
    "settings of another kind": {"settings": "[]"},
    "progress": {"progress": "null"},
    "an optimiser": {"progress": '{"epoch": 1, "history": {"loss": [1.0]}, "optimiser": 3, "schedule": {}}'},
    "no optimiser": {
        "progress": '{"epoch": 1, "history": {"loss": [1.0]}, '
        '"optimiser": {"pairs": []}, "schedule": {"pairs": []}}'
    },
    "an epoch": {"progress": '{"epoch": -5, "history": {}, "optimiser": {}, "schedule": {}}'},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_states_are_told(name: str, tmp_path: Path) -> None:
    from pde2net.learn import checkpoint

    noisy, clean = data(4)
    fit(module(), noisy, clean, 1, checkpoint=tmp_path, progress=False)
    tensors, metadata = checkpoint.read(tmp_path / "last.safetensors")
    checkpoint.write(tmp_path / "last.safetensors", tensors, {**metadata, **DAMAGED[name]})
    with pytest.raises(p2n.FileError, match=r"was damaged|cannot go on|a training with"):
        fit(module(), noisy, clean, 2, checkpoint=tmp_path, resume=True, progress=False)


def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    from filelock import FileLock

    noisy, clean = data()
    with FileLock(tmp_path / "run.lock"), pytest.raises(p2n.FileError, match="Another training"):
        fit(module(), noisy, clean, 1, checkpoint=tmp_path, progress=False)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch

    noisy, clean = data()
    fit(module(), noisy, clean, 1, checkpoint=tmp_path, progress=False)
    before = (tmp_path / "last.safetensors").read_bytes()
    real = safetensors.torch.save_file

    def full(tensors: Any, path: Path, metadata: Any) -> None:
        real(tensors, path, metadata)
        raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(p2n.FileError, match="No space left"):
        fit(module(), noisy, clean, 2, checkpoint=tmp_path, resume=True, progress=False)
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".pde2net-")]


ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(map(str, (Path(p2n.__file__).parents[1], Path(__file__).parents[1]))),
}
SCRIPT = """
import sys
from pathlib import Path
import torch
import pde2net as p2n
from learn.trained import data, module

noisy, clean = data()
folder = Path(sys.argv[1])
torch.set_num_threads(1)
made = module()
p2n.learn.fit(made, noisy, clean, 6, batch=8, checkpoint=folder, resume=True, progress=False)
"""


def script(tmp_path: Path, text: str = SCRIPT) -> Path:
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(text))
    return path


def test_a_killed_training_loses_one_epoch_at_most(tmp_path: Path) -> None:
    """Killed while it writes the checkpoint of the third epoch."""
    kill = """
    import os, signal
    from pde2net.learn import checkpoint
    written, real = [0], checkpoint.write
    def write(path, tensors, metadata):
        written[0] += path.name == "last.safetensors"
        if written[0] == 3 and path.name == "last.safetensors":
            real(Path(str(path) + ".part"), tensors, metadata)
            os.kill(os.getpid(), signal.SIGKILL)
        real(path, tensors, metadata)
    checkpoint.write = write
    """
    folder = tmp_path / "run"
    first = SCRIPT.replace("noisy, clean", textwrap.dedent(kill) + "\nnoisy, clean", 1)
    command = [sys.executable, str(script(tmp_path, first)), str(folder)]
    assert subprocess.run(command, check=False, env=ENVIRONMENT).returncode == -9
    noisy, clean = data()
    made = module()
    torch.set_num_threads(1)
    history = fit(made, noisy, clean, 6, batch=8, checkpoint=folder, resume=True, progress=False)
    assert len(history.loss) == 6
    at_once = module()
    assert fit(at_once, noisy, clean, 6, batch=8, progress=False).loss == history.loss
    assert equal(weights(at_once), weights(made))


def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    """Batches of 10, 10 and 5: of unequal parts, whose gradients are those of the whole."""
    text = """
    import sys
    import torch
    import torch.distributed as dist
    import pde2net as p2n
    from learn.trained import data, module, weights

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    noisy, clean = data(count=25)
    made = module()
    history = p2n.learn.fit(
        made, noisy, clean, 2, batch=10, optimizer="SGD", lr=0.1, checkpoint=sys.argv[1], progress=False
    )
    torch.save({"weights": weights(made), "loss": history.loss}, f"{sys.argv[1]}/{dist.get_rank()}.pt")
    dist.destroy_process_group()
    """
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*command, str(script(tmp_path, text)), str(folder)], check=True, capture_output=True, env=ENVIRONMENT
    )
    noisy, clean = data(count=25)
    made = module()
    history = fit(made, noisy, clean, 2, batch=10, optimizer="SGD", lr=0.1, progress=False)
    for rank in range(2):
        found = torch.load(folder / f"{rank}.pt", weights_only=True)
        assert found["loss"] == pytest.approx(history.loss, rel=1e-5)
        for name, value in weights(made).items():
            torch.testing.assert_close(found["weights"][name], value, rtol=1e-5, atol=1e-7)


def test_modules_of_others_are_trained_and_reported_to_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    noisy, clean = data()
    torch.manual_seed(0)
    made = p2n.learn.baselines.dncnn(1, 4, depth=3)
    history = fit(made, noisy, clean, 4, log=tmp_path, checkpoint=tmp_path / "run", progress=False)
    assert history.loss[-1] < history.loss[0]
    assert list(tmp_path.glob("events.out.tfevents*"))
    again = p2n.learn.baselines.dncnn(1, 4, depth=3)
    p2n.learn.load(again, tmp_path / "run" / "best.safetensors")
    assert equal(weights(made), weights(again))


def test_training_leaves_random_numbers_and_modes_alone() -> None:
    noisy, clean = data()
    made = module()
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    fit(made, noisy, clean, 1, progress=False)
    assert torch.equal(torch.rand(3), wanted)
    assert all(p.requires_grad for p in made.parameters())


def test_networks_without_parameters_are_refused() -> None:
    noisy, clean = data()
    still = network(
        trainable=[],
        shared=True,
        keep_stable=False,
        scheme=p2n.Explicit(tau=1, steps=1),
    )
    for parameter in (made := still.module()).parameters():
        parameter.requires_grad_(False)
    with pytest.raises(p2n.DeclarationError, match="nothing to train"):
        fit(made, noisy, clean, 1, progress=False)
