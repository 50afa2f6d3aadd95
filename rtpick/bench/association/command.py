"""`rtpick bench associate`: our associator and others on the same picks, against the truth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from rtpick.bench.association.catalogue import Found
from rtpick.bench.association.generate import write_scenario
from rtpick.bench.association.ours import Prepared, prepare, run_rtpick
from rtpick.bench.association.peer_job import Peer, run_peer
from rtpick.bench.association.peers import REQUIRED, Terms, describe_gamma, describe_pyocto
from rtpick.bench.association.real import RealList, read_real, score_real
from rtpick.bench.association.report import Row, gather, print_rows, write_rows
from rtpick.bench.association.report_real import RealRow, print_real, write_real
from rtpick.bench.association.scenario import Scenario, find_scenarios, read_scenario
from rtpick.bench.association.score import score
from rtpick.bench.measurement import Absent
from rtpick.publish.picture_scores import Bar, plot_scores
from rtpick.vocabulary.errors import WorkerError

PLAIN_WIDTH = 170
Describe = Callable[[Prepared, Terms], Peer]
PEERS: dict[str, Describe] = {"pyocto": describe_pyocto, "gamma": describe_gamma}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be compared, and where.

    Parameters
    ----------
    peers : tuple of str
        Of `PEERS`.
    python : str
        Interpreter that has them; they may want other versions of libraries than we do.
    patience_s : float
        How long one of them may take on one pick list.
    out : Path
        Folder for the table and the picture.
    """

    peers: tuple[str, ...] = tuple(PEERS)
    python: str = sys.executable
    patience_s: float = 3600.0
    out: Path = Path("bench-associate")


def bench_association(
    wishes: Wishes, folder: Path | None, names: Sequence[str], seeds: Sequence[int], real: Path | None
) -> list[Row]:
    """Run every associator on pick lists; print, write and draw the figures.

    Parameters
    ----------
    wishes : Wishes
    folder : Path or None
        Scenarios: folders of tables.
    names, seeds : sequence
        Scenarios to be made here, each with each seed; ``calm`` if nothing else is named.
    real : Path or None
        Folder of real pick lists, as `rtpick.bench.association.real` knows them.

    Raises
    ------
    PickTableError
        If a folder holds nothing of the kind.
    """
    names = names or (() if folder or real else ("calm",))
    with TemporaryDirectory() as drawn:
        scenarios = [read_scenario(path) for path in (find_scenarios(folder) if folder else ())]
        made = [write_scenario(Path(drawn) / f"{n}_{s}", n, s) for n in names for s in seeds]
        scenarios += [read_scenario(path) for path in made]
        console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        rows = _bench(scenarios, wishes, console) if scenarios else []
        if real:
            _bench_real(read_real(real, Path(drawn)), wishes, console)
        return rows


def _bench(scenarios: Iterable[Scenario], wishes: Wishes, console: Console) -> list[Row]:
    runs = []
    for scenario in scenarios:
        console.print(f"{scenario.name}, seed {scenario.seed} ...")
        prepared = prepare(scenario)
        for found in run_all(prepared, wishes, console):
            runs.append((scenario.name, found, score(found, scenario.truth)))
    rows = gather(runs)
    print_rows(rows, console)
    write_rows(wishes.out / "associators.csv", rows)
    plot_scores(wishes.out / "associators.png", [_bar(row) for row in rows])
    console.print(f"figures -> {wishes.out / 'associators.csv'}, {wishes.out / 'associators.png'}")
    return rows


def _bench_real(lists: Iterable[RealList], wishes: Wishes, console: Console) -> None:
    rows = []
    for real in lists:
        console.print(f"{real.scenario.name} ...")
        for found in run_all(prepare(real.scenario), wishes, console, real.terms):
            rows.append(RealRow(real.scenario.name, found, score_real(found, real)))
    print_real(rows, console)
    write_real(wishes.out / "real.csv", rows)
    console.print(f"figures -> {wishes.out / 'real.csv'}")


def run_all(prepared: Prepared, wishes: Wishes, console: Console, terms: Terms = REQUIRED) -> Iterator[Found]:
    """Yield what each associator makes of a scenario; of one that is missing or fails, say so."""
    yield run_rtpick(prepared)[0]
    for name in wishes.peers:
        try:
            answer = run_peer(PEERS[name](prepared, terms), prepared, wishes.python, wishes.patience_s)
        except WorkerError as error:
            console.print(f"  {error}")
            continue
        if isinstance(answer, Absent):
            console.print(f"  {answer.subject}: not installed ({answer.remedy})")
        else:
            yield answer


def _bar(row: Row) -> Bar:
    return Bar(row.scenario, row.associator, row.score.events.f1, row.score.picks.f1,
               row.score.false_per_hour, row.picks_per_s)  # fmt: skip
