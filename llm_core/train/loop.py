"""The training loop: one step after another, on a CPU, a GPU, or several of them.

What a step does depends on (seed, step) alone: its data, its dropout and its learning rate. So a run that was
killed and resumed has the losses of one that was not. Every target of a step weighs the same, however the step is cut
into micro-batches: so two processes with one each have the losses of one process with two.

The learning rate follows ``schedule.py``; gradients are clipped by their norm. bf16 autocast and ``torch.compile``
where asked for.
"""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ..model.architectures import Decoder, Encoder, EncoderDecoder
from ..model.checkpoints import save_model
from ..model.config import ModelConfig
from ..text.tokenizer import OURS, Tokenizer
from .config import TrainConfig
from .data import IGNORE, Batch, MaskedBatches, PackedBatches, PairBatches, TokenStore, mix_seed
from .distributed import Worker
from .loss_plot import Board
from .optimizers import make_optimizer
from .run_state import HISTORY_FILE, REMEDY, STATE_FILE, History, load_run, save_run
from .schedule import learning_rate, snapshot_steps

ARCHITECTURES = ("encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross")


def build_model(architecture: str, config: ModelConfig, encoder_layers: int | None = None) -> nn.Module:
    """A freshly initialised model; both stacks of an encoder-decoder get ``config``, the encoder with its own depth."""
    if architecture == "encoder":
        return Encoder(config)
    if architecture == "decoder":
        return Decoder(config)
    if architecture in ARCHITECTURES:
        encoder = replace(config, n_layer=encoder_layers or config.n_layer)
        return EncoderDecoder(encoder, config, "cross" if architecture.endswith("cross") else "prefix")
    raise ValueError(f"no architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}")


def architecture_of(model: nn.Module) -> str:
    """The name by which ``build_model`` makes one like it."""
    if isinstance(model, EncoderDecoder):
        return f"encoder-decoder-{model.conditioning}"
    return "encoder" if isinstance(model, Encoder) else "decoder"


def batches_for(model: nn.Module, store: TokenStore, T: int, tokenizer: Tokenizer, seed: int):
    """What this architecture learns from: next tokens, masked tokens, or (title -> article)."""
    if isinstance(model, EncoderDecoder):
        return PairBatches(store, T, tokenizer, seed)
    if isinstance(model, Encoder):
        return MaskedBatches(store, T, tokenizer, seed)
    return PackedBatches(store, T, seed)


class TrainingLoss(nn.Module):
    """Batch -> mean cross-entropy in nats per target, as one module, so that it compiles and distributes whole."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, targets: Tensor, **inputs: Tensor) -> Tensor:
        logits = self.model(ids, **inputs)  # (B, T, V)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE)


def batch_loss(loss: nn.Module, batch: Batch) -> Tensor:
    """``loss`` of the tensors that this batch has."""
    return loss(**{name: x for name, x in vars(batch).items() if x is not None})


@torch.no_grad()
def evaluate(
    model: nn.Module, batches, num_batches: int, B: int, device: str = "cpu", bf16: bool = False
) -> tuple[float, int]:
    """Mean loss in nats per target over the first ``num_batches`` batches, without dropout; and how many targets."""
    was_training = model.training
    loss = TrainingLoss(model.eval())
    total, count = 0.0, 0
    for i in range(num_batches):
        batch = batches.batch(i, B)
        num_targets = batch.num_targets
        with _precision(device, bf16):
            total += float(batch_loss(loss, batch.to(device))) * num_targets
        count += num_targets
    model.train(was_training)
    return total / count, count


def _precision(device: str, bf16: bool):
    return torch.autocast(device.split(":")[0], torch.bfloat16) if bf16 else nullcontext()


class StopSignal:
    """Notes Ctrl-C or a request to terminate, so that the step in progress can end and the run be saved."""

    def __init__(self) -> None:
        self.received = False

    def _receive(self, _number: int, _frame: object) -> None:
        self.received = True

    @contextmanager
    def listening(self) -> Iterator["StopSignal"]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Trainer:
    """One run: model, optimizer, data and history, and the step they have reached.

    A run that was saved in ``folder`` goes on from there.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        train_batches,
        held_out_batches,
        folder: Path,
        worker: Worker,
        tokenizer: str | Path = OURS,
    ):
        self.config, self.folder, self.worker, self.tokenizer = config, folder, worker, tokenizer
        self.model = model.to(config.device).train()
        self.train_batches, self.held_out_batches = train_batches, held_out_batches
        self.accumulation = config.accumulation(worker.world_size)
        self.optimizer = make_optimizer(self.model, config)
        self.history = History(folder / HISTORY_FILE)
        self.step, num_tokens, self.seconds = load_run(folder, self.model, self.optimizer)
        if self.step > config.steps:
            raise ValueError(f"{folder / STATE_FILE} is at step {self.step}, beyond the last, {config.steps}: {REMEDY}")
        self._num_tokens = torch.tensor(num_tokens, device=config.device)
        if worker.leads:
            self.history.cut_after(self.step)
        self.board = Board(folder, self.step)
        self.snapshot_steps = snapshot_steps(config.steps, config.snapshots)
        loss = TrainingLoss(self.model)
        loss = torch.compile(loss) if config.compile else loss
        self.loss = DistributedDataParallel(loss) if worker.world_size > 1 else loss

    def run(self) -> None:
        """Train until the last step, or until Ctrl-C: then the run is saved and can go on later."""
        first, started = self.step, time.perf_counter() - self.seconds
        bar = tqdm(total=self.config.steps, initial=first, disable=not self.worker.leads, unit="step")
        self._keep_snapshot()
        with StopSignal().listening() as stop, bar:
            while self.step < self.config.steps and not self.worker.any(stop.received, self.config.device):
                self.train_step()
                self.seconds = time.perf_counter() - started
                self._after_step(bar)
            if first < self.step < self.config.steps:
                self.save()
        self.board.close()

    @property
    def num_tokens(self) -> int:
        """Tokens read so far, over all processes, padding not counted."""
        return int(self._num_tokens)

    def train_step(self) -> None:
        """One update. What it measured stays in tensors: to read them at every step would make a GPU wait."""
        config, loss = self.config, torch.zeros((), device=self.config.device)
        lr = learning_rate(config, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        batches = [
            self.train_batches.batch(self._index(micro), config.micro_batch_size) for micro in range(self.accumulation)
        ]
        num_targets = self._count(batches)
        for micro, batch in enumerate(batches):
            exchange = micro == self.accumulation - 1 or self.worker.world_size == 1
            with nullcontext() if exchange else self.loss.no_sync():
                loss += self._accumulate(self._index(micro), batch, num_targets)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.grad_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._measured = loss, lr, norm

    def _index(self, micro: int) -> int:
        """This process's micro-batch among those of the whole run."""
        return (self.step * self.accumulation + micro) * self.worker.world_size + self.worker.rank

    def _count(self, batches: list[Batch]) -> Tensor:
        """Count the tokens of this step; returns how many targets it has, over all processes."""
        counts = torch.tensor([(batch.num_targets, batch.num_tokens) for batch in batches]).sum(0)
        if self.worker.world_size > 1:
            counts = self.worker.sum(counts.to(self.config.device))
        num_targets, num_tokens = counts
        self._num_tokens += num_tokens
        return num_targets

    def _accumulate(self, index: int, batch: Batch, num_targets: Tensor) -> Tensor:
        """Add one micro-batch's share to the gradients; returns its share of the loss."""
        config = self.config
        torch.manual_seed(mix_seed(config.seed, index))  # dropout depends on the place in the run alone
        share = batch.num_targets / num_targets * self.worker.world_size  # gradients are averaged over processes
        with _precision(config.device, config.bf16):
            loss = batch_loss(self.loss, batch.to(config.device)) * share
        loss.backward()
        return loss.detach()

    def _after_step(self, bar: tqdm) -> None:
        config = self.config
        if self._is_due(config.log_every):
            self._log(bar)
        if self._is_due(config.eval_every):
            self._write({"tokens": self.num_tokens, "held_out_loss": self._held_out_loss()})
        if self._is_due(config.save_every):
            self.save()
        self._keep_snapshot()
        bar.update()

    def _keep_snapshot(self) -> None:
        """The model as it is now, if this is one of the steps at which a timeline looks at it."""
        if self.worker.leads and self.step in self.snapshot_steps:
            folder = self.folder / "snapshots" / f"{self.step:06d}"
            save_model(self.model, folder, dtype=torch.float16, tokenizer=self.tokenizer)

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.config.steps

    def _log(self, bar: tqdm) -> None:
        measured, rate = self._read_measured(), self.num_tokens / self.seconds
        bar.set_postfix_str(f"loss {measured['loss']:.3f}, {rate:,.0f} tokens/s", refresh=False)
        self._write({**measured, "tokens": self.num_tokens, "tokens_per_second": rate, "seconds": self.seconds})

    def _held_out_loss(self) -> float:
        c = self.config
        loss, _ = evaluate(self.model, self.held_out_batches, c.eval_batches, c.micro_batch_size, c.device, c.bf16)
        return loss

    def _read_measured(self) -> dict[str, float]:
        """The latest step in numbers; ``FloatingPointError`` if they are none any more, as the weights then are."""
        loss, lr, norm = self._measured
        loss, norm = float(self.worker.mean(loss)), float(norm)
        if not math.isfinite(loss + norm):
            raise FloatingPointError(
                f"at step {self.step} the loss is {loss} and its gradients have norm {norm}: the learning rate "
                f"{self.config.learning_rate} is probably too high"
            )
        return {"loss": loss, "lr": lr, "grad_norm": norm}

    def _write(self, entry: dict) -> None:
        if self.worker.leads:
            self.history.append({"step": self.step, **entry})
            self.board.append(self.step, entry)

    def save(self) -> None:
        """Keep everything that resuming needs; the previous save stays until this one is complete."""
        self._read_measured()  # what is broken must not take the place of what was good
        if self.worker.leads:
            save_run(self.folder, self.model, self.optimizer, self.step, self.num_tokens, self.seconds)
