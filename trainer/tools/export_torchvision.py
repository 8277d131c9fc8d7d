#!/usr/bin/env python3
"""Writes the weights of a torchvision model as safetensors, for `wattle-train --weights FILE`.

    export_torchvision.py resnet18 resnet18.safetensors            # pretrained: torchvision downloads them
    export_torchvision.py mobilenet_v2 m.safetensors --state m.pth # from a file that torch.save wrote
    export_torchvision.py resnet18 r.safetensors --random          # as drawn, for tests

Needs torch, torchvision and numpy; `write` and `read` need numpy alone. The format: a length of 8 bytes, a JSON header,
the tensors' bytes.
"""

import argparse
import json
import struct
import sys

import numpy

TYPES = {"F64": numpy.float64, "F32": numpy.float32, "I64": numpy.int64, "I32": numpy.int32, "U8": numpy.uint8}


def write(path, arrays, metadata=None):
    names = {numpy.dtype(kind): name for name, kind in TYPES.items()}
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = {key: str(value) for key, value in metadata.items()}
    arrays = {name: numpy.asarray(array, order="C") for name, array in arrays.items()}
    for name, array in arrays.items():
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.tobytes())


def read(path):
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    return {name: numpy.frombuffer(data[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()}, metadata


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["resnet18", "mobilenet_v2"])
    parser.add_argument("output")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--state", help="a state_dict in a file of torch.save")
    source.add_argument("--random", action="store_true", help="weights as drawn, not pretrained")
    arguments = parser.parse_args()
    import torch
    import torchvision
    weights = None if arguments.state or arguments.random else "DEFAULT"
    model = getattr(torchvision.models, arguments.model)(weights=weights)
    if arguments.state:
        model.load_state_dict(torch.load(arguments.state, map_location="cpu"))
    write(arguments.output, {name: tensor.numpy() for name, tensor in model.state_dict().items()})
    print(f"{arguments.output}: {sum(p.numel() for p in model.parameters())} parameters of {arguments.model}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
