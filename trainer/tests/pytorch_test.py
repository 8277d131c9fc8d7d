"""Compares optimizers and schedules with PyTorch's own, step by step. Usage: pytorch_test.py MATHEMATICS_TRACE"""

import json
import subprocess
import sys
import unittest

import torch

TRACE = sys.argv.pop(1) if len(sys.argv) > 1 else "mathematics_trace"
ACCURACIES = [0.5, 0.6, 0.6, 0.59, 0.6, 0.61, 0.61, 0.61, 0.61, 0.7, 0.2, 0.2]


LISTS = {}  # of other devices than the CPU: {"lists": 1}


def ours(**settings):
    words = [str(word) for pair in {**settings, **LISTS}.items() for word in pair]
    return json.loads(subprocess.run([TRACE, *words], check=True, capture_output=True, text=True).stdout)


def theirs(make_optimizer, make_schedule=None, plateau=False):
    parameters = [torch.tensor(values, dtype=torch.float64, requires_grad=True)
                  for values in ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])]
    optimizer = make_optimizer(parameters)
    schedule = make_schedule(optimizer) if make_schedule else None
    steps = []
    for accuracy in ACCURACIES:
        rate = optimizer.param_groups[0]["lr"]
        for parameter in parameters:
            parameter.grad = (torch.sin(parameter * 5) + parameter).detach()
        optimizer.step()
        steps.append({"rate": rate, "parameters": [value for p in parameters for value in p.tolist()]})
        if schedule:
            schedule.step(accuracy) if plateau else schedule.step()
    return steps


class SameAsPyTorch(unittest.TestCase):
    def same(self, mine, reference):
        self.assertEqual(len(mine), len(reference))
        for step, (left, right) in enumerate(zip(mine, reference)):
            self.assertAlmostEqual(left["rate"], right["rate"], delta=1e-14, msg=f"rate of step {step}")
            for one, other in zip(left["parameters"], right["parameters"]):
                self.assertAlmostEqual(one, other, delta=1e-12, msg=f"parameters after step {step}")

    def test_sgd(self):
        self.same(ours(optimizer="sgd", learning_rate=0.1, momentum=0, weight_decay=0.01),
                  theirs(lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.01)))

    def test_sgd_with_momentum(self):
        self.same(ours(optimizer="sgd", learning_rate=0.1, momentum=0.9),
                  theirs(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)))

    def test_sgd_with_nesterov(self):
        self.same(ours(optimizer="sgd", learning_rate=0.1, momentum=0.9, nesterov="true"),
                  theirs(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)))

    def test_adam(self):
        self.same(ours(optimizer="adam", learning_rate=0.1, weight_decay=0.1),
                  theirs(lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1)))

    def test_adamw(self):
        self.same(ours(optimizer="adamw", learning_rate=0.1, weight_decay=0.1),
                  theirs(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1)))

    def test_adadelta(self):
        self.same(ours(optimizer="adadelta", learning_rate=1.0),
                  theirs(lambda p: torch.optim.Adadelta(p, lr=1.0)))

    def test_adadelta_with_decay(self):
        self.same(ours(optimizer="adadelta", learning_rate=0.7, weight_decay=0.1),
                  theirs(lambda p: torch.optim.Adadelta(p, lr=0.7, weight_decay=0.1)))

    def test_step_schedule(self):
        self.same(ours(optimizer="sgd", learning_rate=0.1, momentum=0.5, scheduler="step", gamma=0.7, step_size=3),
                  theirs(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5),
                         lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=3, gamma=0.7)))

    def test_exponential_schedule(self):
        self.same(ours(optimizer="adamw", learning_rate=0.1, scheduler="exponential", gamma=0.8),
                  theirs(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0),
                         lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.8)))

    def test_warm_up_is_a_straight_line(self):
        self.same(ours(optimizer="sgd", learning_rate=0.1, momentum=0, warmup_epochs=4),
                  theirs(lambda p: torch.optim.SGD(p, lr=0.1),
                         lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.25, total_iters=3)))

    def test_cosine_schedule(self):
        self.same(ours(optimizer="adam", learning_rate=0.1, scheduler="cosine", epochs=len(ACCURACIES)),
                  theirs(lambda p: torch.optim.Adam(p, lr=0.1),
                         lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=len(ACCURACIES))))

    def test_plateau_schedule(self):
        for patience in (0, 1, 2):
            self.same(ours(optimizer="adadelta", learning_rate=0.5, scheduler="plateau", gamma=0.5,
                           plateau_patience=patience),
                      theirs(lambda p: torch.optim.Adadelta(p, lr=0.5),
                             lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(
                                 o, mode="max", factor=0.5, patience=patience), plateau=True))


class SameByListsOfParameters(SameAsPyTorch):
    """As on a GPU: libtorch's fused operators from 2.4 on, its operators on lists before."""

    def setUp(self):
        LISTS["lists"] = 1

    def tearDown(self):
        LISTS.clear()


if __name__ == "__main__":
    unittest.main()
