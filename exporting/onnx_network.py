"""The whole network as an ONNX graph: encoder, CNet, warp, LNet and mesh.

MindSpore 2.10's own exporter refuses the padded pooling of the encoder ("Exporting MaxPool3DWithArgmax operator is not
yet supported"). exporting/onnx_operators.py has the single layers. The warp and the mesh sampler add up by ScatterND.
Batch size and image size are fixed, because the warp needs them.
"""

import numpy as np
from onnx import ModelProto, checker

from exporting.network import INPUT, OUTPUTS, ExportedNetwork
from exporting.onnx_graph import OnnxGraph
from exporting.onnx_operators import write_cell, write_sequence
from models.dense_cnn import DPNet, UVNet
from models.resnet import ResNet50, feature_channels
from models.uv_generator import SparseMap
from models.warp import COUNT_EPSILON, FOREGROUND, POSITION_CHANNELS, pixel_positions
from utils.errors import UserError

FLOAT32, INT64 = 1, 7  # ONNX's numbers of data types


def build_model(network: ExportedNetwork, shape: tuple) -> ModelProto:
    """Build the ONNX model of `network` for images of `shape` [B, 3, S, S].

    Raises:
        UserError: the network was trained with --no_warp.
    """
    predictor = network.predictor
    cnet, lnet = predictor.dmr.CNet, predictor.dmr.LNet
    if not lnet.warps:
        raise UserError("a network trained with --no_warp is for comparison and has no ONNX form.")
    graph = OnnxGraph()
    batch, side = shape[0], shape[2] >> cnet.warp_lv
    iuv, features, codes = write_cnet(graph, cnet, INPUT)
    channels = feature_channels(cnet.warp_lv, cnet.width)
    surface = write_warp(graph, iuv, features, (batch, channels, side), lnet.warp_res)
    location_map, camera = write_lnet(graph, lnet, surface, codes, batch)
    vertices = write_sparse_map(graph, predictor.sampler.to_vertices, location_map, batch)
    for name, value in zip(OUTPUTS, (vertices, camera, iuv), strict=True):
        graph.name_output(value, name)
    vertex_count = predictor.sampler.to_vertices.row_count
    outputs = {"vertices": (batch, vertex_count, 3), "camera": (batch, 3), "iuv": (batch, 3, side, side)}
    model = graph.make_model({INPUT: shape}, outputs)
    checker.check_model(model, full_check=True)
    return model


def write_resnet(graph: OnnxGraph, cell: ResNet50, image: str) -> tuple[str, list[str]]:
    """image [B, 3, S, S] -> codes [B, 2048], features of strides 2, 4, 8, 16, 32."""
    features = [graph.rectify(write_cell(graph, cell.bn1, write_cell(graph, cell.conv1, image)))]
    value = write_cell(graph, cell.maxpool, features[0])
    for layer in (cell.layer1, cell.layer2, cell.layer3, cell.layer4):
        value = write_cell(graph, layer, value)
        features.append(value)
    return graph.add_node("Flatten", graph.add_node("GlobalAveragePool", value)), features


def write_cnet(graph: OnnxGraph, cell: DPNet, image: str) -> tuple[str, str, str]:
    """image [B, 3, S, S] -> iuv [B, 3, h, h], features [B, C, h, h], codes [B, 2048]."""
    codes, encoder = write_resnet(graph, cell.resnet, image)
    features = encoder[-1]
    for layer, skip in zip(reversed(list(cell.dp_layers)), encoder[cell.warp_lv - 1 : -1][::-1], strict=True):
        features = graph.add(write_cell(graph, layer, features), skip)
    mask, uv = write_cell(graph, cell.dp_mask_end, features), write_cell(graph, cell.dp_uv_end, features)
    return graph.concatenate(mask, uv, axis=1), features, codes


def write_warp(graph: OnnxGraph, iuv: str, features: str, shape: tuple[int, int, int], side: int) -> str:
    """models.warp.warp_feature: iuv [B, 3, h, h], features [B, C, h, h] -> [B, C + 3, side, side].

    shape: (B, C, h).
    """
    batch, channels, height = shape
    pixels = height * height
    cell = _find_cells(graph, iuv, batch, pixels, side)
    background = batch * side * side  # an additional row that is dropped after the sum

    positions = np.concatenate([pixel_positions(height, height), np.ones((1, height, height))])
    positions = graph.add_constant(np.tile(positions.reshape(POSITION_CHANNELS, -1).T, (batch, 1)))
    values = graph.reshape(graph.transpose(features, 0, 2, 3, 1), batch * pixels, channels)
    width = channels + POSITION_CHANNELS
    sums = graph.scatter_add(cell, graph.concatenate(values, positions, axis=1), background + 1, width)
    sums = graph.slice(sums, 0, background, 0)
    count = graph.slice(sums, width - 1, width, 1)
    divisor = graph.apply_with_number("Add", count, COUNT_EPSILON)
    mean = graph.add_node("Div", graph.slice(sums, 0, width - 1, 1), divisor)
    is_hit = graph.add_node("Cast", graph.apply_with_number("Greater", count, 0), to=FLOAT32)
    surface = graph.reshape(graph.concatenate(mean, is_hit, axis=1), batch, side, side, width)
    return graph.transpose(surface, 0, 3, 1, 2)


def _find_cells(graph: OnnxGraph, iuv: str, batch: int, pixels: int, side: int) -> str:
    """The surface cell of every pixel, [B * pixels] int64, counted over the whole batch; background: B * side**2."""
    mask, u, v = (graph.reshape(graph.slice(iuv, channel, channel + 1, 1), batch, pixels) for channel in range(3))
    column, row = (
        graph.add_node(
            "Clip",
            graph.add_node("Round", graph.apply_with_number("Mul", value, side - 1)),
            graph.add_constant(0.0),
            graph.add_constant(side - 1.0),
        )
        for value in (u, v)
    )
    cell = graph.add_node("Cast", graph.add(graph.apply_with_number("Mul", row, side), column), to=INT64)
    cell = graph.add(cell, graph.add_constant(np.arange(batch)[:, None] * side * side))
    is_body = graph.apply_with_number("Greater", mask, FOREGROUND)
    return graph.reshape(graph.add_node("Where", is_body, cell, graph.add_constant(batch * side * side)), -1)


def write_lnet(graph: OnnxGraph, cell: UVNet, surface: str, codes: str, batch: int) -> tuple[str, str]:
    """surface [B, C + 3, side, side], codes [B, 2048] -> location map [B, R * R, 3], camera [B, 3]."""
    side, width = cell.warp_res, cell.fc_head[-1].out_channels
    code = graph.reshape(write_cell(graph, cell.fc_head, codes), batch, width, 1, 1)
    code_map = graph.add_node("Expand", code, graph.add_constant([batch, width, side, side]))
    reference_map = graph.add_constant(np.repeat(cell.reference_map.asnumpy(), batch, axis=0))
    # SurfaceInput computes the same from the code without copies of it
    value = write_sequence(graph, cell.uv_conv1, graph.concatenate(surface, code_map, reference_map, axis=1))
    for part in (cell.hg, cell.uv_conv2, cell.decoder, cell.uv_end):
        value = write_cell(graph, part, value)
    location_map = graph.transpose(graph.reshape(value, batch, 3, -1), 0, 2, 1)
    return location_map, write_cell(graph, cell.camera, codes)


def write_sparse_map(graph: OnnxGraph, cell: SparseMap, value: str, batch: int) -> str:
    """[B, N, 3] -> [B, M, 3]: gather the entries, multiply them by their weights, add up those of each row."""
    width = 3 * batch
    table = graph.reshape(graph.transpose(value, 1, 0, 2), -1, width)
    terms = graph.add_node("Gather", table, graph.add_constant(cell.columns.asnumpy()), axis=0)
    terms = graph.add_node("Mul", terms, graph.add_constant(cell.values.asnumpy()))
    sums = graph.scatter_add(graph.add_constant(cell.rows.asnumpy()), terms, cell.row_count, width)
    return graph.transpose(graph.reshape(sums, cell.row_count, batch, 3), 1, 0, 2)
