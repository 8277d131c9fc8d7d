"""Trains a softmax regression on synthetic data, in plain Python. It takes no flags but the path of its configuration
file, and leaves its metrics in a file: CSV or JSON lines, as the file's ending says.

The data are drawn from a seed, not from the world: three overlapping clouds of points.
"""

import csv
import json
import math
import random
import sys

FEATURES, CLASSES = 6, 3


def synthetic_data(samples):
    draw = random.Random(7)
    centres = [[draw.gauss(0, 1) for _ in range(FEATURES)] for _ in range(CLASSES)]
    data = []
    for _ in range(samples):
        label = draw.randrange(CLASSES)
        data.append(([centre + draw.gauss(0, 1) for centre in centres[label]] + [1.0], label))
    return data


def probabilities(weights, point):
    scores = [sum(w * x for w, x in zip(row, point)) for row in weights]
    highest = max(scores)
    exponentials = [math.exp(score - highest) for score in scores]
    total = sum(exponentials)
    return [value / total for value in exponentials]


def train_epoch(weights, data, learning_rate, weight_decay):
    """One pass of stochastic gradient descent; returns the mean loss."""
    loss = 0.0
    for point, label in data:
        predicted = probabilities(weights, point)
        loss -= math.log(max(predicted[label], 1e-12))
        for k, row in enumerate(weights):
            error = predicted[k] - (k == label)
            for i, x in enumerate(point):
                row[i] -= learning_rate * (error * x + weight_decay * row[i])
    return loss / len(data)


def accuracy(weights, data):
    right = 0
    for point, label in data:
        predicted = probabilities(weights, point)
        right += predicted.index(max(predicted)) == label
    return right / len(data)


class MetricsFile:
    """One row an epoch, written out at once."""

    def __init__(self, path):
        self.file = open(path, "w", newline="", encoding="utf-8")
        self.as_json = path.endswith(".jsonl")
        if not self.as_json:
            csv.writer(self.file).writerow(["epoch", "train_loss", "val_accuracy"])

    def add(self, epoch, loss, val_accuracy):
        if self.as_json:
            self.file.write(json.dumps({"epoch": epoch, "train_loss": loss, "val_accuracy": val_accuracy}) + "\n")
        else:
            csv.writer(self.file).writerow([epoch, f"{loss:.6f}", f"{val_accuracy:.4f}"])
        self.file.flush()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    data = synthetic_data(config["data"]["samples"])
    validation, train = data[:400], data[400:]
    order = random.Random(config["seed"])
    weights = [[order.gauss(0, 0.1) for _ in range(FEATURES + 1)] for _ in range(CLASSES)]
    metrics = MetricsFile(config["metrics_file"])
    settings = config["optimizer"]
    for epoch in range(1, config["epochs"] + 1):
        order.shuffle(train)
        loss = train_epoch(weights, train, settings["learning_rate"], settings["weight_decay"])
        metrics.add(epoch, loss, accuracy(weights, validation))
        if settings["schedule"] == "halve":
            settings["learning_rate"] /= 2


if __name__ == "__main__":
    main()
