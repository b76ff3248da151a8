"""Reads a digit that a person drew: ``python examples/digits/predict.py FILE.png``.

Any size, dark on light or light on dark. Prints the ten probabilities. Needs the model that train.py leaves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy
from PIL import Image, UnidentifiedImageError

import taeda as torch

HERE = Path(__file__).resolve().parent


class NotReadable(Exception):
    """The file cannot be read as a drawn digit; the message says why, in one line."""


def read_picture(path: Path) -> numpy.ndarray:
    """Return the picture as brightness, float64 (height, width) in [0, 1]; what is transparent counts as white."""
    try:
        with Image.open(path) as picture:
            picture = picture.convert("RGBA")
            paper = Image.new("RGBA", picture.size, "white")
            return numpy.asarray(Image.alpha_composite(paper, picture).convert("L"), dtype=float) / 255
    except FileNotFoundError:
        raise NotReadable(f"there is no file {path}") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise NotReadable(f"{path} is not a picture that can be read: {error}") from None


def to_digit(brightness: numpy.ndarray) -> numpy.ndarray:
    """Return the drawing as the data set has it: 8 x 8, ink 1, paper 0, the digit filling the height.

    The data set's makers cut each 32 x 32 bitmap into blocks of 4 x 4 and counted the ink in each (Kaynak, 1995); so do we.
    """
    edge = numpy.concatenate([brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]])
    ink = numpy.abs(brightness - numpy.median(edge))  # the edge is paper, whichever of the two is dark
    if ink.max() < 0.1:
        raise NotReadable("the picture is empty: no digit to read")
    marked = ink > ink.max() / 2
    rows, columns = numpy.flatnonzero(marked.any(1)), numpy.flatnonzero(marked.any(0))
    box = marked[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = box.shape
    scale = 32 / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = numpy.asarray(Image.fromarray((255 * box).astype(numpy.uint8)).resize(size, Image.Resampling.BOX)) / 255
    bitmap = numpy.zeros((32, 32))
    top, left = (32 - size[1]) // 2, (32 - size[0]) // 2
    bitmap[top : top + size[1], left : left + size[0]] = shrunk
    return bitmap.reshape(8, 4, 8, 4).mean((1, 3))


def load_network(path: Path):
    import digits

    if not path.exists():
        raise NotReadable(f"there is no model at {path}: run examples/digits/train.py first")
    network = digits.make_network(torch)
    network.load_state_dict(torch.load(path))
    return network.eval()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", type=Path, default=HERE / "out" / "model.safetensors")
    options = parser.parse_args()
    try:
        digit = to_digit(read_picture(options.file))
        network = load_network(options.model)
    except NotReadable as reason:
        print(f"predict.py: {reason}", file=sys.stderr)
        return 1
    with torch.no_grad():
        image = torch.tensor(digit, dtype=torch.float32)[None, None]
        probabilities = torch.softmax(network(image)[0], 0).tolist()
    for number, probability in enumerate(probabilities):
        print(f"{number}  {100 * probability:6.2f} %  {'#' * round(40 * probability)}")
    print(f"read as {max(range(10), key=probabilities.__getitem__)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
