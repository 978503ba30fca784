"""Kernels against others on this machine: python benchmarks/peers.py [--quick]; writes docs/speed.md.

The same equation, u_t = div(g(|grad u|^2) grad u) with forward differences and reflecting borders, the same
size, precision and number of threads for all, taken in turns (timing.py); medians and the fastest and slowest
run. Ratios are what to compare. Who is not installed (pip install "pde2net[bench]" pystencils) is left out,
and named. The licence of pystencils keeps it out of the package and its extras: it is a measuring stick.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import implicit
import numpy as np
import responses
import sympy as sp
import torch
from networks import Textbook
from timing import alternate

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2

PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
R = sp.Rational
STEPS, THREADS, LAMBDA = 20, 2, R(3, 10)
FOURTH = "You-Kaveh"  # of fourth order
AXES = sp.symbols("x y z", real=True)
t, s2 = sp.Symbol("t", real=True), sp.Symbol("s2", nonnegative=True)
DIFFUSIVITIES = {
    "Perona-Malik": 1 / (1 + s2 / LAMBDA**2),
    "Charbonnier": 1 / sp.sqrt(1 + s2 / LAMBDA**2),
    "exponential": sp.exp(-s2 / LAMBDA**2),
    FOURTH: 1 / (1 + s2 / LAMBDA**2),
}
TAUS = {**dict.fromkeys(DIFFUSIVITIES, R(1, 8)), FOURTH: R(1, 64)}
STEP = float(TAUS["Perona-Malik"])
Task = Callable[[], Any]


def network(name: str, dimension: int, steps: int = STEPS, **options: Any) -> p2n.Network:
    u = sp.Function("u")(*AXES[:dimension], t)
    rhs = div(DIFFUSIVITIES[name].subs(s2, norm2(grad(u))) * grad(u))
    if name == FOURTH:
        rhs = -laplacian(DIFFUSIVITIES[name].subs(s2, laplacian(u) ** 2) * laplacian(u))
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs))
    return p2n.compile(problem, p2n.Explicit(tau=TAUS[name], steps=steps), on_unstable="ignore", **options)


def run_of(module: torch.nn.Module, u: torch.Tensor) -> Task:
    def task() -> torch.Tensor:
        with torch.no_grad():
            return module(u)

    return task


# -- others: each makes a task for an image, which returns the state after all steps -------------------------


def expression(name: str, at: Callable[..., Any], dimension: int) -> Any:
    """One step, written out for one cell: u + tau sum_a (flux_a(0) - flux_a(-e_a)).

    Of fourth order it is u - tau L(g L u), L the sum of second differences.
    """
    zero = (0,) * dimension
    if name == FOURTH:
        return at(*zero) - TAUS[name] * _second(_bent(name, at, dimension), dimension)(*zero)

    def flux(axis: int, where: tuple[int, ...]) -> Any:
        def slope(a: int) -> Any:
            up = tuple(w + (k == a) for k, w in enumerate(where))
            return at(*up) - at(*where)

        square = sum(slope(a) ** 2 for a in range(dimension))
        return DIFFUSIVITIES[name].subs(s2, square) * slope(axis)

    total = 0
    for axis in range(dimension):
        total += flux(axis, zero) - flux(axis, tuple(-(k == axis) for k in range(dimension)))
    return at(*zero) + TAUS[name] * total


def _second(at: Callable[..., Any], dimension: int) -> Callable[..., Any]:
    """The sum of second differences."""

    def found(*where: int) -> Any:
        total = -2 * dimension * at(*where)
        for axis in range(dimension):
            for side in (-1, 1):
                total += at(*(w + side * (k == axis) for k, w in enumerate(where)))
        return total

    return found


def _bent(name: str, at: Callable[..., Any], dimension: int) -> Callable[..., Any]:
    """g((L u)^2) L u."""

    def found(*where: int) -> Any:
        bent = _second(at, dimension)(*where)
        return DIFFUSIVITIES[name].subs(s2, bent**2) * bent

    return found


def beyond(name: str) -> int:
    """How many cells beyond a border a step reads."""
    return 2 if name == FOURTH else 1


def mirrored(array: np.ndarray, wide: int) -> None:
    """Fill the cells beyond each border."""
    for axis in range(array.ndim):
        lines = np.moveaxis(array, axis, 0)
        for k in range(wide):
            lines[wide - 1 - k], lines[k - wide] = lines[wide + k], lines[-1 - k - wide]


def devito(name: str, image: np.ndarray) -> Task:
    """One fused equation with OpenMP, and one more for each side of the border."""
    from devito import Eq, Grid, Operator, SubDomain, TimeFunction, configuration

    wide = beyond(name)

    class Inner(SubDomain):  # type: ignore[misc]  # Devito has no types
        name = "inner"

        def define(self, dimensions: Any) -> Any:
            return dict.fromkeys(dimensions, ("middle", wide, wide))

    configuration["language"], configuration["log-level"] = "openmp", "ERROR"
    shape = tuple(n + 2 * wide for n in image.shape)
    grid = Grid(shape=shape, dtype=np.float32, subdomains=(Inner(),))
    u = TimeFunction(name="u", grid=grid, space_order=2 * wide, time_order=1)
    inner = grid.subdomains["inner"]
    where, h = grid.dimensions, grid.spacing_symbols
    moved = lambda *d: u.subs({x: x + k * dx for x, k, dx in zip(where, d, h, strict=True)})  # noqa: E731
    step = Eq(u.forward, expression(name, moved, image.ndim), subdomain=inner)
    sides = []
    for axis, (x, n) in enumerate(zip(where, grid.shape, strict=True)):
        del axis
        for k in range(wide):
            pairs = (wide - 1 - k, wide + k), (n - wide + k, n - wide - 1 - k)
            sides += [Eq(u.forward.subs(x, to), u.forward.subs(x, source)) for to, source in pairs]
    operator = Operator([step, *sides])
    operator.cfunction  # noqa: B018  compiles

    def task() -> np.ndarray:
        inside = (slice(wide, -wide),) * image.ndim
        u.data[0][inside] = image
        mirrored(u.data[0], wide)
        operator.apply(time_m=0, time_M=STEPS - 1, nthreads=THREADS)
        return np.asarray(u.data[STEPS % 2][inside])

    return task


def pystencils(name: str, image: np.ndarray) -> Task:
    """One fused kernel with OpenMP and the widest vectors of the machine; borders by NumPy."""
    import pystencils as ps

    u, v = ps.fields(f"u, v: float32[{image.ndim}D]")
    right = expression(name, lambda *d: u[d], image.ndim)
    config = ps.CreateKernelConfig(target=ps.Target.CurrentCPU, default_dtype="float32")
    config.cpu.openmp.enable = True
    config.cpu.vectorize.enable = True
    config.cpu.vectorize.assume_inner_stride_one = True
    if name in (
        "Charbonnier",
        "exponential",
    ):  # vectors of other functions than quotients need a library of Intel
        config.cpu.vectorize.enable = False
    kernel = ps.create_kernel([ps.Assignment(v[(0,) * image.ndim], right)], config).compile()
    wide = beyond(name)
    state = [np.zeros([n + 2 * wide for n in image.shape], np.float32) for _ in range(2)]

    def task() -> np.ndarray:
        inside = (slice(wide, -wide),) * image.ndim
        state[0][inside] = image
        for k in range(STEPS):
            mirrored(state[k % 2], wide)
            kernel(u=state[k % 2], v=state[1 - k % 2])
        return state[STEPS % 2][inside]

    return task


def jax(name: str, image: np.ndarray) -> Task:
    """A loop over slices of a padded array, compiled."""
    import jax as j

    w = beyond(name)

    def step(_: int, u: Any) -> Any:
        wide = j.numpy.pad(u, w, mode="symmetric")
        cut = lambda *d: wide[tuple(slice(w + k, n + w + k) for k, n in zip(d, u.shape, strict=True))]  # noqa: E731
        symbols = {}

        def at(*d: int) -> sp.Symbol:
            symbols[d] = sp.Symbol("u" + "_".join(map(str, d)).replace("-", "m"))
            return symbols[d]

        made = expression(name, at, u.ndim)
        return sp.lambdify(list(symbols.values()), made, "jax")(*(cut(*d) for d in symbols))

    whole = j.jit(lambda u: j.lax.fori_loop(0, STEPS, step, u))
    given = j.numpy.asarray(image)
    return lambda: np.asarray(whole(given).block_until_ready())


OTHERS = {"Devito": devito, "pystencils": pystencils, "JAX": jax}
ELSEWHERE = {"OpenCV": "cv2.ximgproc", "SimpleITK": "SimpleITK", "py-pde": "pde", "pyamg": "pyamg"}


def there(module: str) -> bool:
    """Whether a module is installed: importing all would take a while."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# -- tables --------------------------------------------------------------------------------------------------


def against_others(name: str, shape: tuple[int, ...], runs: int, torch_too: bool) -> list[str]:
    """Million cell-steps per second of each, and how much faster the kernels are."""
    image = np.random.default_rng(0).random(shape, np.float32)
    u = torch.from_numpy(image)[None, None]
    made = network(name, len(shape))
    kernels = run_of(made.module(backend="numba").float(), u)
    tasks: dict[str, Task] = {"pde2net, kernels": kernels}
    for label, of in OTHERS.items():
        if there(label.lower()):
            tasks[label] = of(name, image)
    if torch_too:
        module = made.module().float()
        tasks["torch.compile of the torch module"] = run_of(torch.compile(module), u)
        tasks["pde2net, torch"] = run_of(module, u)
    want = kernels()[0, 0].numpy()
    for label, task in tasks.items():
        difference = float(abs(np.asarray(task()).reshape(shape) - want).max())
        if not difference < 1e-4:
            raise SystemExit(f"{label} computes something else: {difference}")
    seconds = alternate(tasks, runs)
    cells = math.prod(shape) * STEPS / 1e6
    own = statistics.median(seconds["pde2net, kernels"])
    title = f"{name}, {' x '.join(map(str, shape))}"
    lines = []
    for label, values in seconds.items():
        middle = statistics.median(values)
        span = f"{cells / max(values):.0f} to {cells / min(values):.0f}"
        lines.append(f"| {title} | {label} | {cells / middle:.0f} | {span} | {middle / own:.2f} |")
    if torch_too:  # once, for it takes long
        start = time.perf_counter()
        run_of(Textbook(STEPS, 2), u)()
        once = time.perf_counter() - start
        lines.append(f"| {title} | textbook network, one run | {cells / once:.1f} | | {once / own:.0f} |")
    return lines


def scaling(quick: bool) -> Iterator[str]:
    """Perona-Malik by kernels, one thread and all, and the textbook network where it ends in a minute."""
    shapes = [(64, 64), (16, 16, 16)]
    if not quick:
        shapes = [(1 << k,) * 2 for k in range(8, 14)] + [(1 << k,) * 3 for k in range(6, 10)]
    for shape in shapes:
        u, cells = torch.rand(1, 1, *shape), math.prod(shape) * STEPS / 1e6
        task = run_of(network("Perona-Malik", len(shape)).module(backend="numba").float(), u)
        rates = []
        for threads in (1, THREADS):
            torch.set_num_threads(threads)
            rates.append(cells / statistics.median(alternate({"": task}, 5)[""]))
        entries = [f"{rates[0]:.0f}", f"{rates[1]:.0f}", f"{rates[1] / rates[0]:.2f}", "", ""]
        if math.prod(shape) <= 1 << 24:
            slow = run_of(Textbook(STEPS, 2, len(shape)), u)
            start = time.perf_counter()
            slow()
            once = cells / (time.perf_counter() - start)
            entries[3:] = f"{once:.1f}", f"{rates[1] / once:.0f}"
        yield f"| {' x '.join(map(str, shape))} | {' | '.join(entries)} |"


def steps(quick: bool) -> Iterator[str]:
    """Perona-Malik by kernels, for several numbers of steps."""
    size = 64 if quick else 2048
    for count in (1, 2, 5, 10, 20, 50, 100, 200):
        made = network("Perona-Malik", 2, steps=count)
        task = run_of(made.module(backend="numba").float(), torch.rand(1, 1, size, size))
        seconds = statistics.median(alternate({"": task}, 5)[""])
        yield f"| {count} | {seconds:.4f} | {size * size * count / 1e6 / seconds:.0f} |"


def similar(runs: int, size: int) -> list[str]:
    """Programs for Perona-Malik diffusion with other stencils, borders or numbers."""
    image = np.random.default_rng(0).random((size, size), np.float32)
    made = network("Perona-Malik", 2).module(backend="numba").float()
    tasks: dict[str, Task] = {"pde2net, kernels": run_of(made, torch.from_numpy(image)[None, None])}
    if there(ELSEWHERE["OpenCV"]):
        import cv2

        colour = np.repeat((255 * image).astype(np.uint8)[..., None], 3, 2)
        tasks["OpenCV anisotropicDiffusion, 3 channels of 8 bits"] = lambda: (
            cv2.ximgproc.anisotropicDiffusion(colour, STEP, 0.3, STEPS)
        )
    if there(ELSEWHERE["SimpleITK"]):
        import SimpleITK

        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(THREADS)
        given = SimpleITK.GetImageFromArray(image)
        tasks["SimpleITK GradientAnisotropicDiffusion"] = lambda: SimpleITK.GradientAnisotropicDiffusion(
            given, STEP, 1.0, 1, STEPS
        )
    if there(ELSEWHERE["py-pde"]):
        import pde

        grid = pde.CartesianGrid([[0, size], [0, size]], [size, size])
        equation = pde.PDE({"u": "divergence(gradient(u) / (1 + gradient_squared(u) / 0.09))"})
        field = pde.ScalarField(grid, image)
        stepper = pde.ExplicitSolver(equation, backend="numba").make_stepper(field, dt=STEP)
        tasks["py-pde, central differences, double precision"] = lambda: stepper(
            field.copy(), 0, STEPS * STEP
        )
    seconds = {label: statistics.median(v) for label, v in alternate(tasks, runs).items()}
    own, cells = seconds["pde2net, kernels"], size**2 * STEPS / 1e6
    return [f"| {label} | {cells / s:.1f} | {s / own:.0f} |" for label, s in seconds.items()]


def training(runs: int) -> list[str]:
    """A step of training: forward, backward, gradients of image and contrast."""
    u = sp.Function("u")(*AXES[:2], t)
    lam = sp.Symbol("lambda", positive=True)
    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2))), parameters={lam: LAMBDA}
    )
    made = p2n.compile(problem, p2n.Explicit(tau=R(1, 5), steps=STEPS), trainable=[lam, "tau"])
    modules = {
        "pde2net, kernels": made.module(backend="numba").float(),
        "pde2net, torch": made.module().float(),
        "textbook, 2 x 2 kernels": Textbook(STEPS, 2),
    }
    image = torch.rand(4, 1, 512, 512)

    def step(module: torch.nn.Module) -> Task:
        return lambda: module(image.clone().requires_grad_()).square().mean().backward()

    seconds = alternate({label: step(m) for label, m in modules.items()}, runs)
    own = statistics.median(seconds["pde2net, kernels"])
    return [
        f"| {label} | {statistics.median(v):.3f} | {min(v):.3f} to {max(v):.3f} | "
        f"{statistics.median(v) / own:.1f} | {peak(label):.0f} |"
        for label, v in seconds.items()
    ]


def peak(label: str) -> float:
    """The memory that one step takes at most above what is there before, in MiB, of a process of its own."""
    command = [sys.executable, __file__, "--memory", label]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def memory(label: str) -> None:
    """Print what `peak` asks for."""
    u = sp.Function("u")(*AXES[:2], t)
    lam = sp.Symbol("lambda", positive=True)
    problem = p2n.Problem(
        sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2))), parameters={lam: LAMBDA}
    )
    made = p2n.compile(problem, p2n.Explicit(tau=R(1, 5), steps=STEPS), trainable=[lam, "tau"])
    module = Textbook(STEPS, 2)
    if label.startswith("pde2net"):
        module = made.module("numba" if "kernels" in label else "torch").float()

    def step(image: torch.Tensor) -> None:
        module(image.requires_grad_()).square().mean().backward()

    step(torch.rand(1, 1, 64, 64))
    image = torch.rand(4, 1, 512, 512)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS")
    step(image)
    print(resident("VmHWM") - before)


def resident(what: str) -> float:
    """Memory of this process in MiB, now or at most."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(what))
    return int(line.split()[1]) / 1024


def models(runs: int) -> list[str]:
    """Models of the gallery, kernels against the torch module."""
    folder = Path(__file__).parent.parent / "examples" / "gallery"
    lines = []
    for stem in ("catte", "edge_enhancing", "gray_scott", "you_kaveh"):
        declared = p2n.load(folder / f"{stem}.pde")
        made = p2n.compile(declared.problem, p2n.Explicit(tau=R(1, 50), steps=STEPS), on_unstable="ignore")
        channels = max(declared.problem.channels, len(declared.problem.equations))
        u = torch.rand(1, channels, 1024, 1024)
        tasks = {b: run_of(made.module(backend=b).float(), u) for b in ("numba", "torch")}
        seconds = {b: statistics.median(v) for b, v in alternate(tasks, runs).items()}
        rate = u.numel() / channels * STEPS / 1e6 / seconds["numba"]
        lines.append(f"| {stem} | {rate:.0f} | {seconds['torch'] / seconds['numba']:.1f} |")
    return lines


def compiling() -> list[str]:
    """Seconds until the first image is done, cold and from disk, each in a process of its own."""
    program = (
        "import time, sys, torch, numba; sys.path[:0] = {path!r}\n"
        "from peers import network\n"
        "made = network('Perona-Malik', 2); source = made.source('numba')\n"
        "u = torch.rand(1, 1, 64, 64); start = time.perf_counter()\n"
        "made.module(backend='numba').float()(u); print(time.perf_counter() - start)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        own = {**os.environ, "PDE2NET_CACHE": folder}
        text = program.format(path=[str(Path(__file__).parent)])
        command = [sys.executable, "-c", text]
        how: Any = {"capture_output": True, "text": True, "check": True, "env": own}
        cold, *warm = (float(subprocess.run(command, **how).stdout) for _ in range(4))
    return [f"| {cold:.1f} | {statistics.median(warm):.2f} |"]


def limits(size: int) -> list[str]:
    """Bandwidth of a copy; the rate of functions of lines in the first cache, and what kernels have of it."""
    from pde2net.emit.kernels.measure import copied, in_cache

    module = network("Perona-Malik", 2).module(backend="numba").float()
    rate = in_cache(module, 1024) * THREADS
    seconds = statistics.median(alternate({"": run_of(module, torch.rand(1, 1, size, size))}, 5)[""])
    share = size * size * STEPS / 1e6 / seconds / rate
    return [f"| {copied(THREADS):.1f} | {rate:.0f} | {share:.0%} |"]


def machine() -> str:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = [f for f in ("avx512f", "avx2") if f in flags]
    return f"{THREADS} threads on {os.cpu_count()} cores, {found[0] if found else 'no AVX2'}"


def page(quick: bool) -> Iterator[str]:
    size, runs = (512, 1) if quick else (4096, 5)
    absent = [label for label in OTHERS if not there(label.lower())]
    absent += [label for label, module in ELSEWHERE.items() if not there(module)]
    yield "# Speed of kernels\n"
    yield f"Written by `python benchmarks/peers.py`: {machine()}, float32, {STEPS} steps.\n"
    yield "What takes less than a second runs twice in its turn, and the second run counts: the first finds"
    yield "caches full of what others left.\n"
    if absent:
        yield f"Not installed, and left out: {', '.join(absent)}.\n"
    yield "## The same equation by others\n"
    yield "| equation | program | million cell-steps per second | range | kernels are faster by |"
    yield "| --- | --- | --- | --- | --- |"
    for name in DIFFUSIVITIES:
        yield from against_others(name, (size, size), runs, name == "Perona-Malik")
    if not quick:
        yield from against_others("Perona-Malik", (512, 512), runs, True)
        yield from against_others("Perona-Malik", (256, 256, 256), 3, False)
    yield "\n## Perona-Malik by kernels: size and threads\n"
    yield "Alone: above, others take turns.\n"
    yield "Million cell-steps per second; the textbook network once.\n"
    yield f"| size | one thread | {THREADS} threads | faster by | textbook, {THREADS} threads | faster by |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield from scaling(quick)
    yield f"\n## Perona-Malik by kernels: steps, {'64 x 64' if quick else '2048 x 2048'}\n"
    yield "| steps | seconds | million cell-steps per second |"
    yield "| --- | --- | --- |"
    yield from steps(quick)
    yield f"\n## Similar equations by others, {size // 4} x {size // 4}\n"
    yield "| program | million pixel-steps per second | kernels are faster by |"
    yield "| --- | --- | --- |"
    yield from similar(runs, size // 4)
    yield "\n## A step of training, 4 x 1 x 512 x 512\n"
    yield "| network | seconds | range | kernels are faster by | MiB at most |"
    yield "| --- | --- | --- | --- | --- |"
    yield from training(runs)
    yield "\n## Models of the gallery, 1024 x 1024\n"
    yield "| model | million cell-steps per second | faster than the torch module by |"
    yield "| --- | --- | --- |"
    yield from models(runs)
    yield from responses.page(quick)
    if there(ELSEWHERE["pyamg"]):
        yield from implicit.page(quick)
    yield "\n## Compiling Perona-Malik: seconds until the first image is done\n"
    yield "| cold | from disk |"
    yield "| --- | --- |"
    yield from compiling()
    yield "\n## Limits of the machine\n"
    yield "| copy, GB per second | lines in the first cache, million cell-steps per second | kernels reach |"
    yield "| --- | --- | --- |"
    yield from limits(size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small images, one run, to the terminal")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    if arguments.memory:
        memory(arguments.memory)
        return
    started = time.perf_counter()
    lines = []
    for line in page(arguments.quick):
        print(line, flush=True)
        lines.append(line)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)
    if not arguments.quick:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
