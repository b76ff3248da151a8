"""What is timed: each case makes, for a framework's module ``m``, a function without arguments, and says which ratio is asked for.

Every case is the same source for both frameworks; only ``m`` differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from models import mlp, mnist, resnet18

Step = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        name: what the row says.
        make: framework -> the function to time.
        required: how many times faster than PyTorch it has to be.
    """

    name: str
    make: Callable[[ModuleType], Step]
    required: float


def add(m: ModuleType) -> Step:
    a, b = m.ones(8), m.ones(8)
    return lambda: a + b


def add_recorded(m: ModuleType) -> Step:
    a, b = m.ones(8, requires_grad=True), m.ones(8)
    return lambda: a + b


def chain(m: ModuleType) -> Step:
    x = m.ones(8, requires_grad=True)

    def step() -> None:
        y = x
        for _ in range(10):
            y = y * 1.01
            y = y + x
            y = y.tanh()
            y = y - 0.1
        y.sum().backward()
        x.grad = None

    return step


def training(m: ModuleType, network: Callable[[ModuleType], Any], shape: tuple[int, ...], classes: int) -> Step:
    """One step: gradients cleared, forward, cross-entropy, backward, Adam."""
    m.manual_seed(0)
    net = network(m)
    optimizer = m.optim.Adam(net.parameters(), lr=1e-4)
    inputs, labels = m.randn(*shape), m.randint(0, classes, (shape[0],))
    loss_function = m.nn.CrossEntropyLoss()

    def step() -> None:
        optimizer.zero_grad()
        loss_function(net(inputs), labels).backward()
        optimizer.step()

    return step


def tanh_8m(m: ModuleType) -> Step:
    m.manual_seed(0)
    a, b = m.randn(8_000_000), m.randn(8_000_000)
    return lambda: (a * b + a).tanh()


def softmax_layer_norm(m: ModuleType) -> Step:
    m.manual_seed(0)
    x, gradient = m.randn(2048, 2048, requires_grad=True), m.randn(2048, 2048)
    weight, bias = m.ones(2048, requires_grad=True), m.zeros(2048, requires_grad=True)
    functional = m.nn.functional

    def step() -> None:
        y = functional.layer_norm(functional.softmax(x, -1), (2048,), weight, bias)
        y.backward(gradient)
        x.grad = weight.grad = bias.grad = None

    return step


def attention(m: ModuleType) -> Step:
    m.manual_seed(0)
    query, key, value = (m.randn(4, 8, 1024, 64, requires_grad=True) for _ in range(3))
    gradient = m.randn(4, 8, 1024, 64)

    def step() -> None:
        m.nn.functional.scaled_dot_product_attention(query, key, value).backward(gradient)
        query.grad = key.grad = value.grad = None

    return step


def product(m: ModuleType, dtype: str) -> Step:
    m.manual_seed(0)
    a, b = (m.randn(1536, 1536).to(getattr(m, dtype)) for _ in range(2))
    return lambda: a @ b


CASES = (
    Case("a + b, 8 floats", add, 5.0),
    Case("a + b, 8 floats, gradient recorded", add_recorded, 6.0),
    Case("chain of 40 operations, 8 floats, forward and backward", chain, 5.0),
    Case("Adam step, 4-128-2 network, batch 32", lambda m: training(m, mlp, (32, 4), 2), 4.0),
    Case("(a * b + a).tanh(), 8 M floats", tanh_8m, 2.5),
    Case("softmax, layer norm, 2048 x 2048, forward and backward", softmax_layer_norm, 1.5),
    Case("attention, 4 x 8 x 1024 x 64, forward and backward", attention, 1.3),
    Case("float32 product, 1536 x 1536", lambda m: product(m, "float32"), 1.1),
    Case("bfloat16 product, 1536 x 1536", lambda m: product(m, "bfloat16"), 1.0),
    Case("MNIST network, batch 64, training step", lambda m: training(m, mnist, (64, 1, 28, 28), 10), 1.3),
    Case("ResNet-18, 224 x 224, batch 8, training step", lambda m: training(m, resnet18, (8, 3, 224, 224), 1000), 1.1),
)

LOADER_NAME = "DataLoader, 20,000 x 5, batch 256, over slicing by hand"
LOADER_LIMIT = 2.0


def loader(m: ModuleType) -> dict[str, Step]:
    """A pass over a DataLoader, and the same batches sliced by hand. Both unpack each batch and do nothing with it."""
    m.manual_seed(0)
    x, y = m.randn(20_000, 5), m.randint(0, 2, (20_000,))
    data = m.utils.data.DataLoader(m.utils.data.TensorDataset(x, y), batch_size=256)

    def by_loader() -> None:
        for _inputs, _labels in data:
            pass

    def by_hand() -> None:
        for start in range(0, 20_000, 256):
            _inputs, _labels = x[start : start + 256], y[start : start + 256]

    return {"loader": by_loader, "by hand": by_hand}
