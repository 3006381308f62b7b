"""Find people with a YOLO network in an ONNX file, computed by OpenCV on the CPU.

The class person counts. Its boxes may overlap by an IoU of up to 0.5; each has a margin, as the training crops.
"""

import ast
import re
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction.boxes import SMALLEST_SIDE, Box, Entry, PassedOver
from reconstruction.detections import PERSON_CLASS, PERSON_NAME
from reconstruction.inputs import Photo
from reconstruction.onnx_header import Header, OutOfOrder, read_header
from reconstruction.openpose import KEYPOINT_MARGIN
from reconstruction.yolo_outputs import Layout, find_layout, is_end_to_end, is_in_pixels, split_output
from utils.checkpoints.foreign_files import ONNX, kind_of
from utils.errors import UserError
from utils.files import require_file

MIN_SCORE = 0.5  # default of --min_score
LARGEST_IOU = 0.5  # of two people; COCO counts boxes as the same from here on
DEFAULT_SIDE = 640  # px of an input of dynamic size: that of all YOLO networks on COCO
LARGEST_INPUT = 4096  # px
COCO_CLASSES = 80
GREY = 114  # of the border, as in YOLO's training
FLOAT, FLOAT16 = 1, 10  # TensorProto.DataType
TASKS = ("detect", "segment", "pose")  # those whose outputs hold upright boxes
EXPORT_ADVICE = "Export it with: yolo export model=yolo11n.pt format=onnx"
PLAIN_EXPORT = "Export it anew by the exporter's defaults, without dynamic, nms, half and quantize"
FAILED_OPERATOR = re.compile(r"\[(\w+)@[\w.]*\]")  # in OpenCV's message


@dataclass(frozen=True)
class Letterbox:
    """Places a picture in the middle of the network's input, as large as fits. scale, shift: [2] = (x, y), shift in px.

    A point p of the picture, in px from its upper left corner, lies at scale * p + shift in the input.
    """

    width: int
    height: int
    scale: np.ndarray
    shift: np.ndarray

    @classmethod
    def make(cls, image_size: tuple[int, int], input_size: tuple[int, int]) -> "Letterbox":
        """Make the letterbox for a picture of size (w, h) px and an input of size (w, h) px."""
        image, target = np.array(image_size), np.array(input_size)
        size = np.maximum(np.round(image * (target / image).min()), 1).astype(int)
        return cls(int(size[0]), int(size[1]), size / image, (target - size) // 2)

    def draw(self, image: np.ndarray, input_size: tuple[int, int]) -> np.ndarray:
        """Draw the picture [H, W, 3] into an input [h, w, 3] with a grey border."""
        canvas = np.full((input_size[1], input_size[0], 3), GREY, np.uint8)
        left, top = self.shift
        part = canvas[top : top + self.height, left : left + self.width]
        part[:] = cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        return canvas

    def undo(self, points: np.ndarray) -> np.ndarray:
        """Map points [N, 2] of the input to the picture, px."""
        return (points - self.shift) / self.scale


class Detector:
    """Called with a photograph; returns the boxes of its people, the surest first.

    Args:
        file: a YOLO network, see `yolo_outputs`.
        min_score: boxes with a lower score are left out.
    """

    def __init__(self, file, min_score: float = MIN_SCORE):
        self.path, self.min_score = require_file(file, f"{EXPORT_ADVICE}."), min_score
        content = self._read_content()
        header = self._read_header(content)
        self.network = self._load(content)
        self.size = self._find_input_size(header)  # (w, h)
        self.person, self.num_classes = self._find_person(header)
        self.is_by_ultralytics = "task" in header.metadata
        self.output, self.layout = self._find_output()

    def __call__(self, photo: Photo) -> list[Entry]:
        height, width = photo.image.shape[:2]
        letterbox = Letterbox.make((width, height), self.size)
        output = self._run(letterbox.draw(photo.image, self.size))[self.output]
        low, high, scores = split_output(output, self.layout, self.person)
        if not np.isfinite(scores).all():
            raise UserError(f"{self.path} computes scores that are not finite for {photo.name}. Export it in float32.")
        likely = scores >= self.min_score
        low, high, scores = letterbox.undo(low[likely]), letterbox.undo(high[likely]), scores[likely]
        chosen = suppress_overlaps(low, high, scores)
        edge = np.array([width, height])
        low, high, scores = low[chosen].clip(0, edge), high[chosen].clip(0, edge), scores[chosen]
        return [self._make_entry(*person, index) for index, person in enumerate(zip(low, high, scores, strict=True))]

    def _make_entry(self, low: np.ndarray, high: np.ndarray, score: float, index: int) -> Entry:
        if (high - low).min() < SMALLEST_SIDE:
            return PassedOver(f"of less than {SMALLEST_SIDE:g} pixels inside the picture")
        corners = (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))
        return Box(*corners, f"{self.path}: person {index}", float(score), KEYPOINT_MARGIN)

    def _read_content(self) -> bytes:
        kind = kind_of(self.path)
        if kind not in (None, ONNX):
            raise UserError(f"{self.path} is {kind}, expected a YOLO network in ONNX. {EXPORT_ADVICE}.")
        return self.path.read_bytes()

    def _load(self, content: bytes) -> cv2.dnn.Net:
        try:
            network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
        except cv2.error as error:
            operator = FAILED_OPERATOR.search(error.err)
            what = f"its operator {operator[1]}" if operator else f"it ({_reason(error)})"
            raise UserError(
                f"{self.path}: OpenCV {cv2.__version__} cannot read {what}. {PLAIN_EXPORT}, and with opset=12 if that "
                "is not enough."
            ) from None
        network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        return network

    def _read_header(self, content: bytes) -> Header:
        try:
            header = read_header(content)
        except OutOfOrder:
            raise UserError(
                f"{self.path} lists an operator before the one whose result it takes, as exports in float16 do, and "
                f"OpenCV {cv2.__version__} cannot read that. {PLAIN_EXPORT}."
            ) from None
        except ValueError:
            header = None
        if header is None or not header.inputs:
            raise UserError(f"{self.path} is no ONNX file, or is damaged. {EXPORT_ADVICE}.")
        return header

    def _find_input_size(self, header: Header) -> tuple[int, int]:
        """Find the size (w, h) px of the picture that the network takes."""
        if len(header.inputs) != 1:
            raise UserError(f"{self.path} has {len(header.inputs)} inputs, expected one picture. {EXPORT_ADVICE}.")
        shape, element = header.inputs[0].shape, header.inputs[0].element
        is_picture = len(shape) == 4 and shape[0] in (1, None) and shape[1] in (3, None)
        if not is_picture or element not in (FLOAT, FLOAT16):
            sizes = ", ".join("?" if size is None else str(size) for size in shape)
            kind = "" if element in (FLOAT, FLOAT16) else " of another type than float"
            raise UserError(f"{self.path} takes [{sizes}]{kind}, expected one picture [1, 3, height, width]: batch=1.")
        trained = _parse(header.metadata.get("imgsz"))
        is_pair = isinstance(trained, list) and len(trained) == 2 and all(type(side) is int for side in trained)
        height, width = trained if is_pair else (DEFAULT_SIDE, DEFAULT_SIDE)
        size = shape[3] or width, shape[2] or height
        if not all(0 < side <= LARGEST_INPUT for side in size):
            raise UserError(
                f"{self.path} takes pictures of {size[0]} x {size[1]} pixels, expected 1 to {LARGEST_INPUT}."
            )
        return size

    def _find_person(self, header: Header) -> tuple[int, int]:
        """Find the number of the class person, and the number of all classes."""
        task = header.metadata.get("task", TASKS[0])
        if task not in TASKS:
            raise UserError(f"{self.path} is made for the task {task}, expected one of {', '.join(TASKS)}.")
        names = _parse(header.metadata.get("names"))
        names = dict(enumerate(names)) if isinstance(names, list) else names
        if not isinstance(names, dict) or not names:
            return PERSON_CLASS, COCO_CLASSES
        found = [number for number, name in names.items() if str(name).lower() == PERSON_NAME]
        if not found or not all(type(number) is int and 0 <= number < len(names) for number in names):
            known = ", ".join(map(str, names.values()))
            known = known if len(known) < 60 else f"{known[:56]}..."
            raise UserError(f"{self.path} has the classes {known}, and no {PERSON_NAME}.")
        return found[0], len(names)

    def _find_output(self) -> tuple[int, Layout]:
        """Find the output that holds the candidates, from the outputs of a grey picture."""
        outputs = self._run(np.full((self.size[1], self.size[0], 3), GREY, np.uint8))
        for index, output in enumerate(outputs):
            layout = find_layout(output.shape, self.num_classes, self.is_by_ultralytics)
            if layout is None:
                continue
            low, high, _ = split_output(output, layout, self.person)
            if not is_in_pixels(low, high, self.size):
                raise UserError(f"{self.path} gives boxes that are not in pixels of its input, as YOLO's are.")
            return index, layout
        if any(is_end_to_end(output.shape) for output in outputs):
            raise UserError(
                f"{self.path} chooses the boxes itself, which OpenCV {cv2.__version__} computes wrongly. "
                f"{PLAIN_EXPORT}; if it chooses them still, with end2end=False. Or take a YOLO11."
            )
        shapes = " and ".join(str(list(output.shape)) for output in outputs)
        columns = 4 + self.num_classes
        raise UserError(
            f"{self.path} gives {shapes}, expected the boxes of a YOLO network with {self.num_classes} classes: "
            f"[1, {columns}, N] or [1, N, {columns + 1}]."
        )

    def _run(self, canvas: np.ndarray) -> list[np.ndarray]:
        self.network.setInput(cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True))
        try:
            return list(self.network.forward(self.network.getUnconnectedOutLayersNames()))
        except cv2.error as error:
            width, height = self.size
            raise UserError(
                f"{self.path}: OpenCV {cv2.__version__} cannot compute it for {width} x {height} pixels "
                f"({_reason(error)}). {PLAIN_EXPORT}."
            ) from None


def suppress_overlaps(low: np.ndarray, high: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Choose, by falling score, the boxes that overlap no surer one by more than LARGEST_IOU.

    Args: low, high: corners [N, 2]; scores: [N], above 0.
    Returns: the numbers of the chosen boxes.
    """
    boxes = np.concatenate([low, high - low], axis=1)
    chosen = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, LARGEST_IOU)
    return np.array(chosen, int)


def _reason(error: cv2.error) -> str:
    """OpenCV's own words in one short line, without the marks before its lines."""
    text = " ".join(re.sub(r"^[>\s:]+", "", line) for line in error.err.splitlines()).strip()
    return text if len(text) < 100 else f"{text[:96]}..."


def _parse(text: str | None):
    """Parse a list or dictionary in Python's notation, as exporters write metadata; None for anything else."""
    try:
        return ast.literal_eval(text or "")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
