"""The layers of models/ in forms that compute with compiled operators.

kernels.accelerate gives a layer one of these classes in place of its own, unless the class has a function `fits` that
says no, and calls `prepare`, which makes the operators. Each class computes what its base class computes, with the
same parameters.
"""

from mindspore import Tensor, nn, ops

from kernels import operators
from models.dense_cnn import SurfaceInput
from models.group_norm import GroupNorm
from models.layer import ConvBottleNeck, NearestBottleNeck
from models.resnet import Bottleneck
from models.training_step import Update
from models.warp import POSITION_CHANNELS, Warp


class FastConv2d(nn.Conv2d):
    """A convolution that keeps the size, or divides it by the stride."""

    @staticmethod
    def fits(plain: nn.Conv2d) -> bool:
        """Whether the operators can compute it: square, zeros of half of the kernel's size around the image."""
        (height, width), (down, across) = plain.kernel_size, plain.stride
        padded = plain.padding == height // 2 and (plain.pad_mode == "pad" or height == down == 1)
        return height == width and down == across and padded and plain.group == 1 and plain.dilation == (1, 1)

    def prepare(self) -> None:
        """Make the operators."""
        self.convolve = operators.convolution(self.stride[0], self.has_bias)

    def construct(self, features: Tensor) -> Tensor:
        if self.has_bias:
            return self.convolve(features, self.weight, self.bias)
        return self.convolve(features, self.weight)


class FastGroupNorm(GroupNorm):
    """GroupNorm as one operator."""

    def prepare(self) -> None:
        """Make the operators."""
        self.in_one_pass = operators.norm(self.groups)

    def construct(self, features: Tensor) -> Tensor:
        return self.in_one_pass(features, self.gamma, self.beta)[0]


class FastConvBottleNeck(ConvBottleNeck):
    """A bottleneck whose norms are parts of the convolutions behind them, and of the sum at its end."""

    @staticmethod
    def fits(plain: ConvBottleNeck) -> bool:
        """Whether it has GroupNorm and ReLU."""
        norms = (plain.norm1, plain.norm2, plain.norm3)
        return all(isinstance(norm, GroupNorm) for norm in norms) and isinstance(plain.relu, nn.ReLU)

    def prepare(self) -> None:
        """Make the operators."""
        self.rectify_and_convolve = operators.rectified_convolution(self.norm1.groups)
        self.normalise_and_add = operators.residual_norm(self.norm3.groups)
        self.reduces_with_skip = self.projects_skip and self.conv1.out_channels % operators.SPLIT_CHANNELS == 0
        if self.reduces_with_skip:
            self.convolve_twice = operators.two_convolutions()

    def reduce(self, features: Tensor):
        """As in ConvBottleNeck; where the skip is projected, both convolutions are computed as one."""
        if not self.reduces_with_skip:
            return super().reduce(features)
        first, second = self.conv1, self.skip_conv
        return self.convolve_twice(features, first.weight, first.bias, second.weight, second.bias)

    def convolve(self, reduced: Tensor) -> Tensor:
        """As in ConvBottleNeck."""
        norm, conv = self.norm1, self.conv2
        return self.rectify_and_convolve(reduced, norm.gamma, norm.beta, conv.weight, conv.bias)[0]

    def expand(self, convolved: Tensor, skip: Tensor) -> Tensor:
        """As in ConvBottleNeck."""
        norm, conv = self.norm2, self.conv3
        out = self.rectify_and_convolve(convolved, norm.gamma, norm.beta, conv.weight, conv.bias)[0]
        return self.normalise_and_add(out, self.norm3.gamma, self.norm3.beta, skip)[0]


class FastNearestBottleNeck(NearestBottleNeck):
    """Its norm and ReLU are part of the transposed convolution that models.upsample.NearestConv3x3 is."""

    @staticmethod
    def fits(plain: NearestBottleNeck) -> bool:
        """Whether its bottleneck has GroupNorm and ReLU."""
        return FastConvBottleNeck.fits(plain[1])

    def prepare(self) -> None:
        """Make the operators."""
        self.rectify_and_convolve = operators.rectified_transposed_convolution(self[1].norm1.groups, stride=2)

    def convolve(self, reduced: Tensor) -> Tensor:
        """As in NearestBottleNeck."""
        upsample, bottleneck, plain = self[0], self[1], self.upsample_and_convolve
        if not plain.is_worthwhile(reduced):
            return bottleneck.convolve(upsample(reduced))
        norm, conv = bottleneck.norm1, bottleneck.conv2
        convolved = self.rectify_and_convolve(reduced, norm.gamma, norm.beta, plain.summed(conv.weight))[0]
        return plain.add_bias(convolved, conv.bias)


class FastBottleneck(Bottleneck):
    """A block of the encoder whose BatchNorm layers are, in training, parts of the convolutions behind them."""

    @staticmethod
    def fits(plain: Bottleneck) -> bool:
        """Whether its norms take their statistics from this process alone, and are not folded."""
        norms = (plain.bn1, plain.bn2, plain.bn3)
        return all(isinstance(norm, nn.BatchNorm2d) for norm in norms) and isinstance(plain.relu, nn.ReLU)

    def prepare(self) -> None:
        """Make the operators."""
        self.rectify_and_halve = operators.rectified_convolution(None, self.conv2.stride[0], has_bias=False)
        self.rectify_and_convolve = operators.rectified_convolution(None, has_bias=False)
        self.normalise_and_add = operators.residual_norm(None)

    def construct(self, features: Tensor) -> Tensor:
        if not self.training:
            return super().construct(features)
        skip = self.downsample(features) if self.has_downsample else features
        bn1, bn2, bn3 = self.bn1, self.bn2, self.bn3
        reduced = self.conv1(features)
        strided, mean, deviation = self.rectify_and_halve(reduced, bn1.gamma, bn1.beta, self.conv2.weight)
        track(bn1, mean, deviation, reduced)
        out, mean, deviation = self.rectify_and_convolve(strided, bn2.gamma, bn2.beta, self.conv3.weight)
        track(bn2, mean, deviation, strided)
        found, mean, deviation = self.normalise_and_add(out, bn3.gamma, bn3.beta, skip)
        track(bn3, mean, deviation, out)
        return found


def track(norm: nn.BatchNorm2d, mean: Tensor, inverse_deviation: Tensor, features: Tensor) -> None:
    """Let the running statistics of `norm` follow those of a batch of `features` [B, C, H, W], [C] each."""
    keep = 1 - norm.momentum  # share of the running statistics that stays; MindSpore keeps the other
    mean, inverse_deviation = ops.stop_gradient(mean), ops.stop_gradient(inverse_deviation)
    variance = 1 / ops.square(inverse_deviation) - norm.eps
    count = features.shape[0] * features.shape[2] * features.shape[3]
    unbiased = variance * (count / max(count - 1, 1))
    ops.assign(norm.moving_mean, keep * norm.moving_mean + (1 - keep) * mean)
    ops.assign(norm.moving_variance, keep * norm.moving_variance + (1 - keep) * unbiased)


class FastSurfaceInput(SurfaceInput):
    """SurfaceInput, whose first convolution is no layer."""

    def prepare(self) -> None:
        """Make the operators."""
        self.convolve = operators.convolution(stride=1, has_bias=False)


class FastWarp(Warp):
    """The warp in one pass over the pixels."""

    def prepare(self) -> None:
        """Make the operators."""
        self.in_one_pass = operators.warp(self.side, POSITION_CHANNELS)

    def construct(self, dp_out: Tensor, feature_map: Tensor) -> Tensor:
        return self.in_one_pass(dp_out, feature_map)


class FastUpdate(Update):
    """An update that takes the norm of all gradients in one pass."""

    def prepare(self) -> None:
        """Make the operators."""
        self.square_sum = operators.square_sum()

    def squared_norm(self, gradients):
        """As in Update."""
        return self.square_sum(*gradients).reshape(())


# the class of a layer in models/ -> the class that it gets here
FASTER: dict[type, type] = {
    nn.Conv2d: FastConv2d,
    GroupNorm: FastGroupNorm,
    ConvBottleNeck: FastConvBottleNeck,
    NearestBottleNeck: FastNearestBottleNeck,
    Bottleneck: FastBottleneck,
    SurfaceInput: FastSurfaceInput,
    Warp: FastWarp,
    Update: FastUpdate,
}
