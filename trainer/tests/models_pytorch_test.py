"""Compares models with PyTorch's: the same weights give the same scores, and one training step the same new weights.

Usage: models_pytorch_test.py MODEL_TRACE. torchvision's own ResNet-18 and MobileNetV2; PyTorch definitions of the others
stand here, written from their papers and from PyTorch's examples.
"""

import os
import subprocess
import sys
import tempfile
import unittest

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import export_torchvision as safetensors  # noqa: E402

try:
    import torchvision
except ImportError:
    torchvision = None

TRACE = sys.argv.pop(1) if len(sys.argv) > 1 else "model_trace"
# In fp32 the order of sums shows, and batch norm over a small batch enlarges it: scores are compared there, and the step,
# through every gradient, in fp64, where only another mathematics could show.
SCORES_FP32, STEP_FP64 = 1e-4, 1e-8


class LeNet5(nn.Module):
    def __init__(self, channels, classes, padding, features):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.dense1, self.dense2 = nn.Linear(features, 120), nn.Linear(120, 84)
        self.output = nn.Linear(84, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.output(F.relu(self.dense2(F.relu(self.dense1(x)))))


class Block(nn.Module):
    def __init__(self, old, new, stride):
        super().__init__()
        self.stride, self.more = stride, new - old
        self.conv1 = nn.Conv2d(old, new, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(new)
        self.conv2 = nn.Conv2d(new, new, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(new)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, 0, self.more)))


class ResNet20(nn.Module):
    def __init__(self, channels, classes, width=1.0):
        super().__init__()
        old = int(16 * width)
        self.conv = nn.Conv2d(channels, old, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(old)
        self.names = []
        for stage, wide in ((1, 16), (2, 32), (3, 64)):
            for block in (1, 2, 3):
                name = f"stage{stage}_block{block}"
                self.names.append(name)
                new = int(wide * width)
                self.add_module(name, Block(old, new, 2 if stage > 1 and block == 1 else 1))
                old = new
        self.output = nn.Linear(old, classes)

    def features(self, x):
        x = F.relu(self.norm(self.conv(x)))
        for name in self.names:
            x = getattr(self, name)(x)
        return x.mean((2, 3))

    def forward(self, x):
        return self.output(self.features(x))


class TwoHeads(nn.Module):
    def __init__(self, trunk, width, classes):
        super().__init__()
        self.trunk, self.second = trunk, nn.Linear(width, classes)

    def forward(self, x):
        features = self.trunk.features(x)
        return torch.cat((self.trunk.output(features), self.second(features)), 1)


class Siamese(nn.Module):
    """PyTorch's example, its sigmoid left to the loss."""

    def __init__(self):
        super().__init__()
        resnet = torchvision.models.resnet18()
        resnet.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.resnet = nn.Sequential(*list(resnet.children())[:-1])
        self.fc = nn.Sequential(nn.Linear(1024, 256), nn.ReLU(inplace=True), nn.Linear(256, 1))

    def forward(self, pair):
        one, other = (self.resnet(pair[:, i:i + 1]).flatten(1) for i in (0, 1))
        return self.fc(torch.cat((one, other), 1))


class ForwardForward(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.classes = classes
        self.layers = nn.ModuleList([nn.Linear(pixels, 500), nn.Linear(500, 500)])

    def goodness(self, x, labels):
        x = x.clone()
        largest = x.max(1).values
        x[:, :self.classes] = 0
        x[torch.arange(len(x)), labels] = largest
        result = []
        for layer in self.layers:
            x = F.relu(layer(x / (x.norm(2, 1, keepdim=True) + 1e-4)))
            result.append(x.pow(2).mean(1))
            x = x.detach()
        return result

    def forward(self, x):
        x = x.flatten(1)
        return torch.stack([sum(self.goodness(x, torch.full((len(x),), label))) for label in range(self.classes)], 1)


class SameAsPyTorch(unittest.TestCase):
    def trace(self, kind, model, images, labels, settings, task, second):
        arrays = {"weights." + name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
        arrays.update(images=images.numpy(), labels=labels.numpy())
        if second is not None:
            arrays["second"] = second.numpy()
        with tempfile.TemporaryDirectory() as folder:
            given, result = os.path.join(folder, "in"), os.path.join(folder, "out")
            safetensors.write(given, arrays, {"classes": self.classes, "second_classes": 5})
            words = [str(word) for pair in settings.items() for word in pair]
            run = subprocess.run([TRACE, kind, task, given, result, *words], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            return safetensors.read(result)[0]

    def compare(self, kind, model, images, labels, loss, optimizer, settings, task="classification", second=None):
        """`loss` maps (model, images) to a loss; `optimizer` makes PyTorch's for the settings given to ours."""
        for precision, tolerance in ((torch.float32, SCORES_FP32), (torch.float64, STEP_FP64)):
            model, images = model.to(precision), images.to(precision)
            ours = self.trace(kind, model, images, labels, settings, task, second)
            model.eval()
            with torch.no_grad():
                self.near(ours["logits"], model(images), "scores", tolerance)
        model.train()
        rule = optimizer(model.parameters())
        value = loss(model, images)
        value.backward()
        rule.step()
        self.near(ours["loss"], value.detach(), "loss", STEP_FP64)
        for name, tensor in model.state_dict().items():
            self.near(ours["weights." + name], tensor, name, STEP_FP64)

    def near(self, ours, theirs, what, tolerance):
        theirs = theirs.numpy()
        self.assertEqual(ours.shape, theirs.shape, what)
        worst = abs(ours.astype("float64") - theirs.astype("float64")).max() if ours.size else 0
        self.assertLessEqual(worst, tolerance, f"{what} differs by {worst}")

    def data(self, channels, side, classes=10, count=16):
        torch.manual_seed(3)
        self.classes = classes
        return torch.randn(count, channels, side, side), torch.randint(0, classes, (count,))

    sgd = dict(optimizer="sgd", learning_rate=0.05, momentum=0.9, weight_decay=0.001)

    @staticmethod
    def make_sgd(parameters):
        return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.001)

    def classify(self, kind, model, channels, side, settings=None, optimizer=None, smoothing=0.0, count=16, **more):
        images, labels = self.data(channels, side, count=count)
        self.compare(kind, model, images, labels,
                     lambda m, x: F.cross_entropy(m(x), labels, label_smoothing=smoothing),
                     optimizer or self.make_sgd, {**(settings or self.sgd), **more})

    def test_lenet5(self):
        torch.manual_seed(1)
        self.classify("lenet5", LeNet5(1, 10, 2, 400), 1, 28)
        self.classify("lenet5", LeNet5(3, 10, 0, 400), 3, 32, label_smoothing=0.1, smoothing=0.1)

    def test_lenet5_by_adadelta(self):
        torch.manual_seed(1)
        self.classify("lenet5", LeNet5(1, 10, 2, 400), 1, 28, dict(optimizer="adadelta", learning_rate=1.0),
                      lambda p: torch.optim.Adadelta(p, lr=1.0))

    def test_logistic(self):
        class Logistic(nn.Module):
            def __init__(self):
                super().__init__()
                self.output = nn.Linear(784, 10)

            def forward(self, x):
                return self.output(x.flatten(1))

        self.classify("logistic", Logistic(), 1, 28)

    def test_resnet20(self):
        torch.manual_seed(1)
        self.classify("resnet20", ResNet20(3, 10), 3, 32)

    def test_resnet20_wide(self):
        torch.manual_seed(1)
        self.classify("resnet20", ResNet20(3, 10, 2.0), 3, 16, width=2)

    def test_multitask(self):
        torch.manual_seed(1)
        images, labels = self.data(3, 32)
        second = torch.randint(0, 5, (16,))

        def loss(model, x):
            scores = model(x)
            return 0.3 * F.cross_entropy(scores[:, :10], labels) + 0.7 * F.cross_entropy(scores[:, 10:], second)

        self.compare("resnet20", TwoHeads(ResNet20(3, 10), 64, 5), images, labels, loss, self.make_sgd,
                     {**self.sgd, "first_share": 0.3}, "multitask", second)

    def test_forward_forward(self):
        torch.manual_seed(1)
        images, labels = self.data(1, 12, classes=2)  # of two classes the wrong label is the other one

        def loss(model, x):
            x = x.flatten(1)
            good, bad = model.goodness(x, labels), model.goodness(x, 1 - labels)
            return sum(torch.log1p(torch.exp(torch.cat((2.5 - g, b - 2.5)))).mean() for g, b in zip(good, bad))

        self.compare("forward_forward", ForwardForward(144, 2), images, labels, loss, self.make_sgd,
                     {**self.sgd, "threshold": 2.5}, "forward_forward")

    @unittest.skipIf(torchvision is None, "no torchvision (Debian: python3-torchvision)")
    def test_siamese(self):
        torch.manual_seed(1)
        images, labels = self.data(2, 28, classes=2)
        self.compare("siamese_resnet18", Siamese(), images, labels,
                     lambda m, x: F.binary_cross_entropy(torch.sigmoid(m(x)).squeeze(1), labels.to(x.dtype)),
                     lambda p: torch.optim.SGD(p, lr=0.01), dict(optimizer="sgd", learning_rate=0.01, momentum=0),
                     "verification")

    @unittest.skipIf(torchvision is None, "no torchvision (Debian: python3-torchvision)")
    def test_resnet18(self):
        torch.manual_seed(1)
        self.classify("resnet18", torchvision.models.resnet18(num_classes=10), 3, 64)

    @unittest.skipIf(torchvision is None, "no torchvision (Debian: python3-torchvision)")
    def test_mobilenet_v2(self):
        for width in (1.0, 0.5, 1.4):
            torch.manual_seed(1)
            model = torchvision.models.mobilenet_v2(num_classes=10, width_mult=width, dropout=0.0)
            self.classify("mobilenet_v2", model, 3, 96, width=width)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # so that what is skipped says so
