"""Arguments of the commands fracture, synth, image-index."""

from __future__ import annotations

import argparse

from ui.arguments.common import Commands, command


def add_fracture(commands: Commands) -> None:
    """Vertebral heights and grades."""
    fracture = commands.add_parser("fracture", help="vertebral heights and fracture grades")
    actions = fracture.add_subparsers(required=True, metavar="ACTION")
    grade = command(actions, "grade", "grade every vertebra of a mask against its neighbours", module="fracture")
    _add_masked_ct(grade, required=False)
    _add_confirm(grade)
    grade.add_argument("--out", metavar="DIR", help="write report.json, figures, a PDF page, DICOM SEG and SR here")
    grade.add_argument(
        "--keep-steps", action="store_true", help="also write endplates, loss maps, explanations and the synthesis"
    )
    explain = command(actions, "explain", "say which neighbours a grade rests on, and what changes without each", "fracture")
    _add_masked_ct(explain)
    explain.add_argument("--level", metavar="L1", help="only this level")
    label = command(actions, "label", "outline and number the vertebral bodies of a CT that has no mask", "fracture")
    label.add_argument("ct", metavar="CT", help="CT volume (NIfTI, DICOM folder or zip)")
    _add_confirm(label)
    label.add_argument("--out", metavar="DIR", help="write labels.nii.gz and numbered.png here")
    _add_fracture_evaluate(actions)
    _add_fracture_train(actions)


def _add_confirm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--confirm",
        default="",
        metavar="N=LEVEL",
        help="of a CT without mask: a level you looked up, such as 3=L1 when the third vertebra from the head is L1",
    )


def _add_masked_ct(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "ct", nargs="?", metavar="CT", help="CT volume (NIfTI, DICOM folder or zip); a mask alone is enough for heights"
    )
    parser.add_argument(
        "--mask",
        required=required,
        metavar="SEG",
        help="vertebra labels (NIfTI); grade makes them when absent (TotalSegmentator, or the built-in labeller)",
    )
    parser.add_argument(
        "--numbering",
        default="auto",
        metavar="N",
        help="which level a mask value means: verse, totalsegmentator, thoracolumbar, lumbar, lumbar-up, or pairs such as "
        "20=L1,21=L2 (default: told from the values)",
    )


def _add_fracture_evaluate(actions: Commands) -> None:
    evaluate = command(actions, "evaluate", "score the grades and the baselines where the truth is known", "fracture")
    evaluate.add_argument("folder", nargs="?", metavar="DIR", help="masks and expert grades in the VerSe layout")
    evaluate.add_argument(
        "--simulated", type=int, metavar="N", help="N simulated fractures: of drawn spines, or of DIR's real ones"
    )
    evaluate.add_argument("--seed", type=int, default=1, metavar="S", help="of the simulation and the intervals")
    evaluate.add_argument(
        "--no-synthesis", action="store_true", help="leave the generator's rows out: masks alone, much quicker"
    )
    evaluate.add_argument(
        "--weights", metavar="DIR", help="a generator written by `fracture train` instead of the shipped one"
    )


def _add_fracture_train(actions: Commands) -> None:
    train = command(actions, "train", "train the generator that paints vertebrae as they were", "fracture")
    train.add_argument("--config", default="cpu", metavar="PRESET|YAML", help="cpu, gpu, tiny, or a file (default cpu)")
    train.add_argument(
        "--data", metavar="DIR", help="CT, masks and grades in the VerSe layout (default: drawn spines, sample CT)"
    )
    train.add_argument(
        "--out", required=True, metavar="DIR", help="data, checkpoint and weights; an earlier run there goes on"
    )
    train.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    train.add_argument(
        "--minutes", type=float, default=float("inf"), metavar="M", help="stop with a checkpoint after so long"
    )


def add_synth(commands: Commands) -> None:
    """Synthesis."""
    synth = commands.add_parser("synth", help="synthetic images, marked as such")
    actions = synth.add_subparsers(required=True, metavar="WHAT")
    healthy = command(
        actions, "healthy", "the spine of a CT as it may have been before it fractured", module="synth_healthy"
    )
    healthy.add_argument("ct", metavar="CT", help="CT volume (NIfTI)")
    healthy.add_argument("--mask", required=True, metavar="SEG", help="vertebra labels on the CT's grid (NIfTI)")
    healthy.add_argument("--numbering", choices=("auto", "verse", "totalsegmentator"), default="auto")
    healthy.add_argument("--levels", nargs="+", metavar="L1", help="paint these (default: height loss of 20 %% or more)")
    healthy.add_argument("--out", required=True, metavar="DIR", help="write CT, mask, picture and sidecar here")
    healthy.add_argument("--weights", metavar="DIR", help="weights of `fracture train` instead of the shipped ones")
    _add_synth_xray(actions)
    _add_synth_train_style(actions)


def _add_synth_xray(actions: Commands) -> None:
    xray = command(actions, "xray", "the radiograph that a CT would give, from any side", module="synth_xray")
    xray.add_argument("ct", metavar="CT", help="CT volume (NIfTI, DICOM folder or zip)")
    xray.add_argument(
        "--view",
        default="lateral",
        metavar="VIEW|AZ,EL",
        help="ap, pa, lateral, right lateral, oblique, lpo, rpo, lao, rao; or where the source stands in degrees: from the "
        "patient's front to the left, and towards the head (--view=-30,10); default lateral",
    )
    xray.add_argument("--out", required=True, metavar="X.png", help="the picture; X.dcm and X.json are put beside it")
    xray.add_argument("--size", type=int, nargs="+", default=[512], metavar="N", help="rows [columns] (default 512)")
    xray.add_argument("--pixel-mm", type=float, metavar="MM", help="detector pixel (default: the patient fits)")
    xray.add_argument("--beam", choices=("cone", "parallel"), default="cone")
    xray.add_argument("--sdd", type=float, default=1500.0, metavar="MM", help="source to detector (default 1500)")
    xray.add_argument("--sod", type=float, metavar="MM", help="source to the middle of the patient (default: detector near)")
    xray.add_argument("--kvp", type=float, default=90.0, help="tube voltage, 40 to 150 (default 90)")
    xray.add_argument("--scatter", type=float, default=0.0, metavar="RATIO", help="scatter-to-primary ratio (default 0)")
    xray.add_argument("--photons", type=float, metavar="N", help="quanta per open pixel: adds noise")
    xray.add_argument("--seed", type=int, default=0, metavar="S", help="of noise and grain")
    xray.add_argument("--keep-table", action="store_true", help="leave the CT table in the film")
    xray.add_argument("--plain", action="store_true", help="densities as they are, without dynamic range compression")
    xray.add_argument(
        "--style", default="none", metavar="none|drawn|FILM", help="look of a radiograph: drawn, or of this film"
    )
    xray.add_argument("--style-seed", type=int, default=0, metavar="S", help="which look is drawn")
    xray.add_argument("--no-dicom", action="store_true", help="write no DICOM file")


def _add_synth_train_style(actions: Commands) -> None:
    train = command(actions, "train-style", "train the network that gives computed films the look of radiographs",
                    module="synth_train_style")  # fmt: skip
    train.add_argument("--ct", nargs="+", required=True, metavar="CT", help="CTs to compute films from")
    train.add_argument("--reference", nargs="*", metavar="FILM", help="real films (DICOM, PNG) whose look is learned too")
    train.add_argument("--out", required=True, metavar="DIR", help="weights and what they were made from")
    train.add_argument("--steps", type=int, metavar="N", help="steps (default: those of the shipped weights)")
    train.add_argument("--seed", type=int, default=7, metavar="S")
    _add_generation(actions)


def _add_generation(actions: Commands) -> None:
    """Volumes and films from words."""
    texts = {
        "volume": "spine CT volumes with masks, from words",
        "film": "films of the spine at a view, from words",
    }
    for kind, text in texts.items():
        parser = command(actions, kind, text, module="synth_generate")
        parser.set_defaults(kind=kind)
        parser.add_argument("--prompt", metavar="TEXT", help="such as 'lumbar spine, 30 %% wedge of L1, osteopenia'")
        parser.add_argument("--attributes", metavar="F.json", help="instead of a prompt: what --dry-run prints, edited")
        parser.add_argument("--dry-run", action="store_true", help="print how the prompt is understood and draw nothing")
        parser.add_argument("--count", type=int, metavar="N", help="patients (default: what the prompt says, else 1)")
        parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the first patient (default 0)")
        parser.add_argument("--look", choices=("learned", "procedural"), help="who paints (default: see docs/generation.md)")
        parser.add_argument("--steps", type=int, metavar="N", help="steps of the sampler, 1 to 50")
        parser.add_argument("--weights", metavar="FILE", help="weights of `synth train` instead of the shipped ones")
        parser.add_argument("--out", metavar="DIR", help="write files and the sidecar synthetic.json here")
        if kind == "film":
            parser.add_argument("--checkpoint", metavar="FOLDER", help="draw by a published diffusers checkpoint instead")
        if kind == "volume":
            parser.add_argument("--size", type=int, default=64, metavar="N", help="voxels of 3 mm across (default 64)")
    train = command(actions, "train", "train the film or the volume model again", module="synth_generate")
    train.set_defaults(kind="train")
    train.add_argument("part", choices=("film", "volume"))
    train.add_argument("--data", required=True, metavar="DIR", help="training pictures; made here when they are not there")
    train.add_argument("--out", required=True, metavar="DIR", help="write the weights here")
    train.add_argument("--patients", type=int, default=30, metavar="N", help="patients drawn (default 30)")
    train.add_argument("--seed", type=int, default=1, metavar="S", help="of the patients (default 1)")


def add_image_index(commands: Commands) -> None:
    """Image indexes."""
    index = commands.add_parser("image-index", help="image indexes: make, fill, search; train and run the encoder")
    actions = index.add_subparsers(required=True, metavar="ACTION")
    texts = {
        "create": "make an empty index",
        "add": "add a folder of images, with metadata.csv beside them if there is one",
        "remove": "remove pictures by key",
        "stats": "how much is in it, and whether it is whole",
        "search": "neighbours of an image, of words, or of both together",
        "embed": "write the vectors of a folder or .npz, one row per picture",
        "train": "train an encoder on a folder",
    }
    parsers = {action: command(actions, action, text, module="image_index") for action, text in texts.items()}
    for action, parser in parsers.items():
        parser.set_defaults(action=action)
        if action in ("embed", "train"):
            parser.add_argument("folder", metavar="DIR", help="images, or a .npz in the MedMNIST layout")
        else:
            parser.add_argument("name", metavar="NAME", help="name of the index")
        if action != "train":
            parser.add_argument("--encoder", metavar="FILE|FOLDER|URL",
                                help="another encoder (default: that of the index, else the one that ships)")  # fmt: skip
    parsers["create"].add_argument("--force", action="store_true", help="empty it if it exists")
    parsers["add"].add_argument("folder", metavar="DIR")
    parsers["remove"].add_argument("keys", nargs="+", metavar="KEY")
    search = parsers["search"]
    search.add_argument("image", nargs="?", metavar="IMAGE")
    search.add_argument("--text", metavar="WORDS", help="search by a description, or by the image and it together")
    search.add_argument("--k", type=int, default=5, help="neighbours at most (default 5)")
    search.add_argument("--box", type=float, nargs=4, metavar="SHARE", help="only this part: left top right bottom, 0 to 1")
    parsers["embed"].add_argument("--out", required=True, metavar="E.npy")
    train = parsers["train"]
    train.add_argument("--out", required=True, metavar="FOLDER", help="weights and log; a stopped run goes on here")
    train.add_argument("--config", metavar="C.json", help="recipe (default: the one of the shipped weights)")
    train.add_argument(
        "--objective",
        choices=("separate", "unified"),
        help="separate: films, reports as a help; unified: one encoder of film, text and pair (needs reports)",
    )
    train.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
