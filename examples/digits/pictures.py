"""The pictures of the digits example: how training went, and what was misread."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy

matplotlib.use("Agg")  # no screen is needed
from matplotlib import pyplot  # noqa: E402


def draw_curve(history: list[dict[str, float]], path: Path) -> None:
    """Draw the losses and the accuracy of each epoch."""
    epochs = range(1, len(history) + 1)
    figure, losses = pyplot.subplots(figsize=(7, 4), layout="constrained")
    losses.plot(epochs, [row["training loss"] for row in history], label="training loss (shifted images, dropout)")
    losses.plot(epochs, [row["loss"] for row in history], label="held-out loss")
    losses.set(xlabel="epoch", ylabel="cross-entropy", yscale="log")
    accuracy = losses.twinx()
    accuracy.plot(epochs, [100 * row["accuracy"] for row in history], color="tab:green", label="held-out accuracy")
    accuracy.set(ylabel="accuracy (%)")
    lines = losses.get_lines() + accuracy.get_lines()
    losses.legend(lines, [line.get_label() for line in lines], loc="center right")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def draw_mistakes(images: numpy.ndarray, labels: numpy.ndarray, guesses: numpy.ndarray, path: Path) -> None:
    """Draw each misread digit with what was read, and the confusion matrix."""
    wrong = numpy.flatnonzero(labels != guesses)
    columns = 6
    rows = max(1, -(-len(wrong) // columns))
    figure = pyplot.figure(figsize=(11, max(4.5, 1.5 * rows + 0.8)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1))
    left.suptitle(f"{len(wrong)} of {len(labels)} held-out digits misread")
    grid = left.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, index in zip(grid.flat, wrong):
        axes.imshow(images[index], cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(f"{labels[index]} read as {guesses[index]}", fontsize=9)
    draw_confusion(right.subplots(), labels, guesses)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def draw_confusion(axes, labels: numpy.ndarray, guesses: numpy.ndarray) -> None:
    counts = numpy.zeros((10, 10), dtype=int)
    numpy.add.at(counts, (labels, guesses), 1)
    axes.imshow(counts, cmap="Blues")
    for true in range(10):
        for read in range(10):
            if counts[true, read]:
                color = "white" if counts[true, read] > counts.max() / 2 else "black"
                axes.text(read, true, str(counts[true, read]), ha="center", va="center", color=color, fontsize=8)
    axes.set(xlabel="read as", ylabel="written", xticks=range(10), yticks=range(10))
