"""Layers of models/ that compute with compiled operators. FASTER, at the end, lists them.

kernels.accelerate changes the class of a layer to one of these, unless the new class has a function `fits` that
returns False, and calls `prepare`, which makes the operators. Each class computes the same as its base class, with the
same parameters. `prepare` is told whether the weights stay as they are, so that prepared kernels can be kept.
"""

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from kernels import operators
from models.dense_cnn import SurfaceInput
from models.grid_sample import GridSample
from models.group_norm import GroupNorm
from models.layer import ConvBottleNeck, NearestBottleNeck
from models.pooling import MaxPool2d
from models.resnet import Bottleneck
from models.training_step import Update
from models.warp import POSITION_CHANNELS, Warp


class FastConv2d(nn.Conv2d):
    """A convolution whose output has the size of its input, divided by the stride."""

    @staticmethod
    def fits(plain: nn.Conv2d) -> bool:
        """Tell whether the operators can compute it: square kernel, zero padding of half of the kernel's size."""
        (height, width), (down, across) = plain.kernel_size, plain.stride
        padded = plain.padding == height // 2 and (plain.pad_mode == "pad" or height == down == 1)
        return height == width and down == across and padded and plain.group == 1 and plain.dilation == (1, 1)

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators. `kept` is the last input of those that compute with this kernel."""
        self.kept = operators.number(self) if weights_stay else ()
        self.convolve = operators.make_convolution(self.stride[0], self.has_bias, weights_stay)

    def construct(self, features: Tensor) -> Tensor:
        if self.has_bias:
            return self.convolve(features, self.weight, self.bias, *self.kept)
        return self.convolve(features, self.weight, *self.kept)


class FastGroupNorm(GroupNorm):
    """GroupNorm as one operator."""

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.in_one_pass = operators.make_norm(self.groups)

    def construct(self, features: Tensor) -> Tensor:
        return self.in_one_pass(features, self.gamma, self.beta)[0]


class FastConvBottleNeck(ConvBottleNeck):
    """A bottleneck that computes each norm together with the convolution behind it, or with the sum at its end."""

    @staticmethod
    def fits(plain: ConvBottleNeck) -> bool:
        """Tell whether it has GroupNorm and ReLU."""
        norms = (plain.norm1, plain.norm2, plain.norm3)
        return all(isinstance(norm, GroupNorm) for norm in norms) and isinstance(plain.relu, nn.ReLU)

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.rectify_and_convolve = operators.make_rectified_convolution(self.norm1.groups, keeps=weights_stay)
        self.normalise_and_add = operators.make_residual_norm(self.norm3.groups)
        self.reduces_with_skip = self.projects_skip and self.conv1.out_channels % operators.SPLIT_CHANNELS == 0
        if self.reduces_with_skip:
            self.convolve_twice = operators.make_two_convolutions(weights_stay)

    def reduce(self, features: Tensor):
        """As in ConvBottleNeck; if the skip has a convolution, both are computed as one."""
        if not self.reduces_with_skip:
            return super().reduce(features)
        first, second = self.conv1, self.skip_conv
        return self.convolve_twice(features, first.weight, first.bias, second.weight, second.bias, *first.kept)

    def convolve(self, reduced: Tensor) -> Tensor:
        """As in ConvBottleNeck."""
        norm, conv = self.norm1, self.conv2
        return self.rectify_and_convolve(reduced, norm.gamma, norm.beta, conv.weight, conv.bias, *conv.kept)[0]

    def expand(self, convolved: Tensor, skip: Tensor) -> Tensor:
        """As in ConvBottleNeck."""
        norm, conv = self.norm2, self.conv3
        out = self.rectify_and_convolve(convolved, norm.gamma, norm.beta, conv.weight, conv.bias, *conv.kept)[0]
        return self.normalise_and_add(out, self.norm3.gamma, self.norm3.beta, skip)[0]


class FastNearestBottleNeck(NearestBottleNeck):
    """Computes norm and ReLU together with the transposed convolution of models.upsample.NearestConv3x3."""

    @staticmethod
    def fits(plain: NearestBottleNeck) -> bool:
        """Tell whether its bottleneck has GroupNorm and ReLU."""
        return FastConvBottleNeck.fits(plain[1])

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        groups, conv = self[1].norm1.groups, self[1].conv2
        self.rectify_and_convolve = operators.make_rectified_transposed_convolution(groups, 2, weights_stay)
        self.weights_stay = weights_stay
        if weights_stay:
            summed = self.upsample_and_convolve.summed(conv.weight)
            self.summed = Parameter(summed, conv.weight.name + "_summed", requires_grad=False)

    def convolve(self, reduced: Tensor) -> Tensor:
        """As in NearestBottleNeck."""
        upsample, bottleneck, plain = self[0], self[1], self.upsample_and_convolve
        if not plain.is_worthwhile(reduced):
            return bottleneck.convolve(upsample(reduced))
        norm, conv = bottleneck.norm1, bottleneck.conv2
        summed = self.summed if self.weights_stay else plain.summed(conv.weight)
        convolved = self.rectify_and_convolve(reduced, norm.gamma, norm.beta, summed, *conv.kept)[0]
        return plain.add_bias(convolved, conv.bias)


class FastBottleneck(Bottleneck):
    """A block of the encoder that computes BatchNorm in training together with the convolution behind it."""

    @staticmethod
    def fits(plain: Bottleneck) -> bool:
        """Tell whether its norms take their statistics from this process alone, and are not folded."""
        norms = (plain.bn1, plain.bn2, plain.bn3)
        return all(isinstance(norm, nn.BatchNorm2d) for norm in norms) and isinstance(plain.relu, nn.ReLU)

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.rectify_and_halve = operators.make_rectified_convolution(None, self.conv2.stride[0], has_bias=False)
        self.rectify_and_convolve = operators.make_rectified_convolution(None, has_bias=False)
        self.normalise_and_add = operators.make_residual_norm(None)

    def construct(self, features: Tensor) -> Tensor:
        if not self.training:
            return super().construct(features)
        skip = self.downsample(features) if self.has_downsample else features
        bn1, bn2, bn3 = self.bn1, self.bn2, self.bn3
        reduced = self.conv1(features)
        strided, mean, deviation = self.rectify_and_halve(reduced, bn1.gamma, bn1.beta, self.conv2.weight)
        update_running_statistics(bn1, mean, deviation, reduced)
        out, mean, deviation = self.rectify_and_convolve(strided, bn2.gamma, bn2.beta, self.conv3.weight)
        update_running_statistics(bn2, mean, deviation, strided)
        found, mean, deviation = self.normalise_and_add(out, bn3.gamma, bn3.beta, skip)
        update_running_statistics(bn3, mean, deviation, out)
        return found


class FastFoldedBottleneck(Bottleneck):
    """A block of the encoder whose norms are folded: ReLU, and the sum with the skip, are part of the convolutions."""

    @staticmethod
    def fits(plain: Bottleneck) -> bool:
        """Tell whether its norms are folded into the convolutions."""
        norms = (plain.bn1, plain.bn2, plain.bn3)
        return all(isinstance(norm, nn.Identity) for norm in norms) and isinstance(plain.relu, nn.ReLU)

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.convolve = operators.make_convolution_and_relu(1, False, weights_stay)
        self.convolve_and_halve = operators.make_convolution_and_relu(self.conv2.stride[0], False, weights_stay)
        self.convolve_and_add = operators.make_convolution_and_relu(1, True, weights_stay)

    def construct(self, features: Tensor) -> Tensor:
        skip = self.downsample(features) if self.has_downsample else features
        first, second, third = self.conv1, self.conv2, self.conv3
        reduced = self.convolve(features, first.weight, first.bias, *first.kept)
        strided = self.convolve_and_halve(reduced, second.weight, second.bias, *second.kept)
        return self.convolve_and_add(strided, third.weight, third.bias, skip, *third.kept)


def update_running_statistics(norm: nn.BatchNorm2d, mean: Tensor, inverse_deviation: Tensor, features: Tensor) -> None:
    """Update the running statistics of `norm` [C] with those of a batch of `features` [B, C, H, W]."""
    keep = 1 - norm.momentum  # share of the old statistics; MindSpore's `momentum` is the share of the new ones
    mean, inverse_deviation = ops.stop_gradient(mean), ops.stop_gradient(inverse_deviation)
    variance = 1 / ops.square(inverse_deviation) - norm.eps
    count = features.shape[0] * features.shape[2] * features.shape[3]
    unbiased = variance * (count / max(count - 1, 1))
    ops.assign(norm.moving_mean, keep * norm.moving_mean + (1 - keep) * mean)
    ops.assign(norm.moving_variance, keep * norm.moving_variance + (1 - keep) * unbiased)


class FastSurfaceInput(SurfaceInput):
    """SurfaceInput with a compiled operator for its first convolution, which is no layer of its own."""

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.convolve = operators.make_convolution(stride=1, has_bias=False)


class FastWarp(Warp):
    """The warp in one pass over the pixels."""

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.in_one_pass = operators.make_warp(self.side, POSITION_CHANNELS)

    def construct(self, dp_out: Tensor, feature_map: Tensor) -> Tensor:
        return self.in_one_pass(dp_out, feature_map)


class FastMaxPool2d(MaxPool2d):
    """Max pooling whose backward pass finds the largest pixels again, in one pass each."""

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.in_one_pass = operators.make_max_pool(*self.window)
        self.window_numbers = Tensor(self.window, ms.float32)

    def construct(self, features: Tensor) -> Tensor:
        return self.in_one_pass(features, self.window_numbers)


class FastGridSample(GridSample):
    """The look-up in one pass over the points."""

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.in_one_pass = operators.make_look_up()

    def construct(self, feature_map: Tensor, grid: Tensor) -> Tensor:
        return self.in_one_pass(feature_map, grid)


class FastUpdate(Update):
    """An update that adds up the squares of all gradients in one operator."""

    def prepare(self, weights_stay: bool) -> None:
        """Make the operators."""
        self.sum_squares = operators.make_sum_of_squares()

    def squared_norm(self, gradients):
        """As in Update."""
        return self.sum_squares(*gradients).reshape(())


# class of a layer -> its faster classes, of which the first one that fits is taken
FASTER: dict[type, tuple[type, ...]] = {
    nn.Conv2d: (FastConv2d,),
    GroupNorm: (FastGroupNorm,),
    ConvBottleNeck: (FastConvBottleNeck,),
    NearestBottleNeck: (FastNearestBottleNeck,),
    Bottleneck: (FastBottleneck, FastFoldedBottleneck),
    SurfaceInput: (FastSurfaceInput,),
    Warp: (FastWarp,),
    GridSample: (FastGridSample,),
    MaxPool2d: (FastMaxPool2d,),
    Update: (FastUpdate,),
}
