"""The training loop: stages, epochs and steps, and what happens between steps."""

import math
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import mindspore as ms

from datasets.loader import create_loader
from datasets.open_dataset import open_for_training
from datasets.replacement import REPLACED
from models.DMR import FrozenCNetDMR
from models.inference import MeshPredictor
from models.training_step import Status
from training.feed import BatchFeed, FrozenFeatures, send
from training.guards import NEWS, BadSamples, BadSteps, Stopped, StopRequests
from training.learning_rate import learning_rate
from training.ranks import Ranks
from training.resuming import Resumed, find_state, say_changes
from training.run_log import RunLog, StageMeter
from training.saved_states import Position, SavedStates, make_record, restore_random_states
from training.stages import STAGES, Stage, build_cnet, build_dmr, build_step, load_start_of_cnet, write_config
from training.validation import Validation, divide_training_data, draw_summary
from utils.checkpoints import checkpoint


class Training:
    """Trains the stages that the options ask for; holds what both share: log, data, saved states, guards."""

    def __init__(self, options, ranks: Ranks, log: RunLog, stop: StopRequests, folder: Path):
        self.options, self.ranks, self.log, self.stop, self.folder = options, ranks, log, stop, folder
        self.batch = options.batch_size * options.accumulate * ranks.size
        self.source = open_for_training(options)
        self.dataset, self.held_out = divide_training_data(self.source, options, self.batch)
        self.batches = len(self.dataset) // self.batch  # of an epoch
        self.states = SavedStates(folder, options.keep_checkpoints, options.resume)
        self.bad_samples = BadSamples(len(self.dataset) + len(self.held_out or ()), ranks)
        self.bad_steps = BadSteps(ranks, options.max_bad_steps, log.say)
        self.resumed = self._find_state() if options.resume else None
        self.best: dict[str, dict] = {}  # stage -> {"step", "value"} of its best weights

    # ---- where to go on ----

    def _find_state(self) -> Resumed:
        found = find_state(self.states, self.options, self.ranks, self.batches, len(self.dataset), self.log.say)
        say_changes(found.record, self.options, self.log.say)
        if not found.is_renumbered:
            self.states.discard(entry for entry in self.states.positions() if entry > found.position)
        return found

    def _resumes(self, stage: Stage) -> bool:
        return self.resumed is not None and self.resumed.position.stage == stage.number

    def _is_past(self, stage: Stage) -> bool:
        return self.resumed is not None and self.resumed.position.stage > stage.number

    # ---- both stages ----

    def run(self) -> None:
        """Train the stages that the options ask for and that are not finished yet."""
        options, (dp, end) = self.options, STAGES.values()
        self.log.say(f"data set {options.dataset}: {len(self.dataset)} training samples")
        if self.held_out is not None:
            self.log.say(
                f"--val_share: {len(self.held_out)} samples held out, validated every {options.test_steps} steps"
            )
        write_config(options, self.folder, self.resumed is not None)
        cnet = build_cnet(options)
        if not (self._is_past(dp) or self._resumes(dp) and options.stage != "end"):
            self.log.say(load_start_of_cnet(cnet, options, self.folder))
        if options.stage != "end" and not self._is_past(dp):
            self.train_stage(dp, cnet)
        elif options.stage == "dp":
            self.log.say("stage dp is done: the saved state is of stage end")
        if options.stage != "dp":
            dmr = build_dmr(cnet, options)
            if options.checkpoint and not self._resumes(end):
                start = checkpoint.find_weights(options.checkpoint, checkpoint.DMR_PREFIX)
                checkpoint.load_dmr(dmr, start)
                self.log.say(f"CNet and LNet start from {start}")
            self.train_stage(end, dmr)

    def train_stage(self, stage: Stage, network) -> None:
        """Train `network` for the epochs of `stage`, and save its weights after each."""
        cell, run_step = build_step(stage, network, self.options)
        first = self._restore(stage, cell)
        self.bad_steps.start(cell.update)
        is_frozen = isinstance(network, FrozenCNetDMR)
        features = FrozenFeatures(network.CNet, self.options.no_augmentation) if is_frozen else None
        feed = BatchFeed(cell.network, self.options, features, self.source.mesh_genders)
        predictor = None
        if stage.name == "end":
            predictor = MeshPredictor(cell.network.DMR, cell.network.sampler, with_map=True)
        validation = None
        if self.held_out is not None:
            validation = Validation(
                self.held_out, cell.network, predictor, feed, self.options, self.ranks, self.bad_samples
            )
        total = getattr(self.options, stage.epochs) * self.batches
        loop = StageLoop(self, stage, network, cell, run_step, feed, predictor, validation, total)
        loop.complete(first)
        with closing(StageMeter(self.log, stage.name, total, first, self.batch)) as meter:
            while first < total:
                first = loop.epoch(first, meter)

    def _restore(self, stage: Stage, cell) -> int:
        """The number of steps that are done; takes weights, moments and the rest from a saved state of this stage."""
        later = tuple(other.name for other in STAGES.values() if other.number > stage.number)
        if self.resumed is None or not self._resumes(stage):
            self.log.start_stage(stage.name, 0, later)
            return 0
        saved, position, values, record, is_renumbered = self.resumed
        path = self.states.path(saved)
        checkpoint.assign(checkpoint.named_parameters(cell), values, path)
        restore_random_states(record["random"])
        self.best = record["best"]
        self.log.say(f"resumed {path}: {saved.step} steps of stage {stage.name} are done")
        self.log.start_stage(stage.name, saved.step, later)
        if is_renumbered:
            self.log.renumber(stage.name, position.step)
            self.save(stage, position.step, cell, alone=True)
        return position.step

    def save(self, stage: Stage, step: int, cell, alone: bool = False) -> None:
        """Save the state after `step` steps of `stage`; `alone`: set aside the other states, see SavedStates.save."""
        record = make_record(self.options, self.ranks.size, len(self.dataset), step, self.batches, self.best)
        self.states.save(Position(stage.number, step), cell, record, alone)


class StageLoop:
    """The steps of one stage."""

    def __init__(
        self, training: Training, stage: Stage, network, cell, run_step, feed, predictor, validation, total: int
    ):
        self.training, self.stage, self.network = training, stage, network
        self.cell, self.run_step, self.feed, self.total = cell, run_step, feed, total
        self.predictor, self.validation = predictor, validation
        self.options, self.log = training.options, training.log
        self.rate: float | None = None  # the learning rate that the device has
        self.requests: dict[int, ms.Tensor] = {}  # request -> the same on the device

    def epoch(self, first: int, meter: StageMeter) -> int:
        """Train from step `first` to the end of its epoch; returns the number of steps that are done then."""
        training, options = self.training, self.options
        epoch, start = divmod(first, training.batches)
        loader = create_loader(
            training.dataset,
            (*self.feed.columns, REPLACED),
            options.batch_size * options.accumulate,
            # the two stages draw different augmentations
            epoch=epoch + self.stage.number * options.num_epochs_dp,
            start_batch=start,
            shuffle=options.shuffle_train,
            drop_last=True,
            num_workers=options.num_workers,
            rank=training.ranks.rank,
            world_size=training.ranks.size,
            seed=options.seed,
        )
        asked = time.monotonic()
        for step, batch in enumerate(loader, first):
            received = time.monotonic()
            training.bad_samples.check(batch[REPLACED])
            rate = learning_rate(options, step, training.batches, getattr(options, self.stage.epochs))
            losses, status = self._step(batch, rate)
            done = time.monotonic()
            meter.step(step + 1, epoch + 1, received - asked, done - received, losses, rate)
            if status.request == NEWS:
                training.bad_samples.settle()
            training.bad_steps.check(status, losses, f"stage {self.stage.name}, epoch {epoch + 1}, step {step + 1}")
            self._after(step + 1, batch, training.stop.pending(status.request))
            asked = time.monotonic()
        return (epoch + 1) * training.batches

    def _step(self, batch: dict, rate: float) -> tuple[Callable[[], dict], Status]:
        """One update; returns a function that reads the losses by name from the device, and the status."""
        if rate != self.rate:
            self.cell.optimizer.learning_rate.set_data(ms.Tensor(rate, ms.float32))
            self.rate = rate
        outputs, status = self.run_step(self._request(), *self.feed(batch))
        names = ("total", *self.cell.network.loss_names)

        def losses() -> dict:
            return {name: float(value.asnumpy()) for name, value in zip(names, outputs, strict=True)}

        return losses, Status.read(status)

    def _request(self) -> ms.Tensor:
        """What this rank asks of all ranks, on the device; a request is sent there once."""
        request = self.training.stop.request() or (NEWS if self.training.bad_samples.news else 0)
        if request not in self.requests:
            self.requests[request] = send(ms.Tensor([request], ms.float32))
        return self.requests[request]

    def _after(self, step: int, batch: dict, stopped: Stopped | None) -> None:
        """What happens between steps: pictures, validation, saved states, weights, and the end if one was asked for."""
        training, options = self.training, self.options
        if step % options.summary_steps == 0 and self.log.is_main:
            picture = draw_summary(self.cell.network, self.predictor, self.feed, batch)
            self.log.picture(self.stage.name, "networks", step, picture)
            self._back_to_training()
        if self.validation and (step % options.test_steps == 0 or step == self.total):
            self._validate(step)
        end_of_epoch = step % training.batches == 0
        # the state comes first: weights without a state could not be told from those of another training
        if end_of_epoch or stopped or step % options.checkpoint_steps == 0:
            training.save(self.stage, step, self.cell)
        if end_of_epoch:
            self._save_weights(step // training.batches)
        if stopped:
            training.ranks.any(False)  # wait until all have saved: a rank that ends has its launcher end the others
            raise stopped

    def complete(self, step: int) -> None:
        """Write the weights of the epoch that ended with `step`, if the run was killed after saving only its state."""
        epoch, begun = divmod(step, self.training.batches)
        if epoch and not begun and not self._weights_file(epoch).exists():
            self._save_weights(epoch)

    def _weights_file(self, word) -> Path:
        return self.training.folder / f"{self.stage.prefix}_{word}.ckpt"

    def _save_weights(self, word) -> None:
        checkpoint.save_weights(self.network, self._weights_file(word))

    def _back_to_training(self) -> None:
        self.run_step.set_train(True)
        self.network.set_train(True)  # a frozen CNet stays in evaluation mode

    def _validate(self, step: int) -> None:
        """Validate; the best weights so far become {prefix}_best.ckpt."""
        values = self.validation()
        self._back_to_training()
        self.log.record({"time": time.time(), "stage": self.stage.name, "step": step, "validation": values})
        self.log.scalars("validation", values, step)
        score = self.stage.score if self.stage.score in values else "total"
        best = self.training.best.get(self.stage.name)
        is_best = math.isfinite(values[score]) and (best is None or values[score] < best["value"])
        if is_best:
            self.training.best[self.stage.name] = {"step": step, "value": values[score]}
            self._save_weights("best")
        words = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        self.log.say(f"{self.stage.name} validation, step {step}: {words}{'; the best so far' if is_best else ''}")
