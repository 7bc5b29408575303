import argparse
import json
import os
from pathlib import Path

import museval
import norbert
import numpy as np
import soundfile as sf
import torch
import yaml
from tqdm import tqdm

from asteroid.models import BaseModel, save_publishable
from asteroid.utils import prepare_parser_from_dict
from local.dataloader import check_track, read_sources

UMXL = "r-sawata/XUMXL_MUSDB18_music_separation"

parser = argparse.ArgumentParser()
which = parser.add_mutually_exclusive_group(required=True)
which.add_argument("--exp_dir", help="Run to evaluate: its best_model.pth")
which.add_argument("--model", help="File, URL or published name of a model to evaluate instead")
which.add_argument(
    "--large", dest="model", action="store_const", const=UMXL, help="Evaluate the published X-UMXL"
)
parser.add_argument("--root", default="data", help="Dataset, with a folder test")
parser.add_argument("--out_dir", help="Results; exp_dir or ./results_using_pre-trained by default")
parser.add_argument(
    "--use_gpu", type=int, default=int(torch.cuda.is_available()), help="Whether to use the GPU"
)
parser.add_argument("--n_save_ex", type=int, default=-1, help="Songs to save estimates of, -1: all")


@torch.no_grad()
def separate(model, mixture, wiener=True, niter=1, softmask=False):
    """Separate a mixture at once.

    Args:
        model (torch.nn.Module): X-UMX or another model with its `forward` and `forward_wav`.
        mixture (torch.Tensor): Shape (channel, time).
        wiener (bool): Whether the estimated magnitudes are given to a multichannel Wiener filter.
            Without it, estimates are the waveforms of `forward_wav`.
        niter (int): Iterations of its EM algorithm.
        softmask (bool): Whether it starts from a ratio mask instead of the mixture's phase.

    Returns:
        torch.Tensor, of shape (source, channel, time).
    """
    wav = mixture[None].to(next(model.parameters()).device)
    if not wiener:
        return model.forward_wav(wav)[0].cpu()
    args = model.get_model_args()
    stft = dict(n_fft=args["in_chan"], hop_length=args["n_hop"], win_length=args["window_length"])
    stft["window"] = torch.hann_window(args["window_length"])
    magnitudes = model(wav)[0][:, :, 0].cpu() ** (1 / args.get("spec_power", 1))
    # norbert wants (frame, bin, channel) of the mixture, and (..., source) of the estimates
    estimates = magnitudes.permute(1, 3, 2, 0).numpy()
    spec = torch.stft(mixture, return_complex=True, **stft).permute(2, 1, 0)
    spec = spec.numpy().astype(np.complex128)
    if len(magnitudes) == 1:
        estimates = norbert.residual_model(estimates, spec)
    filtered = norbert.wiener(estimates, spec, niter, use_softmask=softmask)
    filtered = torch.from_numpy(filtered).to(torch.complex64).permute(3, 2, 1, 0)
    waveforms = [torch.istft(source, length=mixture.shape[-1], **stft) for source in filtered]
    return torch.stack(waveforms[: len(magnitudes)])


def separate_in_chunks(estimate, mixture, n_sources, length, overlap):
    """Separate a mixture of any length in chunks, one at a time.

    Chunks are cross-faded in the middle half of their overlap, as their ends have no context.

    Args:
        estimate (callable): Mixture (channel, time) to sources (source, channel, time).
        mixture (torch.Tensor): Shape (channel, time).
        n_sources (int): Number of sources.
        length (int): Samples of a chunk.
        overlap (float): Fraction of a chunk that overlaps the next, below 1.

    Returns:
        torch.Tensor, of shape (source, channel, time).
    """
    n_samples = mixture.shape[-1]
    length = min(length, n_samples)
    n_shared = min(int(length * overlap), length - 1)
    fade = torch.linspace(-0.5, 1.5, n_shared + 2)[1:-1].clamp(0, 1)
    sources, weights = torch.zeros(n_sources, *mixture.shape), torch.zeros(n_samples)
    for start in [*range(0, n_samples - length, length - n_shared), n_samples - length]:
        chunk = slice(start, start + length)
        window = torch.ones(length)
        if start > 0:
            window[:n_shared] *= fade
        if start + length < n_samples:
            window[length - n_shared :] *= fade.flip(0)
        sources[..., chunk] += estimate(mixture[:, chunk]) * window
        weights[chunk] += window
    return sources.div_(weights)


def evaluate_track(path, model, args):
    """Estimates of a track, tensor (source, channel, time), and the scores of their frames."""
    rate, names = int(model.sample_rate), ["mixture", *model.sources]
    wavs = read_sources(path, names, stop=check_track(path, names, rate))
    if model.in_channels == 1:
        wavs = wavs.mean(1, keepdim=True)
    mixture, references = wavs[0], wavs[1:]
    estimates = separate_in_chunks(
        lambda chunk: separate(model, chunk, args.wiener, args.niter, args.softmask),
        mixture,
        n_sources=len(references),
        length=int(args.chunk_dur * rate),
        overlap=args.overlap,
    )
    wavs = [wav.transpose(1, 2).numpy() for wav in (references, estimates)]
    values = dict(zip(("SDR", "ISR", "SIR", "SAR"), museval.evaluate(*wavs, win=rate, hop=rate)))
    scores = museval.TrackStore(path.name)
    for k, source in enumerate(model.sources):
        scores.add_target(source, {metric: frames[k] for metric, frames in values.items()})
    return estimates, scores


def main(args):
    model_path = args.model or os.path.join(args.exp_dir, "best_model.pth")
    if args.exp_dir and not os.path.isfile(model_path):
        raise FileNotFoundError(f"There is no {model_path}: train the run first.")
    out_dir = Path(args.out_dir or args.exp_dir or "results_using_pre-trained")
    out_dir.mkdir(parents=True, exist_ok=True)
    model = BaseModel.from_pretrained(model_path).to("cuda" if args.use_gpu else "cpu").eval()
    tracks = sorted(path for path in Path(args.root, "test").iterdir() if path.is_dir())
    results = museval.EvalStore()  # medians over frames, then over tracks
    for k, path in enumerate(tqdm(tracks)):
        estimates, scores = evaluate_track(path, model, args)
        results.add_track(scores)
        results.df.to_csv(out_dir / "all_metrics.csv", index=False)
        if args.n_save_ex < 0 or k < args.n_save_ex:
            folder = out_dir / "estimates" / path.name
            folder.mkdir(parents=True, exist_ok=True)
            for source, estimate in zip(model.sources, estimates):
                sf.write(folder / f"{source}.wav", estimate.T.numpy(), int(model.sample_rate))
    medians = results.agg_frames_tracks_scores()
    print(results)
    results.frames_agg = "mean"
    print(results)

    final = {f"{metric}_{source}": score for (source, metric), score in medians.items()}
    final["SDR"] = float(medians.xs("SDR", level="metric").mean())
    with open(out_dir / "final_metrics.json", "w") as f:
        json.dump(final, f, indent=0)
    if args.exp_dir:
        with open(os.path.join(args.exp_dir, "conf.yml")) as f:
            train_conf = yaml.safe_load(f)
        model_dict = torch.load(model_path, map_location="cpu")
        publish_dir = os.path.join(args.exp_dir, "publish_dir")
        save_publishable(publish_dir, model_dict, metrics=final, train_conf=train_conf)


if __name__ == "__main__":
    with open("local/conf.yml") as f:
        def_conf = yaml.safe_load(f)
    parser = prepare_parser_from_dict({"evaluation": def_conf["evaluation"]}, parser=parser)
    main(parser.parse_args())
