from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.store import SessionStore
from core.types import Finding, NewArtifact, ToolResult
from tests.fakes import FixedRetriever, NoImages
from tools.imaging.generation.prompt import read_prompt
from tools.imaging.marking import file_says_synthetic, says_synthetic
from tools.intake import read_files
from tools.registry import standard_tools
from tools.runtime import CallRequest, ToolRuntime
from ui.cli import main

RUNTIME = ToolRuntime(standard_tools(FixedRetriever(), NoImages()))
SHORT = "spine from T12 to L2, 40 % wedge of L1"


def _call(tool: str, arguments: dict[str, object], store: SessionStore) -> ToolResult:
    return RUNTIME.call(CallRequest(tool, arguments, "c1", store)).result  # type: ignore[arg-type]


def test_a_film_is_marked_everywhere_and_is_no_evidence(store: SessionStore) -> None:
    result = _call("synthesize_film", {"prompt": f"lateral film, {SHORT}", "seed": 3}, store)
    assert result.status == "done", result.summary
    film, figure = result.artifacts
    assert (film.kind, film.view, film.synthetic, film.modality) == ("radiograph", "LATERAL", True, "DX")
    assert figure.kind == "image"
    assert figure.synthetic
    with Image.open(store.path(film.handle)) as image:
        assert says_synthetic(image)
        about = json.loads(image.info["Consilium"])
    assert about["seed"] == 3
    assert "synthetic" in result.evidence[0].statement  # type: ignore[union-attr]
    assert result.provenance.seed == 3
    assert len(result.provenance.weights["film.safetensors"]) == 64
    similar = _call("find_similar_images", {"image": film.handle}, store)
    assert similar.status == "refused"
    assert "not evidence about a patient" in similar.summary


def test_a_volume_is_measured_and_the_gate_refuses_to_grade_it(store: SessionStore) -> None:
    result = _call("synthesize_volume", {"prompt": SHORT}, store)
    assert result.status == "done", result.summary
    picture, ct, mask = result.artifacts
    assert (ct.kind, ct.modality, mask.kind, mask.of) == ("volume", "CT", "mask", ct.handle)
    assert all(item.synthetic for item in (picture, ct, mask))
    measured = next(item for item in result.evidence if isinstance(item, Finding) and item.name == "synthetic_height_loss")
    assert measured.where == "L1"
    assert measured.value == pytest.approx(40, abs=10)
    both: tuple[dict[str, object], ...] = ({"image": ct.handle}, {"mask": mask.handle})
    for arguments in both:
        refused = _call("grade_fractures", arguments, store)
        assert refused.status == "refused"
        assert "is synthetic" in refused.summary


@pytest.mark.parametrize("tool", ["synthesize_film", "synthesize_volume"])
@pytest.mark.parametrize(
    ("prompt", "words"),
    [("MRI of the brain", "It draws the thoracic"), ("40 lumbar spines", "--count 40"), ("L9 wedge", "L9")],
)
def test_what_cannot_be_drawn_is_refused_with_what_can(tool: str, prompt: str, words: str, store: SessionStore) -> None:
    result = _call(tool, {"prompt": prompt}, store)
    assert result.status == "refused"
    assert words in result.summary
    assert not store.list()


def test_attributes_can_be_edited(store: SessionStore) -> None:
    first = _call("synthesize_film", {"prompt": SHORT}, store)
    shown = {row.cells[0]: row.cells[1] for row in first.tables[0].rows}
    assert shown["fractures"] == "L1 wedge 40 %"
    edited = {
        **read_prompt(SHORT).attributes.model_dump(mode="json"),
        "fractures": [{"level": "L1", "kind": "crush", "percent": 20}],
    }
    again = _call("synthesize_film", {"prompt": SHORT, "attributes": edited, "views": ["ap"]}, store)
    assert "20 % crush" in again.summary
    assert again.artifacts[0].view == "AP"


def test_the_command_shows_how_it_understands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "volume", "--prompt", "spine, fracture of L2", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["fractures"] == [{"level": "L2", "kind": "wedge", "percent": 32.5}]
    assert "assumed: L2: no severity was named" in told.err


def test_films_of_edited_attributes_with_a_sidecar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"levels": ["T12", "L1", "L2"], "density": "osteoporosis"}))
    arguments = [
        "synth",
        "film",
        "--attributes",
        str(tmp_path / "a.json"),
        "--look",
        "procedural",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*arguments, "--seed", "5", "--count", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "o" / "synthetic.json").read_text()) == report
    assert report["synthetic"] is True
    assert [item["seed"] for item in report["made"]] == [5, 6]
    one, two = ((tmp_path / "o" / item["files"][0]).read_bytes() for item in report["made"])
    assert one != two
    with Image.open(io.BytesIO(one)) as image:
        corner = np.asarray(image.convert("RGB"), dtype=int)[:30, -160:]
    assert (np.abs(corner - np.array([255, 176, 60])).sum(axis=-1) < 60).any(), "the mark is burned in"


def test_volumes_that_are_attached_again_are_known_as_synthetic(store: SessionStore, tmp_path: Path) -> None:
    arguments = ["synth", "volume", "--prompt", SHORT, "--look", "procedural", "--size", "32", "--out", str(tmp_path)]
    assert main(arguments) == 0
    files = [tmp_path / "000_ct.nii.gz", tmp_path / "000_mask.nii.gz", tmp_path / "000.png"]
    assert file_says_synthetic(files[0])
    taken = read_files(files, store)
    assert taken.problems == ()
    assert sorted(artifact.kind for artifact in taken.artifacts) == ["image", "mask", "volume"]
    assert all(artifact.synthetic for artifact in taken.artifacts)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--prompt", "MRI of the knee", "--out", "o"],
        ["--out", "o"],
        ["--prompt", "lumbar spine"],
        ["--prompt", "two lumbar spines", "--count", "3", "--out", "o"],
        ["--prompt", "lumbar spine", "--steps", "0", "--out", "o"],
        ["--prompt", "lumbar spine", "--size", "50", "--out", "o"],
        ["--attributes", "none.json", "--out", "o"],
        ["--prompt", "lumbar spine", "--weights", "none.safetensors", "--out", "o"],
    ],
)
def test_bad_input_is_exit_code_2(wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["synth", "volume", *wrong]) == 2
    assert not (tmp_path / "o").exists()


def test_a_picture_of_someone_else_is_not_called_synthetic(store: SessionStore, tmp_path: Path) -> None:
    Image.new("L", (64, 64), 128).save(tmp_path / "a.png")
    assert not read_files([tmp_path / "a.png"], store).artifacts[0].synthetic
    new = NewArtifact(kind="image", title="x", media_type="image/png")
    assert not store.add(b"x", new, ".png").synthetic
