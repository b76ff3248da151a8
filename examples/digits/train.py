"""Trains a small convolutional network on scans of real handwriting and shows how well it reads.

    python examples/digits/train.py                      # taeda
    python examples/digits/train.py --framework torch    # the same source on PyTorch, where it is installed

Leaves model.safetensors, curve.png and mistakes.png in the output folder.
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import digits
from tqdm import tqdm

HERE = Path(__file__).resolve().parent


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", choices=("taeda", "torch"), default="taeda")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--output", type=Path, default=HERE / "out", help="folder for the results (default: %(default)s)"
    )
    parser.add_argument("--first-losses", type=int, metavar="N", help="print the losses of the first N steps and stop")
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch = importlib.import_module(options.framework)
    torch.manual_seed(options.seed)
    train_images, train_labels, test_images, test_labels = digits.load_data(torch)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(train_images, train_labels), batch_size=options.batch_size, shuffle=True
    )
    network = digits.make_network(torch)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=options.epochs * len(loader))

    if options.first_losses:
        print_first_losses(torch, network, loader, optimizer, schedule, options.first_losses)
        return
    history = train(torch, network, loader, optimizer, schedule, test_images, test_labels, options.epochs)
    save_results(torch, network, history, test_images, test_labels, options)
    print(f"held-out accuracy: {100 * history[-1]['accuracy']:.2f} %")


def step(torch: ModuleType, network: Any, images: Any, labels: Any, optimizer: Any, schedule: Any) -> float:
    """One step of training; returns the loss before it."""
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(network(digits.shift_at_random(torch, images)), labels)
    loss.backward()
    optimizer.step()
    schedule.step()
    return loss.item()


def train(torch, network, loader, optimizer, schedule, test_images, test_labels, epochs: int) -> list[dict[str, float]]:
    """Train for some epochs; return the losses and accuracies of each."""
    history = []
    started = time.perf_counter()
    progress = tqdm(total=epochs * len(loader), unit="step")
    progress.write("epoch  training loss  held-out loss  held-out accuracy")
    for epoch in range(1, epochs + 1):
        network.train()
        losses = []
        for images, labels in loader:
            losses.append(step(torch, network, images, labels, optimizer, schedule))
            progress.update()
        loss, accuracy = evaluate(torch, network, test_images, test_labels)
        history.append({"training loss": sum(losses) / len(losses), "loss": loss, "accuracy": accuracy})
        progress.write(f"{epoch:5}  {history[-1]['training loss']:13.4f}  {loss:13.4f}  {100 * accuracy:15.2f} %")
    progress.close()
    print(f"trained in {time.perf_counter() - started:.1f} s")
    return history


def evaluate(torch: ModuleType, network: Any, images: Any, labels: Any) -> tuple[float, float]:
    """Return the mean loss and the share of images that are read rightly."""
    network.eval()
    with torch.no_grad():
        scores = network(images)
        loss = torch.nn.functional.cross_entropy(scores, labels).item()
        return loss, (scores.argmax(1) == labels).float().mean().item()


def print_first_losses(torch, network, loader, optimizer, schedule, count: int) -> None:
    done = 0
    while True:
        for images, labels in loader:
            print(f"{step(torch, network, images, labels, optimizer, schedule):.4f}")
            done += 1
            if done == count:
                return


def save_results(torch: ModuleType, network: Any, history, images, labels, options: argparse.Namespace) -> None:
    """Write the model and the two pictures, and say where."""
    import pictures

    options.output.mkdir(parents=True, exist_ok=True)
    model = options.output / ("model.safetensors" if options.framework == "taeda" else "model.pt")
    torch.save(network.state_dict(), model)
    with torch.no_grad():
        guesses = network(images).argmax(1).numpy()
    pictures.draw_curve(history, options.output / "curve.png")
    pictures.draw_mistakes(images[:, 0].numpy(), labels.numpy(), guesses, options.output / "mistakes.png")
    for name in (model.name, "curve.png", "mistakes.png"):
        print(f"wrote {options.output / name}")


if __name__ == "__main__":
    main()
