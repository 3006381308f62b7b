"""Command-line options of training and evaluation: names and defaults of the original, in one table."""

import argparse
import sys

from utils import config, option_files
from utils.errors import UserError
from utils.option_checks import check
from utils.version import VERSION

TRUE_WORDS, FALSE_WORDS = ("true", "1", "yes"), ("false", "0", "no")
TARGETS = ["auto", "CPU", "GPU", "Ascend"]
KERNELS = ["auto", "compiled", "mindspore"]
# help texts of options that several commands have
CHECKPOINT_HELP = "dmr weights, or a folder, whose highest epoch counts; config.json beside them describes the network"
EVAL_DIR_HELP = "without --checkpoint: folder in which the newest dmr_*.ckpt is found"
DATA_DIR_HELP = "data root, in place of $DECOMR_DATA or data/"
TARGET_HELP = "auto: a GPU or NPU if one is usable, else the CPU; the choice and its reason are printed"
KERNELS_HELP = (
    "convolutions, norms and warp. compiled: those of kernels/, in float32 on a CPU; mindspore: MindSpore's; "
    "auto: compiled on a CPU if there is a C++ compiler"
)
TF32_HELP = (
    "float32 without TF32 (NVIDIA) or HF32 (Ascend), with which MindSpore's convolutions round to 10 bits of mantissa"
)
OTHER_BODY_HELP = (
    "use weights even if config.json beside them names, by checksum, another atlas, body at rest or body than the data "
    "root's; without this they are refused"
)
# weight of a loss -> default, meaning
LOSSES = {
    "dp_mask": (0.2, "IUV image: cross-entropy of the mask"),
    "dp_uv": (1, "IUV image: difference of u and v on the body"),
    "uv": (1, "location map, weighted by body part"),
    "tv": (1e-4, "total variation of the location map"),
    "mesh": (0, "vertices of the mesh"),
    "key3D": (1, "the 24 training joints in space"),
    "key2D": (1, "the 24 training joints, projected to the image"),
    "key3D_smpl": (1, "SMPL's 24 joints in space, with --use_smpl_joints"),
    "key2D_smpl": (1, "SMPL's 24 joints, projected to the image, with --use_smpl_joints"),
    "con": (1, "consistency: the surface point that a pixel names must project back onto it"),
}


def boolean(text: str) -> bool:
    """'True', 'true', '1' or 'False', ...; a leading '=' is dropped (old scripts write `--flag==True`)."""
    word = text.lstrip("=").lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise argparse.ArgumentTypeError(f"expected True or False, found {text!r}")


class CommandParser(argparse.ArgumentParser):
    """A parser whose complaints are UserErrors, with --version."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.add_argument(
            "--version", action="version", help="print the version and exit", version=f"DecoMR-MindSpore {VERSION}"
        )

    def error(self, message):
        """Raise UserError instead of printing the usage."""
        raise UserError(f"{message} (see --help)")


class TrainOptions:
    """Parser of the options that train.py and eval.py share."""

    def __init__(
        self, description: str = "Train DecoMR.", several_checkpoints: bool = False, several_datasets: bool = False
    ):
        self.parser = CommandParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        self._add_run(several_checkpoints)
        self._add_model()
        self._add_data(several_datasets)
        self._add_training()
        self._add_validation()
        self._add_losses()

    def _value(self, group, name: str, kind, default, help_text: str, choices=None):
        """An option with a value of the type `kind`."""
        group.add_argument(name, type=kind, default=default, choices=choices, help=help_text)

    def _flag(self, group, name: str, help_text: str, default: bool = False):
        """A switch that may carry a value: --name, --name True, --name False."""
        group.add_argument(name, nargs="?", const=True, default=default, type=boolean, metavar="BOOL", help=help_text)

    def _add_run(self, several_checkpoints: bool):
        run = self.parser.add_argument_group("run")
        self._value(run, "--name", str, "sample_dp", "name of the run; its log goes to log_dir/name")
        self._value(run, "--data_dir", str, None, DATA_DIR_HELP)
        self._value(run, "--device_target", str, "auto", TARGET_HELP, TARGETS)
        self._value(run, "--device_id", int, 0, "number of the GPU or NPU")
        help_text = "MindSpore's mode: graph compiles each network once, pynative starts at once; auto is graph"
        self._value(run, "--mode", str, "auto", help_text, ["auto", "pynative", "graph"])
        self._value(run, "--kernels", str, "auto", KERNELS_HELP, KERNELS)
        self._flag(run, "--no_tf32", TF32_HELP)
        self._flag(run, "--run_distribute", "data-parallel training; the distributed scripts set this")
        help_text = "number of devices; the launcher decides how many processes there are"
        run.add_argument("--ngpu", "--ngpus", dest="ngpu", type=int, default=1, help=help_text)
        self._value(run, "--num_workers", int, 8, "loader workers of each process; batches do not depend on it")
        self._value(run, "--seed", int, 0, "seed of initial weights, order and augmentation")
        self._value(run, "--ckpt_dir", str, "./ckpt", "folder of the checkpoints; rank r writes to ckpt_dir/rank{r}")
        self._value(run, "--eval_dir", str, "./ckpt/rank0", "folder in which eval.py finds the newest dmr_*.ckpt")
        self._value(run, "--save_root", str, "./results", "folder to which eval.py writes")
        self._value(run, "--log_dir", str, "./logs", "folder of the logs and of TensorBoard's files")
        self._value(run, "--log_freq", int, 20, "steps between lines of metrics.jsonl")
        nargs, help_text = "+" if several_checkpoints else None, (
            "dmr weights from which stage end starts, or which eval.py evaluates: there also several, or a pattern in "
            "quotes. Of a folder the highest epoch counts"
        )  # fmt: skip
        run.add_argument("--checkpoint", nargs=nargs, metavar="FILE", help=help_text)
        help_text = "CNet or dmr weights from which the CNet starts. Of a folder the highest epoch counts"
        run.add_argument("--pretrained_checkpoint", metavar="FILE", help=help_text)
        help_text = (
            "continue from the newest sound state in ckpt_dir, on a CPU to the same bits as if it had not stopped. "
            "Another number of ranks or another --batch_size is possible at the end of an epoch"
        )
        self._flag(run, "--resume", help_text)
        help_text = (
            "start anew in a ckpt_dir that holds an earlier training: its files and its log move to a subfolder "
            "before_DATE. Without --resume or --fresh such a folder is refused"
        )
        self._flag(run, "--fresh", help_text)
        help_text = "seconds of training after which all ranks save their state and end with exit code 0"
        self._value(run, "--time_to_run", float, None, help_text)
        self._value(run, "--checkpoint_steps", int, 5000, "steps between saved states")
        self._value(run, "--keep_checkpoints", int, 3, "number of saved states that are kept")
        self._value(run, "--summary_steps", int, 100, "steps between pictures in the log")
        help_text = "read options from a file of configs/ or a run's config.json; options of the command line win"
        run.add_argument("--from_json", metavar="FILE", help=help_text)

    def _add_model(self):
        model = self.parser.add_argument_group("model")
        self._value(model, "--model", str, "DecoMR", "the only model here", ["DecoMR"])
        self._value(model, "--img_res", int, 224, "side of the input crop in pixels, a multiple of 32")
        self._value(model, "--uv_res", int, 128, "side of the location map in pixels", [128, 256])
        help_text = "atlas: BF is boundary-free, SMPL is SMPL's own. With SMPL no image is mirrored"
        self._value(model, "--uv_type", str, "BF", help_text, ["SMPL", "BF"])
        self._value(model, "--uv_channels", int, 128, "channels of the LNet's decoder")
        self._value(model, "--warp_level", int, 2, "features of stride 2**level are carried to the surface")
        help_text = "GroupNorm or BatchNorm, in all blocks behind the encoder"
        self._value(model, "--norm_type", str, "GN", help_text, ["GN", "BN"])
        help_text = "factor on the channels of the CNet, its encoder included; 1 is the paper's network"
        self._value(model, "--cnet_width", float, 1.0, help_text)
        help_text = "factor on the LNet's channels; 1 is the paper's network. GroupNorm keeps its number of groups"
        self._value(model, "--lnet_width", float, 1.0, help_text)
        help_text = "carry no features to the surface, for comparison: the LNet sees global features alone"
        self._flag(model, "--no_warp", help_text)
        self._flag(model, "--other_body", OTHER_BODY_HELP)

    def _add_data(self, several_datasets: bool):
        data = self.parser.add_argument_group("data and augmentation")
        help_text = (
            "a data set of datasets/registry.py; train.py takes also a mixture: itw, all, mesh or spin; eval.py takes "
            "those with test images: up-3d, surreal, h36m-p1, h36m-p2, 3dpw, mpi-inf-3dhp, lsp, and several of them"
        )
        nargs, default = ("+", ["up-3d"]) if several_datasets else (None, "up-3d")
        data.add_argument("--dataset", nargs=nargs, default=default, metavar="NAME", help=help_text)
        help_text = (
            "decode each training image once and keep of it the square that augmentation can reach, in memory that all "
            "workers share; no item changes by a bit"
        )
        self._flag(data, "--cache_ram", help_text)
        help_text = "standard deviation of the rotation in degrees; 40 %% of the images are rotated"
        self._value(data, "--rot_factor", float, 30, help_text)
        self._value(data, "--noise_factor", float, 0.4, "colour channels are multiplied by numbers within 1 +- this")
        self._value(data, "--scale_factor", float, 0.25, "standard deviation and limit of the scale")
        self._flag(data, "--no_augmentation", "no flip, rotation, scale or colour noise")
        self._flag(data, "--no_augmentation_rgb", "no colour noise")
        self._flag(data, "--no_flip", "no mirroring")
        self._flag(data, "--use_spin_fit", "take SPIN's fits (spin_fits/NAME.npz) as the meshes of in-the-wild sets")
        help_text = (
            "multiply what comes from a fitted mesh by max(0, 1 - 10 fit_joint_error), if the npz has that column; "
            "annotated joints weigh 1"
        )
        self._flag(data, "--adaptive_weight", help_text)
        help_text = "samples without 3-D joints of their own, as in UP-3D, take them from the true mesh"
        self._flag(data, "--gtkey3d_from_mesh", help_text)
        help_text = (
            "stage end trains the LNet alone. The CNet stays in evaluation mode, and with --no_augmentation sees every "
            "image once"
        )
        self._flag(data, "--freeze_cnet", help_text)
        self._flag(data, "--use_smpl_joints", "losses on SMPL's 24 joints too, if the data set has them; UP-3D has not")
        self._flag(data, "--shuffle_train", "train on the samples in another order in every epoch", default=True)
        data.add_argument(
            "--no_shuffle_train", dest="shuffle_train", nargs="?", const=False, default=argparse.SUPPRESS,
            type=lambda text: not boolean(text), metavar="BOOL", help="train on the samples in the list's order",
        )  # fmt: skip

    def _add_training(self):
        training = self.parser.add_argument_group("training")
        help_text = (
            "train this stage alone; default: dp, then end. Stage end alone starts from the newest CNet_*.ckpt of "
            "ckpt_dir, unless other weights are named"
        )
        self._value(training, "--stage", str, None, help_text, ["dp", "end"])
        self._value(training, "--num_epochs_dp", int, 5, "epochs of stage dp: the CNet")
        self._value(training, "--num_epochs_end", int, 30, "epochs of stage end: CNet and LNet")
        self._value(training, "--batch_size", int, 16, "samples per device; stage end needs 2 or more, for BatchNorm")
        self._value(training, "--lr", float, 2.5e-4, "learning rate of Adam")
        help_text = (
            "step: times --lr_gamma every --lr_step_epochs; cosine: falls to 0 from step to step of a stage; "
            "linear: falls from epoch to epoch of a stage"
        )
        self._value(training, "--lr_schedule", str, "constant", help_text, ["constant", "step", "cosine", "linear"])
        self._value(training, "--lr_gamma", float, 0.1, "factor of --lr_schedule step")
        self._value(training, "--lr_step_epochs", int, 10, "epochs between two drops of --lr_schedule step")
        self._value(training, "--warmup", int, 0, "steps in which the rate of a stage rises to its value")
        help_text = (
            "batches of --batch_size per update: losses and gradients are those of the large batch, BatchNorm sees one "
            "part at a time"
        )
        self._value(training, "--accumulate", int, 1, help_text)
        # of earlier versions; without effect, but commands and config.json files that name it go on working
        training.add_argument("--compile_cache", default="", help=argparse.SUPPRESS)
        self._value(training, "--clip_grad", float, 0, "longest gradient; 0: any length")
        help_text = (
            "updates with NaN or infinity are left out and counted, and the first bad loss is named; so many in a row "
            "end the run"
        )
        self._value(training, "--max_bad_steps", int, 10, help_text)
        help_text = (
            "O0: float32. O2, on GPU and Ascend only: float16 with dynamic loss scaling, but float32 in norms, warp, "
            "losses and Adam. O3 is the same here: float16 cannot hold the norms' sums"
        )
        self._value(training, "--amp_level", str, "O0", help_text, ["O0", "O2", "O3"])
        self._flag(training, "--sync_bn", "BatchNorm takes its statistics over the samples of all ranks")
        help_text = "new networks start simple: each bottleneck as its skip alone, the camera as a constant"
        self._flag(training, "--zero_init_residual", help_text)
        self._value(training, "--adam_beta1", float, 0.9, "beta1 of Adam; beta2 is 0.999")
        self._value(training, "--wd", float, 0, "weight decay")

    def _add_validation(self):
        validation = self.parser.add_argument_group("validation during training")
        help_text = (
            "share of the training list that is held out and validated on, never of the test list; the frames of a "
            "video stay together. 0: train on all, as in the paper"
        )
        self._value(validation, "--val_share", float, 0, help_text)
        self._value(validation, "--test_steps", int, 10000, "steps between validations")

    def _add_losses(self):
        losses = self.parser.add_argument_group("loss weights")
        for name, (default, help_text) in LOSSES.items():
            names = dict.fromkeys([f"--lam_{name}", f"--lam_{name.replace('D', 'd')}"])  # ours, the originals'
            losses.add_argument(*names, type=float, default=default, help=help_text)

    def given(self, arguments=None) -> set:
        """Names of the options that stand on the command line."""
        values = vars(self.parser.parse_args(arguments))
        unset = argparse.Namespace(**dict.fromkeys(values, self))
        return {name for name, value in vars(self.parser.parse_args(arguments, unset)).items() if value is not self}

    def stated(self, arguments=None) -> set:
        """Names of the options that stand on the command line or in the file of --from_json."""
        return self.given(self._with_file(arguments))

    def parse_args(self, arguments=None) -> argparse.Namespace:
        """Parse the command line (or a list), take --from_json into account and set the data root."""
        options = self.parser.parse_args(self._with_file(arguments))
        check(options)
        if options.data_dir:
            config.set_data_root(options.data_dir)
        return options

    def _with_file(self, arguments) -> list[str]:
        """The words of --from_json, then those of the command line (or of a list): the last word for an option wins."""
        words = sys.argv[1:] if arguments is None else list(arguments)
        path = self.parser.parse_args(words).from_json
        return option_files.read_words(self.parser, path) + words if path else words
