"""The network written as an ONNX graph, cell by cell.

MindSpore 2.10's own exporter gives up at the encoder's padded pooling ("Exporting MaxPool3DWithArgmax
operator is not yet supported"). Here each known cell has a function that adds its nodes; the warp and
the sampler add up with ScatterND. Batch size and image size are fixed, as the warp needs them.
"""

from dataclasses import dataclass

import numpy as np
from mindspore import nn
from onnx import checker

from exporting.network import INPUT, OUTPUTS, ExportedNetwork
from exporting.onnx_writer import OnnxWriter
from models.dense_cnn import DPNet, UVNet
from models.group_norm import EPSILON, GroupNorm
from models.layer import ConvBottleNeck, HourGlass, NearestBottleNeck
from models.resnet import FEATURE_CHANNELS, Bottleneck, ResNet50
from models.upsample import BilinearUpsample2
from models.uv_generator import SparseMap
from models.warp import COUNT_EPSILON, FOREGROUND, POSITION_CHANNELS, pixel_positions
from utils.errors import UserError


def build(network: ExportedNetwork, shape: tuple):
    """The ONNX model of `network` for images of `shape` [B, 3, S, S]."""
    writer = OnnxWriter()
    predictor = network.predictor
    size = shape[2] >> predictor.dmr.CNet.warp_lv
    walk = Walk(writer, batch=shape[0], pixels=size, level=predictor.dmr.CNet.warp_lv)
    iuv, features, codes = walk.cnet(predictor.dmr.CNet, INPUT)
    location_map, camera = walk.lnet(predictor.dmr.LNet, iuv, features, codes)
    vertices = walk.sparse_map(predictor.sampler.to_vertices, location_map)
    for name, value in zip(OUTPUTS, (vertices, camera, iuv), strict=True):
        writer.name_output(value, name)
    count = predictor.sampler.to_vertices.row_count
    outputs = {"vertices": (shape[0], count, 3), "camera": (shape[0], 3), "iuv": (shape[0], 3, size, size)}
    model = writer.model({INPUT: shape}, outputs)
    checker.check_model(model, full_check=True)
    return model


@dataclass(frozen=True)
class Walk:
    """Adds cells to a graph. batch: images; pixels: side of the CNet's outputs, which have stride 2**level."""

    writer: OnnxWriter
    batch: int
    pixels: int
    level: int

    def cell(self, cell: nn.Cell, value: str) -> str:
        """A cell with one input and one output."""
        for kind, write in WRITERS.items():
            if isinstance(cell, kind):
                return write(self, cell, value)
        raise TypeError(f"no ONNX form is known for {type(cell).__name__}")

    # ---- layers ----

    def conv(self, cell: nn.Conv2d, value: str) -> str:
        top, bottom, left, right = cell.padding if isinstance(cell.padding, tuple) else (cell.padding,) * 4
        inputs = [self._parameter(cell.weight)] + ([self._parameter(cell.bias)] if cell.has_bias else [])
        return self.writer.node(
            "Conv",
            value,
            *inputs,
            strides=list(cell.stride),
            pads=[top, left, bottom, right],
            kernel_shape=list(cell.kernel_size),
        )

    def dense(self, cell: nn.Dense, value: str) -> str:
        return self.writer.node("Gemm", value, self._parameter(cell.weight), self._parameter(cell.bias), transB=1)

    def batch_norm(self, cell, value: str) -> str:
        parameters = (cell.gamma, cell.beta, cell.moving_mean, cell.moving_variance)
        return self.writer.node("BatchNormalization", value, *map(self._parameter, parameters), epsilon=float(cell.eps))

    def group_norm(self, cell: GroupNorm, value: str) -> str:
        """Groups as the channels of an instance normalisation, then scale and shift of every channel."""
        writer = self.writer
        grouped = writer.node("Reshape", value, writer.constant([self.batch, cell.groups, -1]))
        one, zero = writer.constant(np.ones(cell.groups)), writer.constant(np.zeros(cell.groups))
        normalised = writer.node("InstanceNormalization", grouped, one, zero, epsilon=EPSILON)
        normalised = writer.node("Reshape", normalised, writer.node("Shape", value))
        gamma, beta = (writer.constant(parameter.asnumpy().reshape(-1, 1, 1)) for parameter in (cell.gamma, cell.beta))
        return writer.node("Add", writer.node("Mul", normalised, gamma), beta)

    def max_pool(self, cell: nn.MaxPool2d, value: str) -> str:
        pad = cell.padding[-1] if cell.use_pad else 0
        sizes = [int(number) for number in (cell.kernel_size, cell.stride)]
        return self.writer.node("MaxPool", value, kernel_shape=[sizes[0]] * 2, strides=[sizes[1]] * 2, pads=[pad] * 4)

    def sequence(self, cell: nn.SequentialCell, value: str) -> str:
        for child in cell:
            value = self.cell(child, value)
        return value

    def _parameter(self, parameter) -> str:
        return self.writer.constant(parameter.asnumpy())

    def relu(self, value: str) -> str:
        return self.writer.node("Relu", value)

    def add(self, first: str, second: str) -> str:
        return self.writer.node("Add", first, second)

    # ---- blocks ----

    def conv_bottleneck(self, cell: ConvBottleNeck, value: str) -> str:
        out = self.relu(self.cell(cell.norm1, self.cell(cell.conv1, value)))
        out = self.relu(self.cell(cell.norm2, self.cell(cell.conv2, out)))
        skip = self.cell(cell.skip_conv, value) if cell.projects_skip else value
        return self.relu(self.add(self.cell(cell.norm3, self.cell(cell.conv3, out)), skip))

    def nearest_bottleneck(self, cell: NearestBottleNeck, value: str) -> str:
        return self.cell(cell[1], self.writer.resize2(value, "nearest"))

    def hourglass(self, cell: HourGlass, value: str) -> str:
        stored = []
        for down in cell.down_layers:
            stored.append(value)
            value = self.cell(down, value)
        for up, skip in zip(reversed(list(cell.up_layers)), reversed(stored), strict=True):
            value = self.add(self.cell(up, value), skip)
        return self.cell(cell.norm, value)

    def residual(self, cell: Bottleneck, value: str) -> str:
        skip = self.cell(cell.downsample, value) if cell.has_downsample else value
        for conv, norm in ((cell.conv1, cell.bn1), (cell.conv2, cell.bn2)):
            value = self.relu(self.cell(norm, self.cell(conv, value)))
        return self.relu(self.add(self.cell(cell.bn3, self.cell(cell.conv3, value)), skip))

    # ---- networks ----

    def resnet(self, cell: ResNet50, image: str) -> tuple[str, list[str]]:
        features = [self.relu(self.cell(cell.bn1, self.cell(cell.conv1, image)))]
        value = self.cell(cell.maxpool, features[0])
        for layer in (cell.layer1, cell.layer2, cell.layer3, cell.layer4):
            value = self.cell(layer, value)
            features.append(value)
        return self.writer.node("Flatten", self.writer.node("GlobalAveragePool", value)), features

    def cnet(self, cell: DPNet, image: str) -> tuple[str, str, str]:
        codes, encoder = self.resnet(cell.resnet, image)
        features = encoder[-1]
        for layer, skip in zip(reversed(list(cell.dp_layers)), encoder[cell.warp_lv - 1 : -1][::-1], strict=True):
            features = self.add(self.cell(layer, features), skip)
        iuv = self.writer.concat(self.cell(cell.dp_mask_end, features), self.cell(cell.dp_uv_end, features), axis=1)
        return iuv, features, codes

    def lnet(self, cell: UVNet, iuv: str, features: str, codes: str) -> tuple[str, str]:
        """Location map [B, R * R, 3] and camera."""
        writer = self.writer
        side = cell.warp_res
        if not cell.warps:
            raise UserError("a network trained with --no_warp is for comparison and has no ONNX form.")
        surface = self.warp(iuv, features, FEATURE_CHANNELS[self.level], side)
        code = self.cell(cell.fc_head, codes)
        width = cell.fc_head[-1].out_channels
        code_map = writer.node(
            "Expand", writer.reshape(code, self.batch, width, 1, 1), writer.constant([self.batch, width, side, side])
        )
        reference = writer.constant(np.repeat(cell.reference_map.asnumpy(), self.batch, axis=0))
        value = self.sequence(cell.uv_conv1, writer.concat(surface, code_map, reference, axis=1))
        for part in (cell.hg, cell.uv_conv2, cell.decoder, cell.uv_end):
            value = self.cell(part, value)
        location_map = writer.transpose(writer.reshape(value, self.batch, 3, -1), 0, 2, 1)
        return location_map, self.cell(cell.camera, codes)

    def warp(self, iuv: str, features: str, channels: int, side: int) -> str:
        """models.warp.warp_feature: features [B, C, h, h] -> [B, C + 3, side, side]."""
        writer, cells, pixels = self.writer, side * side, self.pixels * self.pixels
        mask, u, v = (
            writer.reshape(writer.part(iuv, channel, channel + 1, 1), self.batch, pixels) for channel in range(3)
        )
        column, row = (
            writer.node("Clip", writer.node("Round", writer.with_number("Mul", value, side - 1)),
                        writer.constant(0.0), writer.constant(side - 1.0))
            for value in (u, v)
        )  # fmt: skip
        cell = writer.node("Cast", self.add(writer.with_number("Mul", row, side), column), to=7)  # int64
        cell = self.add(cell, writer.constant(np.arange(self.batch)[:, None] * cells))
        spare = self.batch * cells  # where the background goes
        body = writer.with_number("Greater", mask, FOREGROUND)
        cell = writer.reshape(writer.node("Where", body, cell, writer.constant(spare)), -1)

        positions = np.concatenate([pixel_positions(self.pixels, self.pixels), np.ones((1, self.pixels, self.pixels))])
        beside = writer.constant(np.tile(positions.reshape(POSITION_CHANNELS, -1).T, (self.batch, 1)))
        values = writer.reshape(writer.transpose(features, 0, 2, 3, 1), self.batch * pixels, channels)
        width = channels + POSITION_CHANNELS
        sums = writer.scatter_add(cell, writer.concat(values, beside, axis=1), spare + 1, width)
        sums = writer.part(sums, 0, spare, 0)
        count = writer.part(sums, width - 1, width, 1)
        mean = writer.node("Div", writer.part(sums, 0, width - 1, 1), writer.with_number("Add", count, COUNT_EPSILON))
        hit = writer.node("Cast", writer.with_number("Greater", count, 0), to=1)  # float32
        surface = writer.reshape(writer.concat(mean, hit, axis=1), self.batch, side, side, width)
        return writer.transpose(surface, 0, 3, 1, 2)

    def sparse_map(self, cell: SparseMap, value: str) -> str:
        """[B, N, 3] -> [B, M, 3]: gather, weigh, add up."""
        writer, width = self.writer, 3 * self.batch
        table = writer.reshape(writer.transpose(value, 1, 0, 2), -1, width)
        terms = writer.node("Gather", table, writer.constant(cell.columns.asnumpy()), axis=0)
        terms = writer.node("Mul", terms, writer.constant(cell.values.asnumpy()))
        sums = writer.scatter_add(writer.constant(cell.rows.asnumpy()), terms, cell.row_count, width)
        return writer.transpose(writer.reshape(sums, cell.row_count, self.batch, 3), 1, 0, 2)


# the first kind that fits counts: NearestBottleNeck is a SequentialCell too
WRITERS = {
    NearestBottleNeck: Walk.nearest_bottleneck,
    nn.SequentialCell: Walk.sequence,
    nn.Conv2d: Walk.conv,
    nn.Dense: Walk.dense,
    nn.BatchNorm2d: Walk.batch_norm,
    nn.BatchNorm1d: Walk.batch_norm,
    GroupNorm: Walk.group_norm,
    nn.MaxPool2d: Walk.max_pool,
    nn.ReLU: lambda walk, cell, value: walk.relu(value),
    nn.LeakyReLU: lambda walk, cell, value: walk.writer.node("LeakyRelu", value, alpha=0.2),
    nn.Sigmoid: lambda walk, cell, value: walk.writer.node("Sigmoid", value),
    BilinearUpsample2: lambda walk, cell, value: walk.writer.resize2(value, "linear"),
    ConvBottleNeck: Walk.conv_bottleneck,
    HourGlass: Walk.hourglass,
    Bottleneck: Walk.residual,
}
