"""The other side of tools/bench-training/run.ts: the same training step in PyTorch, one line of JSON in, the milliseconds of one step out."""
import json
import sys
import time

import torch
from torch import nn


class Recogniser(nn.Module):
    """buildReferenceModel of @coppice/speech: two convolutions with batch norm, bidirectional GRUs, dense."""

    def __init__(self, mels, channels, hidden, layers, tokens):
        super().__init__()
        one, two = channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, one, (5, 11), stride=(2, 2), padding=(2, 5)), nn.BatchNorm2d(one), nn.ReLU(),
            nn.Conv2d(one, two, (5, 7), stride=(1, 2), padding=(2, 3)), nn.BatchNorm2d(two), nn.ReLU())
        bands = ((mels + 1) // 2 + 1) // 2
        self.recurrent = nn.GRU(two * bands, hidden, num_layers=layers, bidirectional=True)
        self.dense = nn.Linear(2 * hidden, tokens)

    def forward(self, features):
        image = self.convolutions(features.unsqueeze(1))
        batch, channels, frames, bands = image.shape
        vectors = image.permute(2, 0, 1, 3).reshape(frames, batch, channels * bands)
        return self.dense(self.recurrent(vectors)[0]).log_softmax(-1)


settings = json.loads(sys.stdin.readline())
torch.set_num_threads(settings["threads"])
torch.manual_seed(0)
model = Recogniser(settings["mels"], settings["channels"], settings["hidden"], settings["layers"], settings["tokens"])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
batch, time_steps, labels = settings["batch"], settings["time"], settings["labels"]
features = torch.randn(batch, time_steps, settings["mels"])
targets = torch.randint(1, settings["tokens"], (batch, labels))
frames = torch.full((batch,), (time_steps + 1) // 2)
lengths = torch.full((batch,), labels)


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = nn.functional.ctc_loss(model(features), targets, frames, lengths, reduction="sum") / batch
    loss.backward()
    optimizer.step()
    return loss.item()


for line in sys.stdin:
    start = time.perf_counter()
    step()
    print((time.perf_counter() - start) * 1000, flush=True)
