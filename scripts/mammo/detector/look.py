"""A network made ready to look at films: grey batches in, boxes out, as keras-retinanet's inference model has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mammo.detector.anchors import Anchors, decode_boxes
from mammo.detector.keras import tf
from mammo.detector.model import preprocessing_mode
from mammo.detector.preprocess import preprocess
from mammo.settings import DetectSettings, ExperimentSettings

STRIDE = 32  # `detect.pad`: batches are padded to a multiple, as in training


class Detector:
    """A model with its anchors. Looking changes nothing in it.

    Args:
        model: the training model of `build_model`.
        frozen: take the weights as they are now, as constants. On a CPU a film then takes a sixth less time (oneDNN
            lays constants out once and not at each call), and freezing itself takes seconds. Otherwise the
            detector follows the model while that is trained.
    """

    def __init__(self, model: Any, settings: ExperimentSettings, *, frozen: bool = False) -> None:
        self._settings = settings.detect
        self._anchors = Anchors(model, settings.model.anchors)
        mode = preprocessing_mode(settings.model.backbone)
        grey = tf.TensorSpec((None, None, None), tf.uint16 if settings.bits == 16 else tf.uint8)
        floor = settings.detect.score_floor

        def network(batch: Any) -> Any:
            return model(preprocess(batch, mode), training=False)

        def candidates(regression: Any, scores: Any) -> Any:
            """Only what may become a box leaves the device; of a film of 800×1333 that is little of 200 000 anchors."""
            places = tf.where(scores >= floor)
            return places, tf.gather_nd(regression, places[:, :2]), tf.gather_nd(scores, places)

        self._network = tf.function(network, input_signature=[grey])
        if frozen:
            self._network = _frozen(self._network)
        self._candidates = tf.function(candidates, reduce_retracing=True)

    def lay_out(self, films: Sequence[np.ndarray]) -> np.ndarray:
        """Grey films (H, W) of one dtype as one batch (B, H', W'), each in the upper left of black."""
        batch = np.zeros(
            (len(films), *batch_shape([film.shape for film in films], self._settings)), films[0].dtype
        )
        for place, film in zip(batch, films, strict=True):
            place[: film.shape[0], : film.shape[1]] = film
        return batch

    def outputs(self, batch: np.ndarray) -> tuple[Any, Any]:
        """What the two heads say of a grey batch (B, H, W): tensors regression (B, A, 4), scores (B, A, classes)."""
        regression, scores = self._network(tf.constant(batch))
        return regression, scores

    def boxes(
        self, outputs: tuple[Any, Any], batch: tuple[int, int], films: Sequence[tuple[int, int]]
    ) -> list[np.ndarray]:
        """Boxes in what the heads said of a batch; as `look`, without mirrored films.

        Args:
            outputs: of `outputs`.
            batch: height and width of the batch; films: of each film in it.
        """
        found = self._found(outputs, batch, films)
        return [select_boxes(*one, film, self._settings) for one, film in zip(found, films, strict=True)]

    def look(self, films: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Boxes in network pixels of each grey film (H, W): arrays (n, 6) of x1, y1, x2, y2, score, class id.

        With `detect.flip` each film is looked at twice, the second time mirrored left to right, and the boxes of both
        looks are pooled before weaker doubles are dropped. With `detect.flip: only` there is no first look.
        """
        return self.look_at_batch(self.lay_out(films), [film.shape for film in films])

    def look_at_batch(self, batch: np.ndarray, films: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """The same for a batch of `lay_out`, whose films are of these heights and widths."""
        found = []
        if self._settings.flip != "only":
            found.append(self._found(self.outputs(batch), batch.shape[1:], films))
        if self._settings.flip:
            found.append(self._found_mirrored(batch, films))
        return [
            select_boxes(*(np.concatenate(looks) for looks in zip(*one, strict=True)), film, self._settings)
            for *one, film in zip(*found, films, strict=True)
        ]

    def _found_mirrored(
        self, batch: np.ndarray, films: Sequence[tuple[int, int]]
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """As `_found`, in the mirror image of each film; the boxes are mirrored back."""
        turned = np.zeros_like(batch)
        for place, film, (height, width) in zip(turned, batch, films, strict=True):
            place[:height, :width] = film[:height, :width][:, ::-1]
        found = self._found(self.outputs(turned), batch.shape[1:], films)
        return [
            (mirrored(boxes, width), scores, labels)
            for (boxes, scores, labels), (_, width) in zip(found, films, strict=True)
        ]

    def _found(
        self, outputs: tuple[Any, Any], batch: tuple[int, int], films: Sequence[tuple[int, int]]
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of each film the boxes (n, 4) from the score floor on, their scores (n,) and class ids (n,)."""
        places, offsets, scores = (tensor.numpy() for tensor in self._candidates(*outputs))
        boxes = decode_boxes(self._anchors.for_shape(*batch)[places[:, 1]], offsets)
        # `tf.where` goes film by film.
        cuts = np.searchsorted(places[:, 0], np.arange(1, len(films)))
        return list(
            zip(np.split(boxes, cuts), np.split(scores, cuts), np.split(places[:, 2], cuts), strict=True)
        )


def _frozen(network: Any) -> Any:
    """The function of one signature with its variables as constants."""
    # Here, because it must not load TensorFlow before mammo.detector.keras has set that up.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(network.get_concrete_function())


def batch_shape(films: Sequence[tuple[int, int]], settings: DetectSettings) -> tuple[int, int]:
    """Height and width of a batch that holds films of these; with `detect.pad` the next multiples of `STRIDE`."""
    height, width = (max(film[side] for film in films) for side in (0, 1))
    step = STRIDE if settings.pad else 1
    return -(-height // step) * step, -(-width // step) * step


def mirrored(boxes: np.ndarray, width: int) -> np.ndarray:
    """Boxes (n, 4) of a film of this width as they lie in its mirror image."""
    return np.column_stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]])


def select_boxes(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, film: tuple[int, ...], settings: DetectSettings
) -> np.ndarray:
    """The boxes worth keeping: clipped to the film, without weaker doubles of one class (keras-retinanet's layers
    ClipBoxes, which leaves out the last row and column, and FilterDetections).

    Args:
        boxes: (n, 4) in network pixels; scores: (n,); labels: (n,) class ids.
        film: its height and width.

    Returns:
        (m, 6) float64 of x1, y1, x2, y2, score, class id, strongest first, at most `max_detections`.
    """
    clipped = np.clip(boxes, 0, [film[1] - 1, film[0] - 1] * 2)
    sound = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    chosen = [np.zeros((0, 6))]
    for label in np.unique(labels):
        index = np.flatnonzero(sound & (labels == label))
        with tf.device("CPU:0"):  # where the boxes are
            kept = tf.image.non_max_suppression(
                clipped[index].astype(np.float32),
                scores[index],
                settings.max_detections,
                settings.nms_threshold,
            )
        index = index[kept.numpy()]
        chosen.append(np.column_stack([clipped[index], scores[index], labels[index]]))
    rows = np.concatenate(chosen)
    return rows[np.argsort(-rows[:, 4], kind="stable")][: settings.max_detections]
