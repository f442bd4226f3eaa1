"""``python -m bench``: measure, print, write, and judge only if asked to."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from bench import machine, report
from bench.budgets import BUDGETS, Budget
from bench.figures import Figure


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=", description="Measure the budgets.")
    names = [budget.name for budget in BUDGETS]
    parser.add_argument("budgets", nargs="*", metavar="BUDGET", help=f"which ones, otherwise all: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="a few samples each: a trial of the bench, no measurement")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE", help="%(default)s")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a budget is missed")
    chosen = parser.parse_args(words)
    if unknown := sorted(set(chosen.budgets) - set(names)):
        parser.error(f"there is no budget {', '.join(unknown)}; there are {', '.join(names)}")
    return chosen


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    """Measure what was asked for; return the exit code."""
    chosen = _arguments(words)
    here = machine.describe()
    machine.take_asking_core()
    _say(report.heading(here))
    results: list[tuple[Budget, Figure]] = []
    for budget in BUDGETS:
        if not chosen.budgets or budget.name in chosen.budgets:
            figure = asyncio.run(_measured(budget, quick=chosen.quick))
            results.append((budget, figure))
            _say(report.row(budget, figure))
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    report.write(chosen.json, here, results, quick=chosen.quick)
    _say(f"\n{chosen.json}")
    return int(chosen.strict and any(figure.kept is False for _, figure in results))


async def _measured(budget: Budget, *, quick: bool) -> Figure:
    return await budget.measure(quick=quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
