import argparse
import json
import os

import torch
import yaml

from asteroid.models.publisher import save_publishable

parser = argparse.ArgumentParser()
parser.add_argument("--exp_dir", required=True, help="Run to publish, trained and evaluated")


def main(exp_dir):
    with open(os.path.join(exp_dir, "conf.yml")) as f:
        train_conf = yaml.safe_load(f)
    metrics_path = os.path.join(exp_dir, "final_metrics.json")
    model_path = os.path.join(exp_dir, "best_model.pth")
    if os.path.getmtime(metrics_path) < os.path.getmtime(model_path):
        raise RuntimeError(f"{metrics_path} is older than the model: evaluate it again.")
    with open(metrics_path) as f:
        metrics = json.load(f)
    model_dict = torch.load(model_path, map_location="cpu")
    publish_dir = os.path.join(exp_dir, "publish_dir")
    save_publishable(publish_dir, model_dict, metrics=metrics, train_conf=train_conf)


if __name__ == "__main__":
    main(parser.parse_args().exp_dir)
