"""The long run of the attack on random declarations, reported in docs/verification.md.

PYTHONPATH=tests python tests/attack/fuzz.py [seconds]
"""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import random
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from adversary import GROWTH, Attack
from declarations import Declared, declarations
from forge import forgeries, is_genuine
from hostile import hostile
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from learned import learned

import pde2net as p2n

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "docs" / "verification.md"
MARK = "<!-- written by make fuzz -->"
PROCESSES, PER_SEED = 2, 6
FORGED = 12  # of each certificate that is rechecked


@dataclass
class Tally:
    """What one process has seen."""

    cases: int = 0
    refused: int = 0
    inputs: int = 0
    slowest: float = 0.0
    slowest_case: str = ""
    claims: Counter[tuple[str, str]] = field(default_factory=Counter)
    schemes: Counter[str] = field(default_factory=Counter)
    rechecked: int = 0
    forged: int = 0
    internal: Counter[str] = field(default_factory=Counter)
    rejected: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.cases += other.cases
        self.refused += other.refused
        self.inputs += other.inputs
        if other.slowest > self.slowest:
            self.slowest, self.slowest_case = other.slowest, other.slowest_case
        self.claims.update(other.claims)
        self.schemes.update(other.schemes)
        self.rechecked += other.rechecked
        self.forged += other.forged
        self.internal.update(other.internal)
        self.rejected += other.rejected
        self.broken += other.broken


class Failures(logging.Handler):
    """Exceptions on the way to a claim, by kind and place: each is a fault, though it became `unknown`."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        kind, error, trace = record.exc_info or (None, None, None)
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        self.found[f"{getattr(kind, '__name__', '')} in {where}: {str(error)[:80]}"] += 1


def work(number: int, seconds: float) -> Tally:
    """Attack declarations until the time is over; every tenth certificate is rechecked and forged."""
    torch.set_num_threads(1)
    faulthandler.enable()
    failures = Failures()
    logging.getLogger("pde2net.verify").addHandler(failures)
    logging.getLogger("pde2net.verify").setLevel(logging.DEBUG)
    warnings.simplefilter("ignore")
    tally, end = Tally(), time.monotonic() + seconds
    series = number
    while time.monotonic() < end:

        @seed(series)
        @settings(
            max_examples=PER_SEED,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of(declarations(), hostile(), learned()))
        def one(declared: Declared) -> None:
            if time.monotonic() < end:
                case(declared, tally)

        one()
        series += PROCESSES
    tally.internal.update(failures.found)
    return tally


def case(declared: Declared, tally: Tally) -> None:
    tally.cases += 1
    try:
        scheme = declared.scheme()
        start = time.monotonic()
        network = declared.compiled(scheme)
        took = time.monotonic() - start
    except p2n.Pde2NetError:
        tally.refused += 1
        return
    except Exception as error:
        tally.broken.append(f"{declared.problem}, {declared.kind.__name__}: {type(error).__name__}: {error}")
        return
    if took > tally.slowest:
        tally.slowest, tally.slowest_case = took, str(declared.problem.rhs)
    tally.schemes[scheme.label] += 1
    tally.claims.update((name, str(claim.status)) for name, claim in network.certificate.claims.items())
    attack = Attack(network)
    what = f"{declared.problem}, {scheme}, {declared.grid}"
    try:
        tally.broken += [f"{what}: {line}" for line in attack.run()]
    except Exception as error:
        if type(error).__name__ != "ConvergenceError":  # a step that diverges has no output
            tally.broken.append(f"{what}: the network stops with {type(error).__name__}: {error}")
    tally.inputs += attack.inputs
    if tally.cases % 10 == 0:
        rechecked(network, what, tally)


def rechecked(network: Any, what: str, tally: Tally) -> None:
    """The certificate must be accepted with its source, and FORGED forgeries of it refused."""
    text = network.certificate.to_json()
    tally.rechecked += 1
    try:
        p2n.recheck(text, None if network.certificate.source is None else network.source())
    except p2n.Pde2NetError as error:
        tally.rejected.append(f"{what}: {error}")
        return
    forged = list(forgeries(text))
    for kind, other in random.Random(what).sample(forged, min(FORGED, len(forged))):
        tally.forged += 1
        if accepted(other) and not is_genuine(other):
            tally.broken.append(f"{what}: a forged certificate is accepted ({kind})")


def accepted(text: str) -> bool:
    try:
        p2n.recheck(text)
    except p2n.Pde2NetError:
        return False
    return True


def report(tally: Tally, seconds: float) -> str:
    """The generated part of docs/verification.md."""
    names = list(dict.fromkeys(name for name, _ in tally.claims))
    statuses = ("proved", "refuted", "linearised", "unknown", "not applicable")
    rows = [
        f"| {name} | " + " | ".join(str(tally.claims[name, status]) for status in statuses) + " |"
        for name in sorted(names)
    ]
    verdict = (
        f"No claim was broken: no growth factor above 1 + {GROWTH:g}."
        if not tally.broken
        else f"**{len(tally.broken)} were broken:**\n\n" + "\n".join(f"- {b}" for b in tally.broken)
    )
    rejected = "".join(f"\n- {r}" for r in tally.rejected)
    return "\n".join(
        [
            MARK,
            "",
            f"{tally.cases} declarations in {seconds:.0f} s on {PROCESSES} processes; {tally.refused} were "
            f"refused in words, {tally.cases - tally.refused} attacked with {tally.inputs:,} inputs. "
            f"{verdict} {tally.rechecked} certificates were rechecked, {len(tally.rejected)} of them "
            f"rejected though genuine; {tally.forged} forgeries of them were tried. "
            f"The slowest certificate took {tally.slowest:.1f} s. "
            f"{sum(tally.internal.values())} derivations ended in an exception.{rejected}",
            *(f"- {count} times {what}" for what, count in tally.internal.most_common(10)),
            "",
            f"Schemes: {', '.join(f'{name} {count}' for name, count in sorted(tally.schemes.items()))}.",
            "",
            "| claim | " + " | ".join(statuses) + " |",
            "| --- |" + " ---: |" * len(statuses),
            *rows,
            "",
        ]
    )


def main(seconds: float) -> int:
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        found = pool.starmap(work, [(k, seconds) for k in range(PROCESSES)])
    tally = Tally()
    for part in found:
        tally.add(part)
    text = REPORT.read_text(encoding="utf-8").split(MARK)[0]
    REPORT.write_text(text + report(tally, seconds), encoding="utf-8")
    print(report(tally, seconds))
    print(f"slowest: {tally.slowest_case}")
    return 1 if tally.broken or tally.rejected else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 600.0))
