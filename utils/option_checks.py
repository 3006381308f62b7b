"""Checks of the options of training and evaluation: ranges of single values, and values that must fit together."""

from pathlib import Path

from utils.errors import UserError

GROUP_SIZE = 8  # channels per group of GroupNorm at full width, as in models/layer.py
# larger networks fit into no machine and would end in a lack of memory somewhere within
LARGEST = {"img_res": 4096, "uv_channels": 65536, "cnet_width": 64.0, "lnet_width": 64.0}


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
        raise UserError(f"--noise_factor is {options.noise_factor}, expected at most 1: colours are times 1 +- this.")
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
    if not 1 <= options.warp_level <= 4:
        raise UserError(f"--warp_level is {options.warp_level}, expected 1 to 4, the encoder's strides of 2 to 16.")
    _check_widths(options)


def _check_widths(options) -> None:
    """UserError unless both networks get whole channels, and whole groups of them where they have GroupNorm."""
    stem = 64 * options.cnet_width
    if not stem >= 4 or stem % 4:
        raise UserError(f"--cnet_width {options.cnet_width} gives {stem:g} channels, expected a multiple of 4.")
    channels = (256 * options.lnet_width, options.uv_channels * options.lnet_width)
    if any(count < 16 or count % 16 for count in channels):
        raise UserError(
            f"--lnet_width {options.lnet_width} gives {channels[0]:g} and {channels[1]:g} channels, "
            "expected multiples of 16."
        )
    narrowest = {"cnet_width": (stem if options.warp_level == 1 else 4 * stem,), "lnet_width": channels}
    for name, counts in narrowest.items():
        width = getattr(options, name)
        group = max(1, int(GROUP_SIZE * width))
        # a bottleneck has a norm of half of its channels
        if options.norm_type == "GN" and any(count / 2 % group for count in counts):
            raise UserError(
                f"--{name} {width} makes groups of {group} channels, into which the channels cannot be divided. "
                "Multiples of 0.125 can."
            )
