"""The two stages: their networks, loss cells and training steps."""

from dataclasses import dataclass
from pathlib import Path

from mindspore import nn

from atlas import trained_on
from models.accumulation import AccumulatedStep
from models.adam import Adam
from models.dense_cnn import DPNet, get_CNet, get_LNet
from models.distributed import current_world_size, synchronise_batch_norm
from models.DMR import DMR, FrozenCNetDMR
from models.precision import to_half_precision
from models.training_step import ReportedStep
from models.TrainOneStepDP import TrainOneStepDP
from models.TrainOneStepEnd import TrainOneStepEnd
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from models.zero_init import start_constant, zero_init_residual
from training.ranks import folder_of_rank_0
from utils.checkpoints import checkpoint
from utils.optional_kernels import find_kernels

ADAM_BETA2 = 0.999
PARTS_OF_CNET = ("atlas",)  # what its weights depend on: it predicts places in the atlas and never sees the body


@dataclass(frozen=True)
class Stage:
    """What differs between the two stages."""

    name: str
    number: int
    loss_cell: type
    step_cell: type
    prefix: str  # of its checkpoints
    epochs: str  # the option for its number of epochs
    score: str  # the value of the validation that selects its best weights; smaller is better


STAGES = {
    "dp": Stage("dp", 0, WithLossCellDP, TrainOneStepDP, checkpoint.CNET_PREFIX, "num_epochs_dp", "total"),
    "end": Stage("end", 1, WithLossCellEnd, TrainOneStepEnd, checkpoint.DMR_PREFIX, "num_epochs_end", "shape_error"),
}


def build_cnet(options) -> DPNet:
    """A new CNet with random weights."""
    cnet = get_CNet(options)
    if options.zero_init_residual:
        zero_init_residual(cnet)
    return cnet


def load_start_of_cnet(cnet: DPNet, options, folder: Path) -> str:
    """Fill a new CNet with the weights that it starts from; returns a line that names their file."""
    start = start_of_cnet(options, folder)
    if not start:
        return checkpoint.load_encoder(cnet.resnet)
    checkpoint.load_cnet(cnet, start)
    return f"CNet starts from {start}"


def start_of_cnet(options, folder: Path) -> Path | None:
    """The checkpoint that a new CNet starts from: the one that the options name, with --stage end the newest one."""
    if options.pretrained_checkpoint:
        return checkpoint.find_weights(options.pretrained_checkpoint, checkpoint.CNET_PREFIX, checkpoint.DMR_PREFIX)
    if options.stage != "end":
        return None
    places = (folder_of_rank_0(folder), folder)  # rank 0's first, so that all ranks start alike
    return next(filter(None, (checkpoint.newest(place, checkpoint.CNET_PREFIX) for place in places)), None)


def write_config(options, folder: Path, resumed: bool) -> None:
    """Write config.json of a run, after checking the weights that it starts from.

    UserError where those were trained with another body or atlas. For weights in `folder` itself the old config.json
    tells that, so the check comes before the writing. A run on generated people is recorded as such, unless it starts
    from weights that saw others.
    """
    parts = PARTS_OF_CNET if options.stage == "dp" else tuple(trained_on.PARTS)
    cnet = None if resumed else start_of_cnet(options, folder)
    starts: list[tuple[Path, tuple]] = []  # weights that it starts from, what they must have been trained with
    if resumed:
        starts.append((folder / "state_*.ckpt", parts))
    elif options.checkpoint and options.stage != "dp":
        starts.append((checkpoint.find_weights(options.checkpoint, checkpoint.DMR_PREFIX), tuple(trained_on.PARTS)))
    if cnet:
        starts.append((cnet, PARTS_OF_CNET))
    for weights, needed in starts:
        trained_on.check(options, weights, needed)
    saw_others = any(not trained_on.saw_generated_people_only(weights) for weights, _ in starts)
    people = () if saw_others else (trained_on.PEOPLE,)
    checkpoint.save_config(options, folder, trained_on.identify(options, (*parts, *people)))


def build_dmr(cnet: DPNet, options) -> DMR:
    """`cnet` with a new LNet."""
    lnet = get_LNet(options)
    if options.zero_init_residual:
        zero_init_residual(lnet)
        start_constant(lnet.camera)
    return FrozenCNetDMR(cnet, lnet) if options.freeze_cnet else DMR(cnet, lnet)


def build_step(stage: Stage, network: nn.Cell, options):
    """(the cell that holds the state of training, the cell to call for a step) for `network`, a CNet or DMR.

    The second one is called like a models.training_step.ReportedStep.
    """
    trained = network.LNet if stage.name == "end" and options.freeze_cnet else network
    if options.sync_bn:
        synchronise_batch_norm(network, current_world_size())
    loss_cell = stage.loss_cell(network, options)
    optimizer = Adam(trained.trainable_params(), options.lr, options.adam_beta1, ADAM_BETA2, weight_decay=options.wd)
    mixed = options.amp_level != "O0"
    if mixed:
        to_half_precision(network)
    cell = stage.step_cell(loss_cell, optimizer, clip_grad=options.clip_grad, loss_scaling=mixed)
    find_kernels().accelerate(cell, options.kernels)
    run = AccumulatedStep(cell, options.accumulate) if options.accumulate > 1 else ReportedStep(cell)
    run.set_train(True)
    network.set_train(True)  # a frozen CNet stays in evaluation mode
    return cell, run
