"""make test-versions: a wheel, installed for each Python that is found, has to pass smoke.py and some tests.

python tests/distribution/versions.py WHEEL FOLDER    an environment per version is made there, and kept

The versions are those of pyproject.toml, from the path or from pyenv. Environments install what pip finds: to
test with PyTorch's CPU build where pip finds another one, put that into FOLDER/3.13, say, first.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Parser, compiler and emitted modules, proofs, rechecks, denoisers and commands.
TESTS = (
    "language/test_text.py",
    "emit/test_module.py",
    "verify/test_ranges.py",
    "audit/test_equality.py",
    "models/test_denoise.py",
    "cli/test_cli_verify.py",
)


def versions() -> list[str]:
    """3.11, 3.12, ..."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))


def interpreter(version: str) -> str | None:
    """A Python of that version; a shim of pyenv may be on the path without one behind it."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    for place in filter(None, places):
        if not subprocess.run([place, "-c", ""], capture_output=True).returncode:
            return place
    return None


def check(python: str, wheel: Path, folder: Path) -> None:
    """Raises CalledProcessError where anything fails."""
    own = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    if not Path(own).exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraint = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, *constraint, f"{wheel}[demo,fast]", "hypothesis", "pytest", "ruff"], check=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", str(wheel)], check=True)  # of the same version
    safe = [own, "-P"]  # the checkout is not on the path
    subprocess.run([*safe, str(Path(__file__).parent / "smoke.py")], check=True)
    tests = [str(ROOT / "tests" / test) for test in TESTS]
    subprocess.run([*safe, "-m", "pytest", "-p", "no:cacheprovider", *tests], check=True)


def main() -> int:
    wheel, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    failed = []
    for version in versions():
        python = interpreter(version)
        print(f"==> Python {version}: {python or 'not found'}", flush=True)
        try:
            if python is not None:
                check(python, wheel, folder / version)
        except subprocess.CalledProcessError as error:
            failed.append(f"Python {version}: {' '.join(map(str, error.cmd))}")
    print(*failed, sep="\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
