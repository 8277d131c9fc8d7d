"""Trains a small network data-parallel, one process a rank. Every rank calls the same functions of wattle.py; only rank 0
says anything. Without Wattle the script runs just the same."""

import argparse
import os
import tempfile

import torch
import torch.distributed
import torch.multiprocessing
from torch import nn

import wattle


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2, help="processes; torchrun says so itself")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64, help="of each rank")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


@wattle.measured("load")
def synthetic_data(classes=4, features=32, samples=24000):
    """(features, labels), the same in every rank: a cloud around a centre for each class."""
    generator = torch.Generator().manual_seed(2024)
    middles = torch.randn(classes, features, generator=generator)
    labels = torch.randint(classes, (samples,), generator=generator)
    return middles[labels] + 2.5 * torch.randn(samples, features, generator=generator), labels


def accuracy(model, features, labels):
    with torch.no_grad():
        return (model(features).argmax(dim=1) == labels).float().mean()


def train_epoch(model, optimizer, features, labels, batches):
    """Sums the gradients of all ranks by hand, as DistributedDataParallel does in the background."""
    total = 0.0
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(features[batch]), labels[batch])
        loss.backward()
        for parameter in model.parameters():
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= torch.distributed.get_world_size()
        optimizer.step()
        total += loss.item()
    torch.distributed.all_reduce(mean := torch.tensor(total / len(batches)))
    return mean / torch.distributed.get_world_size()


def train(args):
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    torch.manual_seed(args.seed)  # the same weights and the same order of samples in every rank
    features, labels = synthetic_data()
    training, validation = slice(0, 20000), slice(20000, None)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        mine = torch.randperm(20000)[rank::ranks].split(args.batch_size)
        with wattle.phase("train", epoch=epoch):
            loss = train_epoch(model, optimizer, features[training], labels[training], mine)
        with wattle.phase("validate", epoch=epoch):
            right = accuracy(model, features[validation], labels[validation])
        wattle.metric("loss", loss, split="train", epoch=epoch)
        wattle.metric("accuracy", right, split="validation", epoch=epoch)
        wattle.epoch(epoch)
        if rank == 0:
            print(f"epoch {epoch} loss {loss:.4f} val_acc {right:.4f}")
    wattle.done("completed")


def run_rank(rank, args, meeting):
    os.environ["RANK"] = str(rank)  # by which wattle.py knows who speaks; torchrun sets it
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", **meeting)
    train(args)
    torch.distributed.destroy_process_group()


def spawned(rank, args, folder):
    run_rank(rank, args, {"init_method": f"file://{folder}/meeting", "rank": rank, "world_size": args.ranks})


def main():
    args = parse_arguments()
    if "RANK" in os.environ:  # started by torchrun
        return run_rank(int(os.environ["RANK"]), args, {})
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the ranks are on this machine: no name is looked up
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(spawned, args=(args, folder), nprocs=args.ranks)


if __name__ == "__main__":
    main()
