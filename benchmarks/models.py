"""The networks that are timed, for either framework: ``m`` is the framework's module."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def mlp(m: ModuleType) -> Any:
    """4-128-2, what a small control problem uses: its step is nearly all overhead."""
    return m.nn.Sequential(m.nn.Linear(4, 128), m.nn.ReLU(), m.nn.Linear(128, 2))


def mnist(m: ModuleType) -> Any:
    """Two convolutions and two linear layers for 28 x 28 pictures."""
    nn = m.nn
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def resnet18(m: ModuleType, classes: int = 1000) -> Any:
    """ResNet-18 (He et al. 2015): a stem, four stages of two residual blocks, mean over the picture, one linear layer."""
    nn = m.nn

    def conv_norm(inputs: int, outputs: int, kernel: int, stride: int) -> list[Any]:
        return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *conv_norm(inputs, outputs, 3, stride), nn.ReLU(), *conv_norm(outputs, outputs, 3, 1)
            )
            same = stride == 1 and inputs == outputs
            self.shortcut = nn.Identity() if same else nn.Sequential(*conv_norm(inputs, outputs, 1, stride))
            self.relu = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.body(x) + self.shortcut(x))

    layers = [*conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))
