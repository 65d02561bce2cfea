"""The training loop: one step after another, on a CPU, a GPU, or several of them.

What a step does depends on (seed, step) alone: its data, its dropout and its learning rate. So a run that was
killed and resumed has the losses of one that was not, and two processes with one micro-batch each have those
of one process with two.

AdamW decays matrices only (Loshchilov & Hutter 2017); the learning rate warms up, then falls along a cosine;
gradients are clipped by their norm. bf16 autocast and ``torch.compile`` where asked for.
"""

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from .architectures import Decoder, Encoder, EncoderDecoder
from .config import ModelConfig
from .data import IGNORE, Batch, MaskedBatches, PackedBatches, PairBatches, TokenStore, mix_seed
from .run_state import History, load_run, save_run
from .tokenizer import Tokenizer

ARCHITECTURES = ("encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train. ``batch_size`` counts sequences per step over all processes and micro-batches."""

    steps: int = 5000
    batch_size: int = 16
    micro_batch_size: int = 16
    learning_rate: float = 2e-3
    final_lr_fraction: float = 0.1
    warmup_steps: int = 200
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.98
    grad_clip: float = 1.0
    seed: int = 0
    device: str = "cpu"
    bf16: bool = False
    compile: bool = False
    log_every: int = 10
    eval_every: int = 500
    eval_batches: int = 8
    save_every: int = 250

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch_size",
            "micro_batch_size",
            "log_every",
            "eval_every",
            "eval_batches",
            "save_every",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: must be above 0")

    def accumulation(self, world_size: int) -> int:
        """Micro-batches that one process adds up in a step."""
        count, rest = divmod(self.batch_size, self.micro_batch_size * world_size)
        if rest or not count:
            raise ValueError(
                f"batch_size={self.batch_size} must be a multiple of micro_batch_size={self.micro_batch_size} "
                f"times {world_size} process{'es' if world_size > 1 else ''}"
            )
        return count

    def to_dict(self) -> dict:
        return asdict(self)


def build_model(architecture: str, config: ModelConfig) -> nn.Module:
    """A freshly initialised model; both stacks of an encoder-decoder get ``config``."""
    if architecture == "encoder":
        return Encoder(config)
    if architecture == "decoder":
        return Decoder(config)
    if architecture in ARCHITECTURES:
        return EncoderDecoder(config, config, conditioning=architecture.rsplit("-", 1)[1])
    raise ValueError(f"no architecture {architecture!r}; there are {', '.join(ARCHITECTURES)}")


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


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a cosine down to ``final_lr_fraction`` at the last step."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    floor = config.final_lr_fraction
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices (weights and embeddings), and neither biases nor norms."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)


@torch.no_grad()
def evaluate(model: nn.Module, batches, num_batches: int, B: int, device: str = "cpu", bf16: bool = False) -> float:
    """Mean loss in nats per target over the first ``num_batches`` batches, without dropout."""
    was_training = model.training
    model.eval()
    total = count = 0.0
    for i in range(num_batches):
        batch = batches.batch(i, B).to(device)
        targets = int((batch.targets != IGNORE).sum())
        with _precision(device, bf16):
            total += float(batch_loss(TrainingLoss(model), batch)) * targets
        count += targets
    model.train(was_training)
    return total / count


def _precision(device: str, bf16: bool):
    return torch.autocast(device.split(":")[0], torch.bfloat16) if bf16 else nullcontext()


def _kernel(config: TrainConfig):
    """On a CPU the compiler makes faster attention out of the plain formula than the fused kernel is."""
    return sdpa_kernel(SDPBackend.MATH) if config.compile and config.device == "cpu" else nullcontext()


@dataclass
class Worker:
    """This process among those that train together."""

    rank: int = 0
    world_size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def mean(self, x: Tensor) -> Tensor:
        if self.world_size > 1:
            dist.all_reduce(x)
            x /= self.world_size
        return x


@contextmanager
def join_workers(device: str) -> Iterator[tuple[Worker, str]]:
    """Meet the other processes if ``torchrun`` started this one; yields the worker and its own device."""
    if "WORLD_SIZE" not in os.environ:
        yield Worker(), device
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Worker(dist.get_rank(), dist.get_world_size()), device
    finally:
        dist.destroy_process_group()


class StopSignal:
    """True once Ctrl-C or a termination request came: the step in progress ends, then the run is saved."""

    def __init__(self) -> None:
        self.received = False

    def __bool__(self) -> bool:
        return self.received

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
    """One run: model, optimizer, data and history, and the step they have reached."""

    def __init__(
        self, model: nn.Module, config: TrainConfig, train_batches, held_out_batches, folder: Path, worker: Worker
    ):
        self.config, self.folder, self.worker = config, folder, worker
        self.model = model.to(config.device).train()
        self.train_batches, self.held_out_batches = train_batches, held_out_batches
        self.accumulation = config.accumulation(worker.world_size)
        self.optimizer = make_optimizer(self.model, config)
        self.history = History(folder / "history.jsonl")
        self.step, self.num_tokens, self.seconds = load_run(folder, self.model, self.optimizer)
        if worker.leads:
            self.history.cut_after(self.step)
        loss = TrainingLoss(self.model)
        loss = torch.compile(loss) if config.compile else loss
        self.loss = DistributedDataParallel(loss) if worker.world_size > 1 else loss

    def run(self, progress: bool = True) -> None:
        """Train until the last step, or until Ctrl-C: then the run is saved and can go on later."""
        started, first = time.perf_counter() - self.seconds, self.step
        bar = tqdm(total=self.config.steps, initial=first, disable=not (progress and self.worker.leads), unit="step")
        with StopSignal().listening() as stop, _kernel(self.config), bar:
            while self.step < self.config.steps and not self._all_stop(stop):
                entry = self._train_step()
                self.seconds = time.perf_counter() - started
                self._after_step(entry, bar)
            self.save()

    def _train_step(self) -> dict:
        config, worker = self.config, self.worker
        lr = learning_rate(config, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        total = torch.zeros((), device=config.device)
        for micro in range(self.accumulation):
            index = (self.step * self.accumulation + micro) * worker.world_size + worker.rank
            torch.manual_seed(mix_seed(config.seed, index))  # dropout depends on the place in the run alone
            batch = self.train_batches.batch(index, config.micro_batch_size).to(config.device)
            with ExitStack() as stack:
                stack.enter_context(_precision(config.device, config.bf16))
                if worker.world_size > 1 and micro < self.accumulation - 1:
                    stack.enter_context(self.loss.no_sync())
                loss = batch_loss(self.loss, batch) / self.accumulation
                loss.backward()
            total += loss.detach()
            self.num_tokens += batch.num_tokens * worker.world_size
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.grad_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return {"step": self.step, "loss": float(worker.mean(total)), "lr": lr, "grad_norm": float(norm)}

    def _after_step(self, entry: dict, bar: tqdm) -> None:
        config, last = self.config, self.step == self.config.steps
        if not math.isfinite(entry["loss"]):
            raise FloatingPointError(
                f"the loss became {entry['loss']} at step {self.step}: the learning rate "
                f"{config.learning_rate} is probably too high"
            )
        rate = self.num_tokens / self.seconds
        if self.step % config.log_every == 0 or last:
            self._write({**entry, "tokens": self.num_tokens, "tokens_per_second": rate, "seconds": self.seconds})
        if self.step % config.eval_every == 0 or last:
            self._write({"step": self.step, "tokens": self.num_tokens, "held_out_loss": self._held_out_loss()})
        if self.step % config.save_every == 0:
            self.save()
        bar.update()
        bar.set_postfix_str(f"loss {entry['loss']:.3f}, {rate:,.0f} tokens/s", refresh=False)

    def _held_out_loss(self) -> float:
        config = self.config
        return evaluate(
            self.model, self.held_out_batches, config.eval_batches, config.micro_batch_size, config.device, config.bf16
        )

    def _write(self, entry: dict) -> None:
        if self.worker.leads:
            self.history.append(entry)

    def save(self) -> None:
        """Keep everything that resuming needs; the previous save stays until this one is complete."""
        if self.worker.leads:
            save_run(self.folder, self.model, self.optimizer, self.step, self.num_tokens, self.seconds)

    def _all_stop(self, stop: StopSignal) -> bool:
        """Workers stop at the same step, or one would wait for the others for ever."""
        if self.worker.world_size == 1:
            return bool(stop)
        return bool(self.worker.mean(torch.tensor(float(bool(stop)), device=self.config.device)) > 0)
