import argparse
import json
import os
from pathlib import Path

import museval
import norbert
import numpy as np
import pandas as pd
import soundfile as sf
import torch
import yaml
from tqdm import tqdm

from asteroid.models import BaseModel
from asteroid.utils import prepare_parser_from_dict
from local.dataloader import check_track, read_sources

UMXL = "r-sawata/XUMXL_MUSDB18_music_separation"
METRICS = ("SDR", "SIR", "ISR", "SAR")

parser = argparse.ArgumentParser()
which = parser.add_mutually_exclusive_group(required=True)
which.add_argument("--exp_dir", help="Run to evaluate: its best_model.pth, with its conf.yml")
which.add_argument("--model", help="File, URL or published name of a model to evaluate instead")
which.add_argument(
    "--large", dest="model", action="store_const", const=UMXL, help="Evaluate the published X-UMXL"
)
parser.add_argument("--root", default="data", help="Dataset, with a folder test")
parser.add_argument("--out_dir", help="Results; exp_dir or ./results_using_pre-trained by default")
parser.add_argument(
    "--use_gpu",
    type=int,
    default=int(torch.cuda.is_available()),
    help="Whether to separate on the GPU, by default if there is one",
)
parser.add_argument("--n_save_ex", type=int, default=-1, help="Songs to save estimates of, -1: all")


def separate_in_chunks(estimate, mixture, length, overlap):
    """Separate a mixture of any length in chunks, of which one is in memory at a time.

    Chunks are cross-faded in the middle half of their overlap, as their ends have no context.

    Args:
        estimate (callable): Mixture (channel, time) to sources (source, channel, time).
        mixture (torch.Tensor): Shape (channel, time).
        length (int): Samples of a chunk.
        overlap (float): Fraction of a chunk that overlaps the next, below 1.

    Returns:
        torch.Tensor, of shape (source, channel, time).
    """
    n_samples = mixture.shape[-1]
    length = min(length, n_samples)
    n_shared = min(int(length * overlap), length - 1)
    fade = torch.linspace(-0.5, 1.5, n_shared + 2)[1:-1].clamp(0, 1)
    sources, weights = 0, torch.zeros(n_samples)
    for start in [*range(0, n_samples - length, length - n_shared), n_samples - length]:
        chunk = slice(start, start + length)
        window = torch.ones(length)
        if start > 0:
            window[:n_shared] *= fade
        if start + length < n_samples:
            window[length - n_shared :] *= fade.flip(0)
        estimates = estimate(mixture[:, chunk])
        if start == 0:
            sources = torch.zeros(*estimates.shape[:2], n_samples)
        sources[..., chunk] += estimates * window
        weights[chunk] += window
    return sources.div_(weights)


def make_estimator(model, wiener=True, niter=1, softmask=False, device="cpu"):
    """Function that separates one chunk, see :func:`separate_in_chunks`.

    Args:
        model (torch.nn.Module): X-UMX or another model with its `forward` and `forward_wav`.
        wiener (bool): Whether the estimated magnitudes are given to a multichannel Wiener filter.
            Without it, estimates are the waveforms of `forward_wav`.
        niter (int): Iterations of its EM algorithm.
        softmask (bool): Whether it starts from a ratio mask instead of the mixture's phase.
        device (str): Device of the model.
    """
    args = model.get_model_args()
    n_fft, power = args["in_chan"], args.get("spec_power", 1)
    stft = dict(n_fft=n_fft, hop_length=args["n_hop"], win_length=args["window_length"])
    stft["window"] = torch.hann_window(args["window_length"])

    def estimate(mixture):
        return model.forward_wav(mixture[None].to(device))[0].cpu()

    def estimate_and_filter(mixture):
        spectrograms, _ = model(mixture[None].to(device))
        magnitudes = spectrograms[:, :, 0].cpu().numpy() ** (1 / power)
        # To norbert's (frame, bin, channel) of the mixture, and (..., source) of the estimates
        spec = torch.stft(mixture, return_complex=True, **stft).permute(2, 1, 0)
        estimates = magnitudes.transpose(1, 3, 2, 0)
        spec = spec.numpy().astype(np.complex128)
        if estimates.shape[-1] == 1:
            estimates = norbert.residual_model(estimates, spec, 1)
        filtered = norbert.wiener(estimates, spec, niter, use_softmask=softmask)
        filtered = torch.from_numpy(filtered[..., : len(magnitudes)]).permute(3, 2, 1, 0)
        waveforms = torch.istft(
            filtered.flatten(0, 1).to(torch.complex64), length=mixture.shape[-1], **stft
        )
        return waveforms.unflatten(0, filtered.shape[:2])

    return torch.no_grad()(estimate_and_filter if wiener else estimate)


def evaluate_track(path, model, estimator, args):
    """Estimates of a track, (source, channel, time), and a row of scores for each source."""
    rate = int(model.sample_rate)
    names = ["mixture", *model.sources]
    mixture, *references = read_sources(path, names, stop=check_track(path, names, rate))
    references = torch.stack(references)
    if model.in_channels == 1:
        mixture, references = mixture.mean(0, keepdim=True), references.mean(1, keepdim=True)
    estimates = separate_in_chunks(estimator, mixture, int(args.chunk_dur * rate), args.overlap)
    scores = museval.evaluate(
        references.transpose(1, 2).numpy(), estimates.transpose(1, 2).numpy(), win=rate, hop=rate
    )
    rows = [{"track": path.name, "source": source} for source in model.sources]
    for name, frames in zip(("SDR", "ISR", "SIR", "SAR"), scores):
        for row, of_source in zip(rows, frames):
            row[name], row[f"{name}_mean"] = np.nanmedian(of_source), np.nanmean(of_source)
    return estimates, rows


def report(all_metrics, sources, out_dir):
    """Write and print the medians over tracks, of the medians and of the means over frames."""
    medians = all_metrics.groupby("source").median(numeric_only=True).loc[list(sources)]
    for title, suffix in (("Median of Median", ""), ("Mean of Median", "_mean")):
        print(f"\n{title}")
        print(medians[[name + suffix for name in METRICS]].round(3).to_string())
    final = {f"{name}_{s}": float(medians[name][s]) for name in METRICS for s in sources}
    final["SDR"] = float(medians["SDR"].mean())
    with open(out_dir / "final_metrics.json", "w") as f:
        json.dump(final, f, indent=0)


def main(args):
    model_path = args.model or os.path.join(args.exp_dir, "best_model.pth")
    if args.exp_dir and not os.path.isfile(model_path):
        raise FileNotFoundError(f"There is no {model_path}: train the run first.")
    out_dir = Path(args.out_dir or args.exp_dir or "results_using_pre-trained")
    out_dir.mkdir(parents=True, exist_ok=True)
    device = "cuda" if args.use_gpu else "cpu"
    model = BaseModel.from_pretrained(model_path).to(device).eval()
    estimator = make_estimator(model, args.wiener, args.niter, args.softmask, device)

    paths = sorted(path for path in Path(args.root, "test").iterdir() if path.is_dir())
    all_metrics = []
    for k, path in enumerate(tqdm(paths)):
        estimates, rows = evaluate_track(path, model, estimator, args)
        all_metrics += rows
        pd.DataFrame(all_metrics).to_csv(out_dir / "all_metrics.csv", index=False)
        if args.n_save_ex < 0 or k < args.n_save_ex:
            folder = out_dir / "estimates" / path.name
            folder.mkdir(parents=True, exist_ok=True)
            for source, estimate in zip(model.sources, estimates):
                sf.write(folder / f"{source}.wav", estimate.T.numpy(), int(model.sample_rate))
    report(pd.DataFrame(all_metrics), model.sources, out_dir)


if __name__ == "__main__":
    # Defaults of the evaluation options are those of the run
    exp_dir_parser = argparse.ArgumentParser(add_help=False)
    exp_dir_parser.add_argument("--exp_dir")
    exp_dir = exp_dir_parser.parse_known_args()[0].exp_dir
    with open(os.path.join(exp_dir, "conf.yml") if exp_dir else "local/conf.yml") as f:
        conf = yaml.safe_load(f)
    main(prepare_parser_from_dict({"evaluation": conf["evaluation"]}, parser).parse_args())
