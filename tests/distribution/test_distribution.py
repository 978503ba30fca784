"""What is handed out: wheel, sdist, metadata, extras, the citation and the conda recipe say the same."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import pde2net

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RECIPE = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text())
README = (ROOT / "README.md").read_text()
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
# Distributions whose modules have other names.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "flint": "python-flint",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "z3": "z3-solver",
    "torch.utils.tensorboard": "tensorboard",
}


def build(root, folder, kind):
    """hatchling's wheel or sdist of a folder, without a network."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; the extra dev has it")
    program = f"import sys, hatchling.build as b; print(b.build_{kind}(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(folder)]
    made = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return folder / made.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


def test_the_wheel_has_the_package_and_what_it_reads(wheel):
    files = {f for f in (ROOT / "pde2net").rglob("*") if f.is_file() and f.parent.name != "__pycache__"}
    expected = {f.relative_to(ROOT).as_posix(): f for f in files}
    expected |= {f"pde2net/grammar/{f.name}": f for f in (ROOT / "grammar").iterdir()}
    for file in (ROOT / "examples" / "perona_malik.py", *(ROOT / "examples" / "gallery").glob("*.pde")):
        expected[f"pde2net/{file.relative_to(ROOT).as_posix()}"] = file
    assert {"pde2net/py.typed", "pde2net/models/t1.safetensors", "pde2net/grammar/pde.lark"} <= set(expected)
    about = f"pde2net-{pde2net.__version__}.dist-info"
    expected[f"{about}/licenses/LICENSE"] = ROOT / "LICENSE"
    with zipfile.ZipFile(wheel) as archive:
        made = {f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
        assert sorted(archive.namelist()) == sorted({*expected, *made})
        assert all(archive.read(name) == path.read_bytes() for name, path in expected.items())
        entries = archive.read(f"{about}/entry_points.txt").decode()
        metadata = archive.read(f"{about}/METADATA").decode()
    assert entries.split() == [
        *("[console_scripts]", "pde2net", "=", PROJECT["scripts"]["pde2net"]),
        *("[pygments.lexers]", "pde2net", "=", PROJECT["entry-points"]["pygments.lexers"]["pde2net"]),
    ]
    assert f"\nVersion: {pde2net.__version__}\n" in metadata and "\nLicense-Expression: MIT\n" in metadata


def test_the_wheel_works_alone(wheel, tmp_path):
    """Unpacked elsewhere: texts need the grammar, denoisers their weights, the demo its example."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "import pde2net as p2n; from pde2net.gallery import example\n"
        "print(p2n.__file__, p2n.load('heat.pde').scheme.steps, p2n.models.denoiser('t1', 0.1).training)\n"
        "print(p2n.load(example('perona_malik.py')).grid == p2n.Grid())"
    )
    text = "unknown u(x, t)\nequation u_t = laplacian(u)\nscheme explicit(tau = 1/4, steps = 3)\n"
    (tmp_path / "heat.pde").write_text(text)
    command = [sys.executable, "-c", program]
    environment = {"PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert not run.returncode, run.stderr
    assert run.stdout.split() == [str(tmp_path / "site/pde2net/__init__.py"), "3", "False", "True"]


def test_the_sdist_gives_the_same_wheel(wheel, tmp_path):
    with tarfile.open(build(ROOT, tmp_path, "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (p for p in tmp_path.iterdir() if p.is_dir())
    for name in ("CITATION.cff", "LICENSE", "tests/support.py", "docs/theory.md", "editors/pack.py"):
        assert (source / name).is_file()
    assert build(source, tmp_path, "wheel").read_bytes() == wheel.read_bytes()


def test_one_version_is_everywhere():
    assert PROJECT["dynamic"] == ["version"]  # pde2net/__init__.py has it
    assert str(CITATION["version"]) == RECIPE["context"]["version"] == pde2net.__version__


def test_the_citation_names_the_article():
    """`cffconvert --validate` checks the rest of the schema."""
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type", "license"} <= set(CITATION)
    (article,) = CITATION["references"]
    names = [author["family-names"] for author in article["authors"]]
    assert names == ["Alt", "Schrader", "Augustin", "Peter", "Weickert"]
    assert article["doi"] == "10.1007/s10851-022-01106-x"
    assert article["doi"] in (ROOT / "docs" / "theory.md").read_text()
    assert CITATION["repository-code"] == PROJECT["urls"]["Homepage"]


def test_the_recipe_has_the_dependencies_of_the_project():
    run = {entry.partition(" ")[0]: entry.partition(" ")[2] for entry in RECIPE["requirements"]["run"]}
    run["torch"] = run.pop("pytorch")
    assert run.pop("python") == PROJECT["requires-python"]
    named = {name(entry): entry.removeprefix(name(entry)) for entry in PROJECT["dependencies"]}
    assert run == named
    assert RECIPE["build"]["python"]["entry_points"] == [f"pde2net = {PROJECT['scripts']['pde2net']}"]
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    assert RECIPE["about"]["homepage"] == PROJECT["urls"]["Homepage"]


# -- extras ----------------------------------------------------------------------------------------


def name(requirement):
    return re.match(r"[\w-]+", requirement)[0]


def provided(extra):
    """The distributions that an extra brings, those of the extras that it names included."""
    found = set()
    for requirement in EXTRAS[extra]:
        others = re.fullmatch(r"pde2net\[(.*)\]", requirement)
        found |= set().union(*map(provided, others[1].split(","))) if others else {name(requirement)}
    return found


def distribution(module):
    return DISTRIBUTIONS.get(module) or DISTRIBUTIONS.get(module.partition(".")[0], module.partition(".")[0])


def imported(node):
    """The modules of others that statements import."""
    for part in ast.walk(node):
        names = [a.name for a in part.names] if isinstance(part, ast.Import) else []
        names += [part.module] if isinstance(part, ast.ImportFrom) else []
        for module in names:
            if module.partition(".")[0] not in {*sys.stdlib_module_names, "pde2net"}:
                yield module


TREES = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "pde2net").rglob("*.py"))}


def test_whatever_is_imported_is_a_dependency_or_in_an_extra():
    known = {name(entry) for entry in PROJECT["dependencies"]} | provided("all") | provided("gpu")
    assert {distribution(module) for tree in TREES.values() for module in imported(tree)} <= known


def messages():
    """(file, modules, what is raised where they are missing)."""
    for path, tree in TREES.items():
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.Try)):
            modules = {m for statement in node.body for m in imported(statement)}
            raised = [n for h in node.handlers for n in ast.walk(h) if isinstance(n, ast.Raise)]
            if modules and raised:
                yield path, modules, " ".join(map(ast.unparse, raised))


def test_messages_about_missing_modules_name_the_extra():
    found = list(messages())
    assert len(found) >= 8
    for path, modules, text in found:
        (extra,) = re.findall(r'pip install "pde2net\[([\w-]+)\]"\.', text)
        assert {distribution(m) for m in modules} <= provided(extra), path


def test_extras_that_are_named_exist():
    paths = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.py"), *TREES]
    text = "\n".join(path.read_text() for path in paths)
    assert not re.findall(r"pip install '?pde2net\[.*", text)  # quotes that every shell takes
    named = re.findall(r'pip install "pde2net\[([\w,-]+)\]', text)
    assert {e for names in named for e in names.split(",")} <= set(EXTRAS)


def test_all_is_what_users_need():
    users = set(EXTRAS) - {"bench", "dev", "dist", "docs"}
    assert provided("all") == set().union(*map(provided, users - {"all", "gpu"}))
    assert set(re.findall(r"`\[([\w-]+)\]`", README)) == users


def test_the_readme_names_the_releases_of_the_constraints():
    for requirement in re.findall(r"^\w+==.*", (ROOT / "constraints.txt").read_text(), re.M):
        assert requirement.replace("==", " ") in README
