"""Kills training, preprocessing and evaluation at random moments, and compares what they end with.

    python -m tests.reliability.kills --kills 20 [--thin]

prints a table: fault, number of tries, what was lost. The moments are random times since the start and random file
operations, drawn from --seed. --thin puts networks of a few hundred parameters in place of CNet and LNet.
"""

import argparse
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil

from tests.helpers.tiny_decomr import data_root
from tests.helpers.tiny_up3d import write_data
from tests.reliability import thin_networks
from tests.reliability.forks import AtFileEvent, Command, run
from training.saved_states import RECORD
from utils.checkpoints.checkpoint import read_checkpoint

BATCH_SIZE = 4
ALL_STEPS = ("--train_files", "--eval_files", "--gt_iuv", "--workers", 2)
NETWORK = ("--img_res", 64, "--lnet_width", 0.125, "--mode", "pynative", "--num_workers", 2, "--batch_size", BATCH_SIZE)
SCHEDULE = ("--num_epochs_dp", 1, "--num_epochs_end", 1, "--checkpoint_steps", 1, "--log_freq", 1)
LESS_THAN_A_STATE = 9000  # bytes; the files of the log are smaller
FILE_EVENTS_OF_A_STEP = 12  # about; a step saves a state and its checksum, and removes an older state with its own


@dataclass
class Outcome:
    """What was lost in `tries` tries of a fault, one line for each loss."""

    fault: str
    tries: int = 0
    lost: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.fault:58s} {self.tries:5d}   {'; '.join(self.lost) or 'nothing'}"


class Site:
    """A folder where commands run, with a data root of as many samples as an epoch of `steps` steps needs."""

    def __init__(self, folder: Path, steps: int):
        self.folder, self.root = folder, folder / "data"
        self.root.mkdir(parents=True)
        with data_root(self.root):
            write_data(self.root, 8)
        self.check(self.command("preprocess_datasets", *ALL_STEPS))
        self.lengthen(self.root / "DATASET_NPZ_PATH/up_3d_trainval.npz", steps * BATCH_SIZE + 2)

    @staticmethod
    def lengthen(path: Path, rows: int) -> None:
        table = dict(np.load(path))
        rows = np.arange(rows) % len(table["imgname"])
        np.savez(path, **{name: column[rows] for name, column in table.items()})

    def command(self, script: str, *words, root: Path | None = None) -> Command:
        return Command(script, words, root or self.root, self.folder / "log")

    def check(self, command: Command, **kill) -> float:
        """Run a command that must succeed; returns the seconds that it took."""
        started = time.monotonic()
        code = run(command, **kill)
        assert code == 0, f"{command.script}.py ended with {code}:\n{command.log.read_text()[-3000:]}"
        return time.monotonic() - started

    def train(self, name: str, *words) -> Command:
        out = self.folder / name
        places = ("--ckpt_dir", out / "ckpt", "--log_dir", out / "logs", "--name", "run")
        return self.command("train", *NETWORK, *SCHEDULE, *places, *words)

    def evaluate(self, run_name: str, target: str) -> Command:
        places = ("--eval_dir", self.folder / run_name / "ckpt/rank0", "--save_root", self.folder / target)
        return self.command("eval", *NETWORK, *places)


def losses(folder: Path) -> list[tuple]:
    lines = (folder / "logs/run/metrics.jsonl").read_text().splitlines()
    return [(entry["stage"], entry["step"], entry["losses"]) for entry in map(json.loads, lines)]


def difference(found: Path, expected: Path) -> list[str]:
    """How the results of the training run in `found` differ from those in `expected`."""
    names = {path.name for path in (expected / "ckpt/rank0").iterdir()}
    others = {path.name for path in (found / "ckpt/rank0").iterdir()}
    problems = [f"{name} is missing" for name in sorted(names - others)]
    problems += [f"{name} is left behind" for name in sorted(others - names)]
    for name in sorted(name for name in names & others if name.endswith(".ckpt")):
        values, truth = (read_checkpoint(folder / "ckpt/rank0" / name) for folder in (found, expected))
        for entries in (values, truth):
            entries.pop(RECORD, None)  # it has names of folders, and the state of a generator that nothing draws from
        wrong = [key for key in truth if values[key].asnumpy().tobytes() != truth[key].asnumpy().tobytes()]
        problems += [f"{name}: {len(wrong)} of {len(truth)} parameters differ"] if wrong else []
    story = losses(expected)
    # a run that was killed before its first state starts anew, and leaves the lines of its first start above
    if losses(found)[-len(story) :] != story:
        problems.append("metrics.jsonl tells another story")
    return problems


def has_state(folder: Path) -> bool:
    return any((folder / "ckpt/rank0").glob("state_*.ckpt"))


def kill_training(site: Site, kills: int, rng: np.random.Generator) -> list[Outcome]:
    """Kill one run `kills` times, every second time before one of its file operations."""
    whole = site.check(site.train("undisturbed"))
    steps = len(losses(site.folder / "undisturbed"))
    start = site.check(site.train("undisturbed", "--resume"))  # the run is complete, so this is the time of a start
    outcomes = [Outcome("training, kill -9 at random times"), Outcome("training, kill -9 in file operations")]
    folder = site.folder / "killed"
    resume = ()
    for number in range(kills):
        command = site.train("killed", *resume)
        outcome = outcomes[number % 2]
        if number % 2:
            most = FILE_EVENTS_OF_A_STEP * max(1, steps // kills)
            code = run(command, at=AtFileEvent(int(rng.integers(1, most + 1)), folder))
        else:
            code = run(command, after=rng.uniform(0, start + max(0.0, whole - start) / kills))
        if code != -signal.SIGKILL:
            outcome.lost.append(f"kill {number} came too late: exit code {code}")
        outcome.tries += 1
        resume = ("--resume",) if has_state(folder) else ()
    site.check(site.train("killed", *resume))
    outcomes[0].lost += difference(folder, site.folder / "undisturbed")
    return outcomes


def kill_loader_workers(site: Site, kills: int) -> Outcome:
    """Kill a loader worker in each of `kills` epochs of one run."""
    outcome = Outcome("training, loader worker killed")
    ended = threading.Event()

    def hunt():
        seen = set()
        while not ended.wait(0.05) and outcome.tries < kills:
            for process in psutil.Process().children(recursive=True):
                parent = process.ppid()
                # one worker of an epoch is killed: their parent then replaces all of them
                if parent != os.getpid() and process.pid not in seen:
                    siblings = psutil.Process(parent).children()
                    if seen.isdisjoint(child.pid for child in siblings):
                        process.kill()
                        outcome.tries += 1
                    seen |= {child.pid for child in siblings}

    def hunt_while_processes_come_and_go():
        while not ended.is_set() and outcome.tries < kills:
            try:
                hunt()
            except psutil.NoSuchProcess:
                continue

    thread = threading.Thread(target=hunt_while_processes_come_and_go)
    thread.start()
    try:
        site.check(site.train("robbed"))
    finally:
        ended.set()
        thread.join()
    outcome.lost = difference(site.folder / "robbed", site.folder / "undisturbed")
    return outcome


def fill_disk(site: Site) -> Outcome:
    """Run out of disk space at the first saved state, then give the same command again with space."""
    outcome = Outcome("training, disk full, then room again", 1)
    # one worker is a thread; processes share memory as files, to which the limit would apply too
    command = site.train("full", "--num_workers", 1)
    command = replace(command, file_limit=LESS_THAN_A_STATE, log=site.folder / "log_of_full")
    code = run(command)
    if code != 2 or "error: cannot write" not in command.log.read_text():
        outcome.lost.append(f"the message; exit code {code}: {command.log.read_text()[-500:]}")
    site.check(site.train("full", *(("--resume",) if has_state(site.folder / "full") else ())))
    outcome.lost += difference(site.folder / "full", site.folder / "undisturbed")
    return outcome


def start_twice(site: Site) -> Outcome:
    """Start a second run in the folder of a run that is not finished."""
    outcome = Outcome("training, a second run on its folder", 1)
    first = threading.Thread(target=lambda: outcome.lost.extend([] if run(site.train("shared")) == 0 else ["the run"]))
    first.start()
    while first.is_alive() and not has_state(site.folder / "shared"):
        time.sleep(0.01)
    second = replace(site.train("shared"), log=site.folder / "log_of_second")
    code = run(second)
    first.join()
    if code != 2 or "is in use: process" not in second.log.read_text():
        outcome.lost.append(f"the refusal; exit code {code}: {second.log.read_text()[-500:]}")
    outcome.lost += difference(site.folder / "shared", site.folder / "undisturbed")
    return outcome


def results(folder: Path) -> dict[str, bytes]:
    """name -> content of the files of a folder, without those that killed writers left (their names start with .)."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def kill_until_done(site: Site, outcome: Outcome, command: Command, kills: int, rng, most: float, made, check):
    """Kill a command `kills` times, let it end once, and call `check`, which returns what was lost.

    made: folders that it writes; they are removed when it ended before it could be killed.
    """
    while outcome.tries < kills:
        if run(command, after=rng.uniform(0, most)) == -signal.SIGKILL:
            outcome.tries += 1
            continue
        for folder in made:
            shutil.rmtree(command.data_root / folder)
    site.check(command)
    outcome.lost += check()
    return outcome


def kill_preprocessing(site: Site, kills: int, rng) -> Outcome:
    """Kill the preparation of a data set `kills` times."""

    def raw_copy(name: str) -> Path:
        folder = site.folder / name
        return shutil.copytree(site.root, folder, ignore=shutil.ignore_patterns("*IUV_gt", "*NPZ*"))

    expected, found = raw_copy("prepared"), raw_copy("prepared_under_fire")
    most = site.check(site.command("preprocess_datasets", *ALL_STEPS, root=expected))
    outcome = Outcome("preprocessing, kill -9 at random times")
    command = site.command("preprocess_datasets", *ALL_STEPS, root=found)
    return kill_until_done(
        site, outcome, command, kills, rng, most, ("up-3d/BF_IUV_gt", "DATASET_NPZ_PATH"),
        lambda: [name for name, content in results(expected).items() if results(found).get(name) != content],
    )  # fmt: skip


def kill_evaluation(site: Site, kills: int, rng) -> Outcome:
    """Kill an evaluation of the undisturbed run `kills` times."""
    most = site.check(site.evaluate("undisturbed", "results"))
    folder = site.folder / "results_under_fire"

    def compare() -> list[str]:
        expected, found = results(site.folder / "results"), results(folder)
        for content in (expected, found):  # their dates and speeds differ
            content["up-3d.json"] = json.loads(content["up-3d.json"]) | {"date": None, "speed": None}
        return [name for name, content in expected.items() if found.get(name) != content]

    outcome = Outcome("evaluation, kill -9 at random times")
    command = site.evaluate("undisturbed", "results_under_fire")
    return kill_until_done(site, outcome, command, kills, rng, most, (), compare)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of training (20); half as many of the others")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    parser.add_argument("--steps", type=int, default=8, help="in each of the two epochs (8)")
    parser.add_argument("--thin", action="store_true", help="with networks of a few hundred parameters")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    if options.thin:
        thin_networks.install()
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), options.steps)
        print(f"{'fault':58s} tries   lost", flush=True)
        for outcome in kill_training(site, options.kills, rng):
            print(outcome, flush=True)
        print(kill_loader_workers(site, min(options.kills, 2)), flush=True)  # a run has two epochs
        print(fill_disk(site), flush=True)
        print(start_twice(site), flush=True)
        print(kill_preprocessing(site, max(1, options.kills // 2), rng), flush=True)
        print(kill_evaluation(site, max(1, options.kills // 2), rng), flush=True)


if __name__ == "__main__":
    main()
