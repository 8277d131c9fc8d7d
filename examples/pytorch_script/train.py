"""Trains a small multi-layer perceptron on synthetic data. An ordinary PyTorch script: it knows nothing of Wattle.

The data are drawn from a seed, not from the world: ten classes, each a cloud around eight centres in 40 dimensions, with
enough noise that a good setting reaches some 85 % and a bad one visibly less.
"""

import argparse

import torch
from torch import nn


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.05, help="learning rate of SGD")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=192, help="width of the two hidden layers")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--nesterov", action="store_true", help="use Nesterov's momentum")
    parser.add_argument("--seed", type=int, default=1, help="of the weights and of the order of the batches")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def synthetic_data(classes=10, centres=8, features=40, samples=48000):
    """(features, labels), the same on every call: the training seed changes the training, not the data."""
    generator = torch.Generator().manual_seed(2024)
    middles = torch.randn(classes * centres, features, generator=generator)
    chosen = torch.randint(classes * centres, (samples,), generator=generator)
    noise = torch.randn(samples, features, generator=generator)
    return middles[chosen] + 1.5 * noise, chosen % classes


def accuracy(model, features, labels):
    model.eval()
    with torch.no_grad():
        return (model(features).argmax(dim=1) == labels).float().mean().item()


def train_epoch(model, optimizer, features, labels, batch_size):
    model.train()
    total = 0.0
    for batch in torch.randperm(len(labels)).split(batch_size):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(features[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(labels)


def main():
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    features, labels = synthetic_data()
    train, validation, test = slice(0, 40000), slice(40000, 44000), slice(44000, None)
    model = nn.Sequential(
        nn.Linear(features.shape[1], args.hidden), nn.ReLU(),
        nn.Linear(args.hidden, args.hidden), nn.ReLU(),
        nn.Linear(args.hidden, int(labels.max()) + 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum, nesterov=args.nesterov)

    for epoch in range(1, args.epochs + 1):
        loss = train_epoch(model, optimizer, features[train], labels[train], args.batch_size)
        val_acc = accuracy(model, features[validation], labels[validation])
        print(f"epoch {epoch} train_loss {loss:.4f} val_acc {val_acc:.4f}")
    print(f"test_acc {accuracy(model, features[test], labels[test]):.4f}")


if __name__ == "__main__":
    main()
