"""Command-line options of training and evaluation: names and defaults of the original, in one table."""

import argparse
import json
import sys
from pathlib import Path

from utils import config
from utils.errors import UserError

# sizes of networks that no machine holds would end in a lack of memory somewhere within
LARGEST = {"img_res": 4096, "uv_channels": 65536, "lnet_width": 64.0}
TRUE_WORDS, FALSE_WORDS = ("true", "1", "yes"), ("false", "0", "no")
TRAINED_ON = "trained_on"  # what config.json holds beside options; see atlas/trained_on.py
KERNELS = ["auto", "compiled", "mindspore"]
OTHER_BODY_HELP = "use weights though they were trained with another atlas, body at rest or body"
KERNELS_HELP = "auto: those of kernels/ on a CPU where they can be compiled, else MindSpore's"


def boolean(text: str) -> bool:
    """'True', 'true', '1' or 'False', ...; a leading '=' is dropped (old scripts write `--flag==True`)."""
    word = text.lstrip("=").lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise argparse.ArgumentTypeError(f"expected True or False, found {text!r}")


class CommandParser(argparse.ArgumentParser):
    """A parser whose complaints are UserErrors."""

    def error(self, message):
        """Raise UserError instead of printing the usage."""
        raise UserError(f"{message} (see --help)")


class TrainOptions:
    """Parser of the options that train.py and eval.py share."""

    def __init__(self, description: str = "Train DecoMR.", several_checkpoints: bool = False):
        self.parser = CommandParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        self._add_run(nargs="+" if several_checkpoints else None)
        self._add_model()
        self._add_data()
        self._add_training()
        self._add_validation()
        self._add_losses()

    def _flag(self, group, name: str, help_text: str):
        """A switch that may carry a value: --name, --name True, --name False."""
        group.add_argument(name, nargs="?", const=True, default=False, type=boolean, metavar="BOOL", help=help_text)

    def _add_run(self, nargs: str | None):
        run = self.parser.add_argument_group("run")
        run.add_argument("--name", default="sample_dp", help="name of the run; its logs go to log_dir/name")
        run.add_argument("--data_dir", help="data root instead of data/ or $DECOMR_DATA")
        run.add_argument(
            "--device_target",
            default="auto",
            choices=["auto", "CPU", "GPU", "Ascend"],
            help="auto: GPU when usable, else CPU",
        )
        run.add_argument("--device_id", type=int, default=0, help="which GPU or NPU")
        run.add_argument("--mode", default="auto", choices=["auto", "pynative", "graph"], help="MindSpore's mode")
        run.add_argument("--kernels", default="auto", choices=KERNELS, help=KERNELS_HELP)
        self._flag(run, "--no_tf32", "float32 without TF32 (NVIDIA) or HF32 (Ascend), which round")
        self._flag(run, "--run_distribute", "data-parallel training, started by mpirun or msrun")
        run.add_argument("--ngpu", "--ngpus", dest="ngpu", type=int, default=1, help="number of devices")
        run.add_argument("--num_workers", type=int, default=8, help="loader workers per rank")
        run.add_argument("--seed", type=int, default=0, help="of initial weights, shuffling and augmentation")
        run.add_argument("--ckpt_dir", default="./ckpt", help="checkpoints go to ckpt_dir/rank{r}")
        run.add_argument("--eval_dir", default="./ckpt/rank0", help="where eval.py looks for the newest checkpoint")
        run.add_argument("--save_root", default="./results", help="where eval.py writes")
        run.add_argument("--log_dir", default="./logs")
        run.add_argument("--log_freq", type=int, default=20, help="steps between lines of metrics.jsonl")
        run.add_argument(
            "--checkpoint", nargs=nargs, help="dmr weights that stage end starts from, or that eval.py evaluates"
        )
        run.add_argument("--pretrained_checkpoint", help="CNet (or dmr) weights that the CNet starts from")
        self._flag(run, "--resume", "continue the run in ckpt_dir from its last saved state")
        self._flag(run, "--fresh", "move the files of an earlier training in ckpt_dir into a subfolder, and start anew")
        run.add_argument("--time_to_run", type=float, help="save and stop after this many seconds of training")
        run.add_argument("--checkpoint_steps", type=int, default=5000, help="steps between saved states")
        run.add_argument("--keep_checkpoints", type=int, default=3, help="saved states that are kept")
        run.add_argument("--summary_steps", type=int, default=100, help="steps between pictures in TensorBoard")
        run.add_argument("--from_json", help="read options from this file; options given here win")

    def _add_model(self):
        model = self.parser.add_argument_group("model")
        model.add_argument("--model", default="DecoMR", choices=["DecoMR"])
        model.add_argument("--img_res", type=int, default=224, help="side of the input crop in pixels")
        model.add_argument("--uv_res", type=int, default=128, choices=[128, 256], help="side of the location map")
        model.add_argument("--uv_type", default="BF", choices=["SMPL", "BF"], help="atlas")
        model.add_argument("--uv_channels", type=int, default=128, help="channels of the LNet's decoder")
        model.add_argument("--warp_level", type=int, default=2, help="features of stride 2**level are warped")
        model.add_argument("--norm_type", default="GN", choices=["GN", "BN"])
        model.add_argument(
            "--lnet_width", type=float, default=1.0, help="factor on the LNet's channels; 1 is the paper's network"
        )
        self._flag(
            model, "--no_warp", "carry nothing to the surface, for comparison: the LNet sees global features alone"
        )
        self._flag(model, "--other_body", OTHER_BODY_HELP)

    def _add_data(self):
        data = self.parser.add_argument_group("data and augmentation")
        data.add_argument(
            "--dataset", default="up-3d", help="up-3d, surreal, h36m, or a mixture for training: itw, all, mesh, spin"
        )
        self._flag(data, "--cache_ram", "keep the training images in memory, decoded, shared by all workers")
        data.add_argument("--rot_factor", type=float, default=30, help="sigma of the rotation, degrees")
        data.add_argument("--noise_factor", type=float, default=0.4, help="range of the channel factors, 1 +- this")
        data.add_argument("--scale_factor", type=float, default=0.25, help="sigma of the scale")
        self._flag(data, "--no_augmentation", "no flip, rotation, scale or colour noise")
        self._flag(data, "--no_augmentation_rgb", "no colour noise")
        self._flag(data, "--no_flip", "no mirroring")
        self._flag(data, "--use_spin_fit", "read NAME_spin_fit.npz, with SPIN's fits, of in-the-wild sets")
        self._flag(data, "--adaptive_weight", "weigh what comes from a fitted mesh by the quality of the fit")
        self._flag(data, "--gtkey3d_from_mesh", "3-D joints of the mesh for samples that have none of their own")
        self._flag(data, "--freeze_cnet", "stage end trains the LNet alone")
        self._flag(data, "--use_smpl_joints", "losses on the 24 SMPL joints too")
        data.add_argument("--shuffle_train", nargs="?", const=True, default=True, type=boolean, metavar="BOOL")
        data.add_argument("--no_shuffle_train", dest="shuffle_train", action="store_false")

    def _add_training(self):
        training = self.parser.add_argument_group("training")
        training.add_argument("--stage", choices=["dp", "end"], help="train this stage only; default: dp, then end")
        training.add_argument("--num_epochs_dp", type=int, default=5)
        training.add_argument("--num_epochs_end", type=int, default=30)
        training.add_argument("--batch_size", type=int, default=16, help="per device")
        training.add_argument("--lr", type=float, default=2.5e-4)
        training.add_argument(
            "--lr_schedule",
            choices=["constant", "step", "cosine", "linear"],
            default="constant",
            help="step: times --lr_gamma every --lr_step_epochs; cosine: falls to 0 from step to step of a stage; "
            "linear: falls from epoch to epoch of a stage",
        )
        training.add_argument("--lr_gamma", type=float, default=0.1, help="factor of --lr_schedule step")
        training.add_argument("--lr_step_epochs", type=int, default=10, help="epochs between drops of that schedule")
        training.add_argument("--warmup", type=int, default=0, help="steps in which a stage's rate rises to its value")
        training.add_argument("--accumulate", type=int, default=1, help="batches of --batch_size per update")
        # of earlier versions; without effect, but commands and config.json files that name it go on working
        training.add_argument("--compile_cache", default="", help=argparse.SUPPRESS)
        training.add_argument("--clip_grad", type=float, default=0, help="longest gradient; 0: any length")
        training.add_argument(
            "--max_bad_steps", type=int, default=10, help="end after so many updates in a row with NaN or infinity"
        )
        training.add_argument(
            "--amp_level",
            choices=["O0", "O2", "O3"],
            default="O0",
            help="O2: float16 with dynamic loss scaling, but for norms, warp and losses; O3 is the same here. "
            "Only on GPU and Ascend",
        )
        self._flag(training, "--sync_bn", "BatchNorm over the samples of all ranks")
        self._flag(
            training,
            "--zero_init_residual",
            "new networks start simple: bottlenecks as their skip alone, the camera constant",
        )
        training.add_argument("--adam_beta1", type=float, default=0.9)
        training.add_argument("--wd", type=float, default=0, help="weight decay")

    def _add_validation(self):
        validation = self.parser.add_argument_group("validation during training")
        validation.add_argument(
            "--val_share",
            type=float,
            default=0,
            help="share of the training list that is held out and validated on; 0: none",
        )
        validation.add_argument("--test_steps", type=int, default=10000, help="steps between validations")

    def _add_losses(self):
        losses = self.parser.add_argument_group("loss weights")
        defaults = {
            "dp_mask": 0.2,
            "dp_uv": 1,
            "uv": 1,
            "tv": 1e-4,
            "mesh": 0,
            "key3D": 1,
            "key2D": 1,
            "key3D_smpl": 1,
            "key2D_smpl": 1,
            "con": 1,
        }
        for name, default in defaults.items():
            names = dict.fromkeys([f"--lam_{name}", f"--lam_{name.replace('D', 'd')}"])  # ours, the originals'
            losses.add_argument(*names, type=float, default=default)

    def given(self, arguments=None) -> set:
        """Names of the options that stand on the command line."""
        values = vars(self.parser.parse_args(arguments))
        unset = argparse.Namespace(**dict.fromkeys(values, self))
        return {name for name, value in vars(self.parser.parse_args(arguments, unset)).items() if value is not self}

    def parse_args(self, arguments=None) -> argparse.Namespace:
        """Parse the command line (or a list), take --from_json into account and set the data root."""
        options = self.parser.parse_args(arguments)
        if options.from_json:
            # words of the command line come later, so they win
            words = sys.argv[1:] if arguments is None else list(arguments)
            options = self.parser.parse_args(self._read_json(options.from_json) + words)
        self.check(options)
        if options.data_dir:
            config.set_data_root(options.data_dir)
        return options

    def _read_json(self, path: str) -> list[str]:
        """The file's options as words of a command line, so that their types are checked alike."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"--from_json {path} cannot be read: {error}.") from error
        if not isinstance(content, dict):
            raise UserError(f"--from_json {path} holds a {type(content).__name__}, expected an object of options.")
        try:
            return self.words_of(content)
        except UserError as error:
            raise UserError(f"--from_json {path}: {error}") from error

    def words_of(self, content: dict) -> list[str]:
        """Options by name, as a JSON file holds them, as words of a command line; UserError where a type is wrong."""
        defaults = vars(self.parser.parse_args([]))
        spellings = {word.lstrip("-"): action.dest for action in self.parser._actions for word in action.option_strings}
        content = {spellings.get(name, name): value for name, value in content.items() if name != TRAINED_ON}
        unknown = sorted(set(content) - set(defaults))
        if unknown:
            raise UserError(f"holds unknown options: {', '.join(unknown)}.")
        # null is how an option without a value is written
        words = [f"--{name}={value}" for name, value in content.items() if value is not None or defaults[name]]
        if any("\0" in word for word in words):
            raise UserError("a value holds the character NUL.")
        self.parser.parse_args(words)
        return words

    @staticmethod
    def check(options) -> None:
        """UserError unless the values of `options` fit together."""
        for name in ("batch_size", "img_res", "log_freq", "ngpu", "checkpoint_steps", "summary_steps", "test_steps",
                     "keep_checkpoints", "lr_step_epochs", "accumulate", "max_bad_steps"):  # fmt: skip
            if getattr(options, name) < 1:
                raise UserError(f"--{name} is {getattr(options, name)}, expected at least 1.")
        for name in ("num_epochs_dp", "num_epochs_end", "num_workers", "seed", "device_id", "wd", "rot_factor",
                     "noise_factor", "scale_factor", "warmup", "clip_grad"):  # fmt: skip
            if not getattr(options, name) >= 0:
                raise UserError(f"--{name} is {getattr(options, name)}, expected at least 0.")
        if not options.lr > 0:
            raise UserError(f"--lr is {options.lr}, expected more than 0.")
        for name in ("adam_beta1", "val_share"):
            if not 0 <= getattr(options, name) < 1:
                raise UserError(f"--{name} is {getattr(options, name)}, expected at least 0 and less than 1.")
        if options.scale_factor >= 1:
            raise UserError(f"--scale_factor is {options.scale_factor}, expected less than 1: scales are 1 +- this.")
        if options.noise_factor > 1:
            raise UserError(
                f"--noise_factor is {options.noise_factor}, expected at most 1: colours are times 1 +- this."
            )
        if not 0 < options.lr_gamma <= 1:
            raise UserError(f"--lr_gamma is {options.lr_gamma}, expected more than 0 and at most 1.")
        if options.seed >= 2**32:
            raise UserError(f"--seed is {options.seed}, expected less than 2**32.")
        for name, largest in LARGEST.items():
            if getattr(options, name) > largest:
                raise UserError(f"--{name} is {getattr(options, name)}, expected at most {largest}.")
        if ".." in Path(options.name).parts or Path(options.name).is_absolute():
            raise UserError(f"--name is {options.name!r}, expected the name of a folder in --log_dir.")
        if options.img_res % 32:
            raise UserError(f"--img_res is {options.img_res}, expected a multiple of 32, the encoder's last stride.")
        uv_level = {256: 0, 128: 1}[options.uv_res]
        if not uv_level <= options.warp_level <= 4:
            raise UserError(
                f"--warp_level is {options.warp_level}, expected {uv_level} to 4 with --uv_res {options.uv_res}."
            )
        channels = (256 * options.lnet_width, options.uv_channels * options.lnet_width)
        if any(count < 16 or count % 16 for count in channels):
            raise UserError(
                f"--lnet_width {options.lnet_width} gives {channels[0]:g} and {channels[1]:g} channels, "
                "expected multiples of 16."
            )
