"""The operations that programs call most, each at three sizes: ``python benchmarks/run.py --operations [--only REGEX]``.

One table of rows: a name, and what makes the function to time for a framework's module ``m`` and a number of elements ``n``. It has the 60
most used operations, those most like them, and both easy and difficult layouts and types of the commonest.
"""

from __future__ import annotations

from operations import algebra, elementwise, indexing, neural, reductions, shapes
from operations.table import SIZES, Operation

__all__ = ["MOST_USED", "OPERATIONS", "SIZES", "Operation"]

OPERATIONS = elementwise.ROWS + reductions.ROWS + indexing.ROWS + shapes.ROWS + neural.ROWS + algebra.ROWS

# The 60 most used, most first, and the row that stands for each. Counted by tools/count_operations.py (which says how, and what it cannot
# see) in the main branches, as of 2026, of 30 public projects, each of the same weight: botorch, CleanRL, CLIP, detectron2, DETR, DGL,
# diffusers, efficientdet-pytorch, examples of PyTorch, fairseq, GPyTorch, Kornia, LitGPT, MAE, minGPT, nanoGPT, OpenNMT-py, Pyro,
# pytorch-cifar, PyTorch Geometric, pytorch-image-models, Pytorch-UNet, Segment Anything, SpeechBrain, Spinning Up, Stable Baselines3,
# Stable Diffusion, vit-pytorch, Whisper and YOLOv5.
MOST_USED = {
    "indexing": "a[index]",
    "mul": "a * b",
    "to": "to(float64)",
    "add": "a + b",
    "linear": "linear",
    "view": "view",
    "cat": "cat of 50",
    "tensor": "tensor of a list",
    "sum": "sum",
    "unsqueeze": "unsqueeze",
    "conv2d": "conv2d",
    "sub": "a - b",
    "reshape": "reshape",
    "mean": "mean",
    "div": "a / b",
    "zeros": "zeros",
    "relu": "relu",
    "transpose": "transpose",
    "assignment by index": "a[index] = b",
    "batch_norm": "batch_norm, training",
    "permute": "permute",
    "stack": "stack of 50",
    "as_tensor": "as_tensor of an array",
    "dropout": "dropout",
    "flatten": "flatten",
    "arange": "arange",
    "detach": "detach",
    "squeeze": "squeeze",
    "ones": "ones",
    "pow": "a ** 2",
    "exp": "exp",
    "from_numpy": "from_numpy",
    "clamp": "clamp",
    "randn": "randn",
    "layer_norm": "layer_norm",
    "contiguous": "a.t().contiguous()",
    "softmax": "softmax of rows",
    "norm": "norm",
    "empty": "empty",
    "gt": "a > b",
    "eq": "int64 a == b",
    "matmul": "a @ b",
    "clone": "clone",
    "max": "max",
    "repeat": "repeat",
    "sigmoid": "sigmoid",
    "copy_": "copy_",
    "argmax": "argmax",
    "embedding": "embedding",
    "zeros_like": "zeros_like",
    "cross_entropy": "cross_entropy",
    "interpolate": "interpolate, bilinear",
    "randint": "randint",
    "neg": "-a",
    "min": "min",
    "where": "where",
    "any": "any",
    "pad": "pad",
    "lt": "a < 0",
    "sqrt": "sqrt",
}
