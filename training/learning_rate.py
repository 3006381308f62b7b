"""The learning rate of every step of a stage."""

import math


def learning_rate(options, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The rate of step `step` (from 0) of a stage of `epochs` epochs; see --lr_schedule and --warmup."""
    epoch = step // steps_per_epoch
    if options.lr_schedule == "linear":
        factor = 1 - epoch / epochs
    elif options.lr_schedule == "step":
        factor = options.lr_gamma ** (epoch // options.lr_step_epochs)
    elif options.lr_schedule == "cosine":
        factor = (1 + math.cos(math.pi * step / (steps_per_epoch * epochs))) / 2
    else:
        factor = 1.0
    if step < options.warmup:
        factor *= (step + 1) / options.warmup
    return options.lr * factor
