"""Mutated and random texts: each is read or refused in words, soon, and touches no file and no network.

PYTHONPATH=tests python tests/attack/fuzz_text.py [count]
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter

from language.text_cases import GOOD, mutated

import pde2net as p2n
from pde2net.language.text.build import read

LIMIT = 5.0  # seconds for one text
TOUCHING = ("open", "os.", "socket.", "subprocess.", "shutil.", "exec", "compile", "import")
_watched = False


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: while a text is read, what touches the world outside is an error."""
    if _watched and event.startswith(TOUCHING):
        raise RuntimeError(f"reading a text raised the event {event} {arguments}")


def main(count: int) -> int:
    global _watched
    for text in GOOD:  # modules that are loaded at the first use
        read(text, "text")
    sys.addaudithook(watch)
    source, outcomes, slowest = random.Random(1), Counter[str](), 0.0
    begun = time.monotonic()
    for _ in range(count):
        text = mutated(source)
        start = time.process_time()
        _watched = True
        try:
            read(text, "text")
            outcomes["read"] += 1
        except p2n.Pde2NetError as error:
            outcomes["refused"] += 1
            if not str(error).startswith("text"):
                outcomes["refused without a place"] += 1
        except Exception as error:
            outcomes["crashed"] += 1
            print(f"{type(error).__name__}: {error}\n{text!r}")
        finally:
            _watched = False
        taken = time.process_time() - start
        slowest = max(slowest, taken)
        if taken > LIMIT:
            outcomes["too slow"] += 1
            print(f"{taken:.1f} s\n{text!r}")
    seconds = time.monotonic() - begun
    print(f"{count} texts in {seconds:.0f} s, the slowest {slowest:.2f} s: {dict(sorted(outcomes.items()))}")
    return 0 if set(outcomes) <= {"read", "refused"} else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
