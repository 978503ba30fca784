"""README.md says what is: its code is run, what it quotes is compared, its links lead somewhere."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp
import torch
from PIL import Image
from support import equation, t, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import diffusivities, div, grad, hessian, laplacian, norm2, smooth, structure_tensor, tensor
from pde2net.cli.main import run
from pde2net.language.text.build import read

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = [(m[1], m[2]) for m in re.finditer(r"^```(\w+)\n(.*?)^```", README, re.M | re.S)]
RESTORING, FIVE_LINES, BLOCK, TRAINING, LEARNED, SHIPPED = (text for kind, text in BLOCKS if kind == "python")
RESTORED, PROOF, REFUSAL = (text for kind, text in BLOCKS if kind == "text")
INDENTED = re.findall(r"(?:^    \S.*\n)+", re.sub(r"```.*?```", "", README, flags=re.S), re.M)


def words(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def five_lines(tmp_path_factory):
    """What the first program prints, and its variables."""
    folder, out = tmp_path_factory.mktemp("readme"), []
    names = {"print": lambda *what: out.append(" ".join(map(str, what)))}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(FIVE_LINES, names)
    return SimpleNamespace(out="\n".join(out), folder=folder, names=names, network=names["network"])


def test_a_picture_comes_out():
    pytest.importorskip("skimage")
    out = []
    exec(RESTORING, {"print": lambda *what: out.append(" ".join(map(str, what)))})
    assert out == [RESTORED.strip()]


def test_the_first_program_prints_its_proof(five_lines):
    assert five_lines.out.strip() == PROOF.strip()


def test_its_module_keeps_shapes(five_lines):
    u = torch.rand(2, 1, 6, 7)
    assert five_lines.names["module"](u).shape == u.shape
    assert (five_lines.folder / "perona_malik_net.py").read_text() == five_lines.network.source()


def test_the_quoted_block_is_in_the_source(five_lines):
    assert BLOCK in five_lines.network.source()


def test_the_drawing_is_that_of_the_first_program(five_lines):
    assert (ROOT / "docs" / "graph.svg").read_text() == five_lines.network._repr_svg_()


def test_a_step_that_is_too_large_is_refused_with_these_words(five_lines):
    scheme = p2n.Explicit(tau=sp.Rational(3, 10), steps=20)
    with pytest.raises(p2n.StabilityError) as error:
        p2n.compile(five_lines.names["problem"], scheme, p2n.Grid())
    assert words(f"StabilityError: {error.value}") == words(REFUSAL)


def test_the_learned_network_is_proved(five_lines):
    names = dict(five_lines.names)
    exec(TRAINING, names)
    network = names["network"]
    assert str(network.certificate.claims["l2_stability"].status) == "proved"
    filters = [v for k, v in network.module().named_parameters() if v.dim() > 2]
    assert len(filters) == 8  # one tensor of filters per block


def test_the_learned_model_is_bounded_by_its_data(five_lines):
    names = {**five_lines.names, "torch": torch}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(five_lines.folder)
        exec(LEARNED, names)
    loaded = names["network"].module()
    loaded.load_state_dict(torch.load(five_lines.folder / "denoiser.pt"))
    network, v = names["network"], torch.randn(2, 1, 9, 8)
    torch.testing.assert_close(loaded(v, f=v), names["module"](v, f=v), rtol=0, atol=0)
    assert str(network.certificate.claims["bounded_by_data"].status) == "proved"
    module = network.module()
    assert module(v, f=v).flatten(1).norm(dim=1).le(v.flatten(1).norm(dim=1) * (1 + 1e-5)).all()
    assert p2n.learn.values(module)["K"].shape == (5, 8, 1, 5, 5)


def test_the_shipped_denoiser_is_averaged(five_lines):
    out = []
    names = {"p2n": p2n, "print": lambda *what: out.append(" ".join(map(str, what)))}
    exec(SHIPPED, names)
    assert out == ["proved"] and names["clean"].shape == names["noisy"].shape


def test_the_text_is_a_declaration():
    (text,) = (b for b in INDENTED if "unknown" in b)
    declared = p2n.Declaration(*read("".join(line[4:] + "\n" for line in text.splitlines()), "README.md"))
    assert declared.scheme == p2n.Explicit(tau=sp.Rational(1, 5), steps=12)


def commands():
    (text,) = (b for b in INDENTED if "pde2net verify" in b)
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line != "pde2net demo"]  # which has tests of its own


def test_the_commands_succeed_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    noise = np.random.default_rng(0).normal(128, 30, (24, 25)).clip(0, 255)
    Image.fromarray(noise.astype(np.uint8)).save("noisy.png")
    assert len(commands()) == 9
    for line in commands():
        monkeypatch.setattr("sys.argv", shlex.split(line))
        with pytest.raises(SystemExit) as end:
            run()
        assert not end.value.code, (line, capsys.readouterr())
    made = {
        "certificate.png",
        "net.py",
        "certificate.json",
        "clean.png",
        "film.gif",
        "graph.svg",
        "heat.pde",
    } | {"net.pt2"}
    assert made <= {f.name for f in tmp_path.iterdir()}


LINKS = re.findall(r"\]\(([^)#]+?)\)", README)


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_links_lead_somewhere(link):
    assert link.startswith("http") or (ROOT / link).exists()


# -- the table of what can be declared -------------------------------------------------------------

u, v = unknown(2), sp.Function("v")(x, y, t)
f, c = sp.Function("f")(x, y), sp.Function("c")(x, y)
K = p2n.LinearOperator("K", 16, 5)
J = structure_tensor(u, 1, 2)
S = smooth(u, 1)
ROWS = {
    "second order": [
        div(u / (1 + norm2(grad(f)) + x**2) * grad(u)),
        div(diffusivities.charbonnier(norm2(grad(u)), 1) * grad(u)),
    ],
    "diffusion tensors": [
        div(tensor(grad(S), 1 / (1 + norm2(grad(S))), 1) * grad(u)),
        div(tensor(p2n.principal_direction(J), sp.Rational(1, 2), 1) * grad(u)),
        div(sp.Matrix([[2, 1], [1, 2]]) * grad(u)),
    ],
    "channels": [div(grad(u) / (1 + norm2(grad(u))))],
    "systems": [laplacian(u) - u * v**2],
    "fourth order": [
        -laplacian(laplacian(u) / (1 + laplacian(u) ** 2)),
        -div(div(hessian(u) / (1 + norm2(hessian(u))))),
        -u.diff(x, 4) - 2 * u.diff(y, 4),
    ],
    "time": [sp.exp(-t) * div(grad(u) / (1 + norm2(grad(u))))],
    "learned": [-K.adjoint(K(u) / (1 + K(u) ** 2))],
    "other terms": [u.diff(x, 2) + 2 * u.diff(y, 2) - u**3 + x, c * (f - u) + (1 - c) * laplacian(u)],
    "known fields": [laplacian(u) + f - u],
}


def test_every_row_of_the_table_is_tried():
    table = README.partition("## What can be declared")[2].partition("\n\n")[2].partition("\n\n")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    # Borders, grids and schemes vary in most tests; the others have files of their own.
    elsewhere = {"borders", "grid", "scheme", "ranges", "domains", "numbers at the call"}
    assert set(rows) - set(ROWS) == elsewhere


@pytest.mark.parametrize("row", ROWS)
def test_what_the_table_lists_can_be_declared_and_run(row):
    for rhs in ROWS[row]:
        channels = 3 if row == "channels" else 2 if row == "systems" else 1
        equations = [equation(rhs, 2), sp.Eq(v.diff(t), laplacian(v) + u * v**2)][
            : 2 if row == "systems" else 1
        ]
        options = {"channels": 3} if row == "channels" else {}
        problem = p2n.Problem(equations if row == "systems" else equations[0], **options)
        grid = p2n.Grid(gradient="staggered")
        module = uncertified(
            problem, p2n.Explicit(sp.Rational(1, 100), 2), grid, trainable=[K] if row == "learned" else ()
        ).module()
        image = torch.rand(1, channels, 8, 9)
        known = {str(field.func): torch.rand(1, 1, 8, 9) for field in problem.fields}
        assert module(image, **known).isfinite().all()


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+)` \|", README, re.M))
def test_every_scheme_has_for_time(name):
    problem = p2n.Problem(equation(laplacian(u), 2))
    steps = {"steps": 4} if name in ("Implicit", "Theta", "AOS", "Multigrid") else {}
    scheme = getattr(p2n, name).for_time(2, problem, p2n.Grid(), **steps)
    assert uncertified(problem, scheme).module()(torch.rand(1, 1, 8, 9)).isfinite().all()
