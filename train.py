"""Train DecoMR: stage `dp` fits the CNet to IUV images, stage `end` the whole model.

    python train.py --dataset up-3d --num_epochs_dp 5 --num_epochs_end 30 --batch_size 16

Checkpoints: ckpt_dir/rank{r}/CNet_{epoch}.ckpt and dmr_{epoch}.ckpt. Log: log_dir/name/metrics.jsonl.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from utils.device import Device, setup_device  # isort: skip  sets the environment MindSpore starts in

import mindspore as ms
import numpy as np
from mindspore import nn

from datasets.loader import create_loader
from datasets.open_dataset import open_dataset
from models.adam import Adam
from models.dense_cnn import DPNet, get_LNet
from models.DMR import DMR
from models.ground_truth import GroundTruth
from models.layer import zero_init_residual
from models.TrainOneStepDP import TrainOneStepDP
from models.TrainOneStepEnd import TrainOneStepEnd
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from utils import checkpoint
from utils.errors import UserError, run_command
from utils.pictures import iuv_summary
from utils.run_log import RunLog, StageMeter
from utils.train_options import TrainOptions

ADAM_BETA2 = 0.999


@dataclass(frozen=True)
class Stage:
    """What distinguishes the two stages."""

    number: int
    loss_cell: type
    step_cell: type
    prefix: str  # of its checkpoints
    epochs: str  # the option that holds its number of epochs


STAGES = {
    "dp": Stage(0, WithLossCellDP, TrainOneStepDP, checkpoint.CNET_PREFIX, "num_epochs_dp"),
    "end": Stage(1, WithLossCellEnd, TrainOneStepEnd, checkpoint.DMR_PREFIX, "num_epochs_end"),
}


def learning_rate(options, epoch: int, epochs: int) -> float:
    """--lr, or with --lr_schedule linear --lr falling to --lr / epochs in the last of `epochs` epochs."""
    return options.lr * (1 - epoch / epochs) if options.lr_schedule == "linear" else options.lr


def rank_folder(options, device: Device) -> Path:
    """Where a rank keeps its checkpoints and its state."""
    return Path(options.ckpt_dir) / f"rank{device.rank}"


class OutOfTime(Exception):
    """--time_to_run is over; the state is saved."""


class Training:
    """The things that both stages share: options, device, log, data and the saved state."""

    def __init__(self, options, device: Device, log: RunLog):
        self.options, self.device, self.log = options, device, log
        self.started = time.time()
        self.folder = rank_folder(options, device)
        self.state_file = self.folder / checkpoint.STATE_NAME
        self.dataset = open_dataset(options, "train")
        self.batches = self._batches_per_epoch()
        self.resumed = self._read_state() if options.resume else None

    def _batches_per_epoch(self) -> int:
        batch = self.options.batch_size * self.device.world_size
        if batch > len(self.dataset):
            raise UserError(
                f"the data set has {len(self.dataset)} training samples, fewer than one batch of {batch}. "
                "Choose a smaller --batch_size."
            )
        return len(self.dataset) // batch

    def _read_state(self):
        if not self.state_file.is_file():
            raise UserError(f"--resume: there is no saved state {self.state_file}.")
        return checkpoint.load_state(self.state_file)

    def run(self) -> None:
        """Train the stages that are asked for and not finished yet."""
        self.log.say(f"data set {self.options.dataset}: {len(self.dataset)} training samples")
        checkpoint.save_config(self.options, self.folder)
        cnet = self.build_cnet()
        if self.options.stage != "end" and not self._is_past("dp"):
            self.train_stage("dp", cnet)
        elif self.options.stage == "dp":
            self.log.say("stage dp is done: the saved state is of stage end")
        if self.options.stage != "dp":
            self.train_stage("end", self.build_dmr(cnet))

    def _is_past(self, stage: str) -> bool:
        return self.resumed is not None and self.resumed[1]["stage"] > STAGES[stage].number

    def build_cnet(self) -> DPNet:
        """The CNet with its starting weights; says where they come from."""
        cnet = DPNet(self.options.warp_level, self.options.norm_type)
        start = self.options.pretrained_checkpoint
        if not start and self.options.stage == "end":
            start = checkpoint.newest(self.folder, checkpoint.CNET_PREFIX)
        if start:
            checkpoint.load_cnet(cnet, start)
            self.log.say(f"CNet starts from {start}")
        else:
            self.log.say(checkpoint.load_encoder(cnet.resnet))
        return cnet

    def build_dmr(self, cnet: DPNet) -> DMR:
        lnet = get_LNet(self.options)
        if self.options.zero_init_residual:
            zero_init_residual(lnet)
        dmr = DMR(cnet, lnet, self.options.freeze_cnet)
        if self.options.checkpoint:
            checkpoint.load_dmr(dmr, self.options.checkpoint)
            self.log.say(f"CNet and LNet start from {self.options.checkpoint}")
        return dmr

    def train_stage(self, name: str, network: nn.Cell) -> None:
        """Train `network` for the epochs of stage `name`; a checkpoint after each."""
        stage, options = STAGES[name], self.options
        loss_cell = stage.loss_cell(network, options)
        trained = network.LNet if name == "end" and options.freeze_cnet else network
        optimizer = Adam(
            trained.trainable_params(), options.lr, options.adam_beta1, ADAM_BETA2, weight_decay=options.wd
        )
        step_cell = stage.step_cell(loss_cell, optimizer)
        step_cell.set_train(True)
        network.set_train(True)  # a frozen CNet stays in evaluation mode
        first_epoch, first_batch = self._restore(stage, step_cell)

        epochs = getattr(options, stage.epochs)
        feed = BatchFeed(loss_cell, options)
        meter = StageMeter(
            self.log, name, epochs * self.batches, first_epoch * self.batches + first_batch,
            options.batch_size * self.device.world_size,
        )  # fmt: skip
        with closing(meter):
            for epoch in range(first_epoch, epochs):
                rate = learning_rate(options, epoch, epochs)
                optimizer.learning_rate.set_data(ms.Tensor(rate, ms.float32))
                start = first_batch if epoch == first_epoch else 0
                self._train_epoch(stage, epoch, start, step_cell, feed, meter)
                checkpoint.save_weights(network, self.folder / f"{stage.prefix}_{epoch + 1}.ckpt")
                self._save_state(stage, step_cell, epoch + 1, 0)

    def _train_epoch(self, stage: Stage, epoch: int, start: int, step_cell, feed, meter: StageMeter) -> None:
        options = self.options
        rate = float(step_cell.optimizer.learning_rate.asnumpy())
        loader = create_loader(
            self.dataset,
            feed.columns,
            options.batch_size,
            # the stages draw different augmentations
            epoch=epoch + stage.number * options.num_epochs_dp,
            start_batch=start,
            shuffle=options.shuffle_train,
            drop_last=True,
            num_workers=options.num_workers,
            rank=self.device.rank,
            world_size=self.device.world_size,
            seed=options.seed,
        )
        asked = time.time()
        for index, batch in enumerate(loader, start):
            received = time.time()
            outputs = step_cell(*feed(batch))
            values = [float(value.asnumpy()) for value in outputs]
            losses = dict(zip(("total", *step_cell.network.loss_names), values, strict=True))
            done = time.time()
            step = epoch * self.batches + index + 1
            meter.step(step, epoch + 1, received - asked, done - received, losses, rate)
            self._at_step(stage, step, epoch, index + 1, step_cell, batch)
            asked = time.time()

    def _at_step(self, stage: Stage, step: int, epoch: int, batches_done: int, step_cell, batch) -> None:
        """What happens every so many steps: pictures, saved states, and the end of the time granted."""
        options = self.options
        if step % options.summary_steps == 0 and self.log.is_main:
            self.log.picture(f"{stage.prefix}_{step:07d}.png", self._summary(step_cell, batch))
        out_of_time = options.time_to_run is not None and time.time() - self.started > options.time_to_run
        if step % options.checkpoint_steps == 0 or out_of_time:
            self._save_state(stage, step_cell, epoch, batches_done)
        if out_of_time:
            raise OutOfTime

    @staticmethod
    def _summary(step_cell, batch) -> np.ndarray:
        cnet = getattr(step_cell.network, "CNet", None) or step_cell.network.DMR.CNet
        cnet.set_train(False)  # looking must not move BatchNorm's running statistics
        dp_out = cnet(batch["img"])[0].asnumpy()
        cnet.set_train(True)
        return iuv_summary(batch["img"].asnumpy(), batch["gt_iuv"].asnumpy(), dp_out)

    def _save_state(self, stage: Stage, step_cell, epoch: int, batches_done: int) -> None:
        progress = {"stage": stage.number, "epoch": epoch, "batch": batches_done}
        checkpoint.save_state(self.state_file, step_cell, progress)

    def _restore(self, stage: Stage, step_cell) -> tuple[int, int]:
        """Epoch and batch to go on from; fills weights and moments when the saved state is of this stage."""
        if self.resumed is None or self.resumed[1]["stage"] != stage.number:
            return 0, 0
        values, progress = self.resumed
        checkpoint.assign(checkpoint.named_parameters(step_cell), values, self.state_file)
        self.log.say(f"resumed {self.state_file}: epoch {progress['epoch']}, batch {progress['batch']}")
        return progress["epoch"], progress["batch"]


class BatchFeed:
    """Turns a batch into the inputs of a loss cell, adding the ground-truth mesh where it is wanted."""

    PARAMETERS = ("pose", "betas", "gender")
    COMPUTED = ("gt_vertices", "gt_uv_map")

    def __init__(self, loss_cell, options):
        self.input_names = loss_cell.input_names
        self.needs_mesh = bool(set(self.COMPUTED) & set(self.input_names))
        self.columns = [name for name in self.input_names if name not in self.COMPUTED]
        self.columns += self.PARAMETERS if self.needs_mesh else ()
        if self.needs_mesh:
            self.ground_truth = GroundTruth(options.uv_res, options.uv_type, options.dataset == "surreal")

    def __call__(self, batch: dict) -> list:
        if self.needs_mesh:
            computed = self.ground_truth(*(batch[name] for name in self.PARAMETERS))
            batch = batch | dict(zip(self.COMPUTED, computed, strict=True))
        return [batch[name] for name in self.input_names]


def main():
    parser = TrainOptions()
    options = parser.parse_args()
    device = setup_device(options)
    if options.resume:
        # the network of the saved state, before config.json beside it is written anew
        checkpoint.adopt_architecture(options, rank_folder(options, device) / checkpoint.STATE_NAME, parser.given())
    with RunLog(options, is_main=device.rank == 0) as log:
        log.say(str(device))
        try:
            Training(options, device, log).run()
        except OutOfTime:
            log.say(f"--time_to_run: stopped after {options.time_to_run:g} s, state saved; go on with --resume")


if __name__ == "__main__":
    run_command(main)
