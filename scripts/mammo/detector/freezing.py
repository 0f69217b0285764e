"""Which layers of a backbone belong to which stage, and leaving them untrained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mammo.settings import FreezeSettings

# Where VGG ends its second stage: it pools at the end of a stage, all others stride at the beginning of the next.
_SECOND_STAGE_OF_VGG = "block2_pool"


def backbone_layers(model: Any, stage: int) -> list[Any]:
    """Layers of the backbone up to and with a stage, 2 to 5, of any backbone.

    What the pyramid's lateral convolution of a stage is fed from is the backbone up to there. The second stage has none
    where the pyramid begins at level 3: it is what lies before the third and shrinks a film by at most 4.
    """
    if stage > 2:
        return list(_ancestors(model.get_layer(f"C{stage}_reduced")))
    before = {layer.name: layer for layer in _ancestors(model.get_layer("C3_reduced"))}
    if last := before.get(_SECOND_STAGE_OF_VGG):
        return [*_ancestors(last), last]
    steps: dict[str, int] = {}
    return [layer for layer in before.values() if _step(layer, steps) <= 4]


def _inbound(layer: Any) -> list[Any]:
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    producers = [tensor.node.layer for tensor in tensors]
    return [producer for producer in producers if producer is not layer]


def _ancestors(layer: Any) -> Iterator[Any]:
    seen: set[str] = set()
    waiting = _inbound(layer)
    while waiting:
        found = waiting.pop()
        if found.name not in seen:
            seen.add(found.name)
            yield found
            waiting.extend(_inbound(found))


def _step(layer: Any, known: dict[str, int]) -> int:
    """How many film pixels lie between two neighbours of a layer's output."""
    if layer.name not in known:
        waiting = [layer]
        while waiting:  # an explicit stack: DenseNet-201 is deeper than Python's recursion
            inputs = _inbound(waiting[-1])
            unknown = [each for each in inputs if each.name not in known]
            if unknown:
                waiting.extend(unknown)
                continue
            done = waiting.pop()
            before = max((known[each.name] for each in inputs), default=1)
            strides = getattr(done, "strides", 1)
            known[done.name] = before * (strides[0] if isinstance(strides, tuple | list) else strides)
    return known[layer.name]


class Freezer:
    """Freezes and thaws the stages that the settings name; layers that the network itself keeps frozen stay so."""

    def __init__(self, model: Any, settings: FreezeSettings) -> None:
        self._settings = settings
        stage = 0 if settings.through == "none" else int(settings.through[1])
        layers = backbone_layers(model, stage) if stage else []
        self._layers = [layer for layer in layers if layer.trainable and layer.weights]

    def frozen_in(self, epoch: int) -> bool:
        """Whether anything is frozen in an epoch, from 1."""
        thaw = self._settings.thaw_epoch
        return bool(self._layers) and (thaw is None or epoch < thaw)

    def apply(self, epoch: int) -> bool:
        """Freeze or thaw for an epoch; whether anything changed, so that compiled steps must be made anew."""
        trainable = not self.frozen_in(epoch)
        changed = [layer for layer in self._layers if layer.trainable != trainable]
        for layer in changed:
            layer.trainable = trainable
        return bool(changed)
