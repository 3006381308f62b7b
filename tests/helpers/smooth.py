"""SiLU in place of ReLU: no kink on which rounding could choose the side, so gradients can be compared closely."""

from mindspore import nn, ops


class SiLU(nn.Cell):
    def construct(self, features):
        return ops.silu(features)


def smooth_activations(network: nn.Cell) -> None:
    """Replace every ReLU of `network`."""
    for _, cell in list(network.cells_and_names()):
        for index, (name, child) in enumerate(cell.name_cells().items()):
            if isinstance(child, nn.ReLU) and isinstance(cell, nn.SequentialCell):
                cell[index] = SiLU()
            elif isinstance(child, nn.ReLU):
                setattr(cell, name, SiLU())
