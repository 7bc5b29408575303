"""Official NNabla files: converted networks give the official outputs."""

import sys
import zipfile

import h5py
import numpy as np
import pytest
import torch

from asteroid_xscheme.weights import CheckpointError, DamagedFileError, load_package
from asteroid_xscheme.models.x_umx import XUMX


def write_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for index, (name, array) in enumerate(arrays.items()):
            file[name] = np.asarray(array, dtype=np.float32)
            file[name].attrs["index"] = index
    return path


def read_h5(path):
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, node: arrays.update({name: node[()]} if hasattr(node, "shape") else {})
        )
    return arrays


def test_x_umx_gives_the_official_output(golden):
    package = load_package(golden / "xumx_nnabla.h5")
    model = XUMX(**{**package["model_args"], "return_time_signals": True})
    model.load_state_dict(package["state_dict"])
    reference = np.load(golden / "xumx_nnabla.npz")
    with torch.no_grad():
        spectrograms, time_signals = model.eval()(torch.from_numpy(reference["x"]))
    n_frames, n_batch, _, n_bins = reference["mix_spec"].shape
    masks = reference["mask"].reshape(n_frames, n_batch, 4, 2, n_bins).transpose(2, 0, 1, 3, 4)
    official = masks * reference["mix_spec"]
    np.testing.assert_allclose(spectrograms, official, atol=1e-4 * official.max())
    np.testing.assert_allclose(time_signals, reference["pred"], atol=1e-4)


def test_x_umx_settings_are_inferred_from_the_shapes(golden):
    args = load_package(golden / "xumx_nnabla.h5")["model_args"]
    assert args["sources"] == ["bass", "drums", "vocals", "other"]  # in the order of creation
    assert (args["in_chan"], args["n_hop"], args["max_bin"]) == (64, 16, 25)
    assert (args["hidden_size"], args["nb_layers"], args["nb_channels"]) == (16, 3, 2)
    assert args["bidirectional"] is True and args["sample_rate"] == 44100


def test_one_layer_in_one_direction_is_converted(golden, tmp_path):
    arrays = read_h5(golden / "xumx_nnabla.h5")
    rng = np.random.default_rng(0)
    for source in ("bass", "drums", "vocals", "other"):
        del arrays[f"lstm_{source}/lstm/weight"]
        arrays[f"lstm_{source}/lstm/weight_l0"] = rng.normal(size=(1, 4, 16, 32))
        arrays[f"lstm_{source}/lstm/bias"] = rng.normal(size=(1, 1, 4, 16))
    package = load_package(write_h5(tmp_path / "x-umx.h5", arrays))
    assert (package["model_args"]["nb_layers"], package["model_args"]["bidirectional"]) == (
        1,
        False,
    )
    lstm = torch.nn.LSTM(16, 16)
    prefix = "layer_lstm.bass."
    state = package["state_dict"]
    lstm.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if prefix in k})
    gates = arrays["lstm_bass/lstm/weight_l0"][0, 1]  # the forget gate: [input, hidden]
    np.testing.assert_allclose(lstm.weight_hh_l0[16:32].detach(), gates[:, 16:], rtol=1e-6)


def test_missing_parameter_is_named(golden, tmp_path):
    arrays = read_h5(golden / "xumx_nnabla.h5")
    del arrays["fc2_drums/affine/W"]
    path = write_h5(tmp_path / "x-umx.h5", arrays)
    with pytest.raises(CheckpointError, match="x-umx.h5 lacks the parameter 'fc2_drums/affine/W'"):
        load_package(path)


def test_network_without_its_normalization_is_reported(tmp_path):
    path = write_h5(tmp_path / "umx.h5", {"fc1_bass/affine/W": np.zeros((2, 2))})
    with pytest.raises(CheckpointError, match="umx.h5 lacks the parameter 'input_mean_...'"):
        load_package(path)


@pytest.mark.parametrize("arrays", [{}, {"backbone/conv1/W": [1.0]}])
def test_other_network_is_recognised(tmp_path, arrays):
    path = write_h5(tmp_path / "D3Net-L.h5", arrays)
    with pytest.raises(CheckpointError, match="D3Net-L.h5 is not a known network.*found"):
        load_package(path)


@pytest.mark.parametrize("kept", [100, 5000, -1])
def test_truncated_file_is_reported(golden, tmp_path, kept):
    path = tmp_path / "x-umx.h5"
    path.write_bytes((golden / "xumx_nnabla.h5").read_bytes()[:kept])
    with pytest.raises(DamagedFileError, match="x-umx.h5 is damaged or truncated"):
        load_package(path)


def test_changed_bytes_are_read_or_refused_in_one_line(golden, tmp_path):
    content = np.fromfile(golden / "xumx_nnabla.h5", dtype=np.uint8)
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(40):
        changed = content.copy()
        changed[rng.integers(8, 30000, size=30)] = rng.integers(0, 256, size=30)
        changed.tofile(tmp_path / "x-umx.h5")
        try:
            load_package(tmp_path / "x-umx.h5")
            outcomes.add("read")
        except CheckpointError as error:
            outcomes.add(type(error))
    assert DamagedFileError in outcomes


def test_zip_and_folder_are_read_like_their_files(golden, tmp_path):
    expected = load_package(golden / "xumx_nnabla.h5")["state_dict"]
    arrays = read_h5(golden / "xumx_nnabla.h5")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    for part in range(4):  # spread over four files, as the official D3Net is
        names = sorted(arrays)[part::4]
        write_h5(folder / f"{part}.h5", {name: arrays[name] for name in names})
    with zipfile.ZipFile(tmp_path / "networks.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"networks/{file.name}")
    for place in (folder, tmp_path / "networks.zip"):
        state = load_package(place)["state_dict"]
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], expected[name]) for name in state)


def test_missing_h5py_is_named_with_its_install_command(golden, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CheckpointError, match="need the package h5py: python -m pip install h5py"):
        load_package(golden / "xumx_nnabla.h5")


def test_converter_finds_all_four_networks_of_both_d3net_releases(tmp_path, monkeypatch):
    scopes = ("bass", "drums", "other", "vocals")
    arrays = {scope: {f"{scope}/in_offset": [1.0], f"{scope}/out": [2.0]} for scope in scopes}
    write_h5(tmp_path / "d3net-mss.h5", {k: v for each in arrays.values() for k, v in each.items()})
    (tmp_path / "d3net-mss").mkdir()
    with zipfile.ZipFile(tmp_path / "d3net-mss.zip", "w") as archive:
        for scope in scopes:
            file = write_h5(tmp_path / "d3net-mss" / f"{scope}.h5", arrays[scope])
            archive.write(file, f"d3net-mss/{scope}.h5")
    seen = []

    def convert(parameters):
        seen.append({name: float(value[0]) for name, value in parameters.items()})
        return {"model_name": "XD3Net", "model_args": {}, "state_dict": {}}

    monkeypatch.setattr("asteroid_xscheme.weights.nnabla.convert_d3net", convert)
    for name in ("d3net-mss.h5", "d3net-mss.zip", "d3net-mss"):
        assert load_package(tmp_path / name)["model_name"] == "XD3Net"
    expected = {f"{s}/{n}": v for s in scopes for n, v in (("in_offset", 1.0), ("out", 2.0))}
    assert seen == [expected] * 3


def test_changed_weight_is_found_if_the_file_has_checksums(tmp_path):
    path, marks = tmp_path / "checked.h5", np.arange(64, dtype=np.float32)
    with h5py.File(path, "w") as file:
        file.create_dataset("fc1_bass/affine/W", data=marks, fletcher32=True)
    content = path.read_bytes()
    at = content.index(marks.tobytes())
    path.write_bytes(content[:at] + b"\x01" + content[at + 1 :])
    with pytest.raises(DamagedFileError, match="checked.h5 is damaged"):
        load_package(path)
