"""Against FEMR's own arithmetic written out plainly, on a tiny model that the test makes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import FileError
from tools.ehr.models.clmbr import Clmbr, load_clmbr, near_attention, representations, tokens_of
from tools.ehr.risk.events import STATIC, Events
from tools.ehr.risk.parquet import write_columns
from ui.cli import main

CONFIG = {
    "vocab_size": 6, "hidden_size": 8, "intermediate_size": 16, "n_heads": 2, "n_layers": 3, "attention_width": 3,
    "use_normed_ages": True, "use_bias": False, "hidden_act": "swiglu",
}  # fmt: skip
VOCAB = [
    {"type": "code", "code_string": "MEDS_BIRTH", "weight": -1.0},
    {"type": "code", "code_string": "ICD10CM/I21", "weight": -1.0},
    {"type": "numeric", "code_string": "LOINC/2160-0", "val_start": -math.inf, "val_end": 1.2, "weight": -1.0},
    {"type": "numeric", "code_string": "LOINC/2160-0", "val_start": 1.2, "val_end": math.inf, "weight": -1.0},
    {"type": "text", "code_string": "X", "text_string": "y", "weight": -1.0},
    {"type": "code", "code_string": "RxNorm/1", "weight": -1.0},
]
CODES = ("MEDS_BIRTH", "ICD10CM/I21", "LOINC/2160-0", "unknown", "RxNorm/1")


def _write(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    config = {**CONFIG, **changes}
    (folder / "config.json").write_text(json.dumps({"transformer_config": config, "task_config": None}))
    told = {"vocab": VOCAB, "is_hierarchical": False, "age_stats": {"mean": 1.2e9, "std": 6e8}}
    (folder / "dictionary.msgpack").write_bytes(msgspec.msgpack.encode(told))
    random = torch.Generator().manual_seed(0)
    width, inner = 8, 16
    sizes = {"embed.weight": (6, width), "in_norm.weight": (width,), "out_norm.weight": (width,)}
    for layer in range(3):
        sizes[f"layers.{layer}.norm.weight"] = (width,)
        sizes[f"layers.{layer}.input_proj.weight"] = (3 * width + 2 * inner, width)
        sizes[f"layers.{layer}.output_proj.weight"] = (width, width + inner)
    weights = {f"transformer.{name}": torch.randn(size, generator=random) for name, size in sizes.items()}
    save_file({**weights, "task_model.final_layer.weight": torch.zeros(2, width)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Clmbr:
    return load_clmbr(_write(tmp_path / "clmbr"))


def _events(rows: list[tuple[str, int, float]], subject: int = 7) -> Events:
    """Of rows (time or "", code, value)."""
    time = np.array([np.datetime64(when, "s") if when else STATIC for when, _, _ in rows], dtype="datetime64[s]")
    return Events(
        np.full(len(rows), subject), time, np.array([code for _, code, _ in rows], np.int32),
        np.array([value for _, _, value in rows]), CODES,
    )  # fmt: skip


NAN = float("nan")
RECORD = [
    ("1950-01-01", 0, NAN), ("2020-01-01T08:00", 1, NAN), ("2020-01-01T09:00", 2, 1.1), ("2020-01-01T10:00", 2, 0.9),
    ("2020-01-01T11:00", 2, 3.0), ("2020-01-02T08:00", 3, NAN), ("2020-01-02T09:00", 2, 0.9), ("2020-02-01", 4, NAN),
]  # fmt: skip


def test_events_become_tokens_by_code_and_bin_once_a_day(model: Clmbr) -> None:
    tokens = tokens_of(_events(RECORD), 7, model.dictionary)
    assert tokens.token == [0, 1, 2, 3, 2, 5]  # the second low value of a day and the unknown code are left out
    assert tokens.age_days[1] == pytest.approx(25_567 + 8 / 24)


def _slowly(model: Clmbr, token: list[int], days: list[float]) -> torch.Tensor:
    """FEMR's forward pass, event by event and head by head."""
    state = dict(model.state_dict())
    age = torch.tensor([(d * 86_400 - 1.2e9) / 6e8 for d in days], dtype=torch.float16).float()

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        weight: torch.Tensor = state[f"{name}.weight"]
        return weight * x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-6)

    def rotated(x: torch.Tensor, day: float) -> torch.Tensor:
        out = x.clone()
        for pair in range(2):
            angle = torch.tensor(day, dtype=torch.float32) / 10_000 ** (2 * pair / 1)
            a, b = x[2 * pair], x[2 * pair + 1]
            out[2 * pair] = a * torch.cos(angle) - b * torch.sin(angle)
            out[2 * pair + 1] = b * torch.cos(angle) + a * torch.sin(angle)
        return out

    x = norm(state["embed.weight"][token], "in_norm")
    for layer in range(3):
        h = norm(x, f"layers.{layer}.norm")
        h[:, -2], h[:, -1] = age, age**2
        wide = h @ state[f"layers.{layer}.input_proj.weight"].T
        fed = torch.nn.functional.silu(wide[:, :16]) * wide[:, 16:32]
        q, k, v = (wide[:, 32 + 8 * part : 40 + 8 * part] for part in range(3))
        seen = torch.zeros(len(token), 8)
        for i in range(len(token)):
            for head in range(2):
                own = slice(4 * head, 4 * head + 4)
                past = range(max(0, i - 2), i + 1)
                scores = torch.stack([rotated(q[i, own], days[i]) @ rotated(k[j, own], days[j]) / 2 for j in past])
                seen[i, own] = sum(
                    (w * v[j, own] for w, j in zip(torch.softmax(scores, 0), past, strict=True)), torch.zeros(4)
                )
        x = x + torch.cat([seen, fed], 1) @ state[f"layers.{layer}.output_proj.weight"].T
    return norm(x, "out_norm")


def test_vectors_are_those_of_the_plain_arithmetic(model: Clmbr) -> None:
    tokens = tokens_of(_events(RECORD), 7, model.dictionary)
    expected = _slowly(model, tokens.token, tokens.age_days)
    np.testing.assert_allclose(model.read(tokens), expected.numpy(), rtol=1e-3, atol=1e-4)


def test_the_vector_at_a_moment_knows_nothing_later(model: Clmbr) -> None:
    moments = np.array(["1949-01-01", "2020-01-01T09:30", "2021-01-01"], dtype="datetime64[s]")
    subject = np.array([7, 7, 7])
    whole = representations(model, _events(RECORD), subject, moments)
    cut = representations(model, _events(RECORD[:3]), subject, moments)
    assert np.isnan(whole[0]).all()
    np.testing.assert_allclose(whole[1], cut[1], atol=1e-6)
    np.testing.assert_allclose(cut[1], cut[2], atol=1e-6)
    assert np.abs(whole[1] - whole[2]).max() > 1e-2


@pytest.mark.parametrize("length", [1, 3, 4, 11])
def test_attention_in_blocks_is_that_of_the_whole_with_a_band(length: int) -> None:
    random = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(length, 2, 4, generator=random) for _ in range(3))
    near = torch.tril(torch.ones(length, length)).triu(-2).bool()
    q, k, v = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, near)
    assert torch.allclose(near_attention(query, key, value, reach=3), whole.transpose(0, 1), atol=1e-5)


def test_what_is_no_such_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"lacks config\.json, model\.safetensors, dictionary\.msgpack"):
        load_clmbr(tmp_path)
    with pytest.raises(FileError, match="do not fit"):
        load_clmbr(_write(tmp_path / "wide", n_layers=4))
    folder = _write(tmp_path / "tree")
    (folder / "dictionary.msgpack").write_bytes(msgspec.msgpack.encode({"is_hierarchical": True}))
    with pytest.raises(FileError, match="ontology"):
        load_clmbr(folder)
    (folder / "dictionary.msgpack").write_bytes(b"\xc1")
    with pytest.raises(FileError, match="not a FEMR dictionary"):
        load_clmbr(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(FileError, match="transformer_config"):
        load_clmbr(folder)


def test_the_command_writes_a_row_per_label_and_says_whose_codes_it_knows_nothing_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _write(tmp_path / "clmbr")
    people = range(40)
    records = [RECORD if person % 2 else [*RECORD[:2], RECORD[-1]] for person in people]
    rows = [(person, *row) for person, record in zip(people, records, strict=True) for row in record]
    time = np.array([np.datetime64(row[1], "us") for row in rows])
    columns = {
        "subject_id": np.array([row[0] for row in rows]), "time": time, "code": np.array([CODES[row[2]] for row in rows]),
        "numeric_value": np.array([row[3] for row in rows], np.float32),
    }  # fmt: skip
    (tmp_path / "data").mkdir()
    write_columns(tmp_path / "data" / "0.parquet", columns)
    labels = {
        "subject_id": np.array(people), "prediction_time": np.full(40, np.datetime64("2021-01-01", "us")),
        "boolean_value": np.array([person % 2 == 1 for person in people]),
    }  # fmt: skip
    write_columns(tmp_path / "labels.parquet", labels)
    given = ["--data", str(tmp_path / "data"), "--labels", str(tmp_path / "labels.parquet"), "--weights", str(folder)]
    assert main(["ehr", "embed", *given, "--out", str(tmp_path / "v.npy"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["labels"], told["without_a_vector"]) == (40, 0)
    assert told["shots"][-1]["auroc"] > 0.99  # one of the two records has measurements and the other none
    assert np.load(tmp_path / "v.npy").shape == (40, 8)
    columns["code"] = np.full(len(rows), "other")
    write_columns(tmp_path / "data" / "0.parquet", columns)
    assert main(["ehr", "embed", *given]) == 2
    assert "the model's dictionary" in capsys.readouterr().err
