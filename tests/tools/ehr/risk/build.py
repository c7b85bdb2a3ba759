"""Small invented cohorts in the layouts of the real sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tools.ehr.risk.datasets import Sample, read_folder, sample
from tools.ehr.risk.fingerprint import marks_of
from tools.ehr.risk.model import Model, train
from tools.ehr.risk.tasks import Recipe, Task, load_task

SMALL = Recipe(rounds=40, leaves=4, rate=0.1, columns=0.5, min_leaf=10, network=1, epochs=3)


def write_2012(folder: Path, stays: int = 360, first: int = 900001, seed: int = 0) -> Path:
    """Stays whose risk rises with a falling GCS and a rising urea; about a third die."""
    random = np.random.default_rng(seed)
    (folder / "set-z").mkdir(parents=True)
    outcomes = ["RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death"]
    for number in range(first, first + stays):
        ill = random.normal()
        lines = ["Time,Parameter,Value", f"00:00,RecordID,{number}", f"00:00,Age,{int(random.uniform(20, 90))}"]
        lines += [f"00:00,Gender,{number % 2}", "00:00,Height,-1", f"00:00,ICUType,{number % 4 + 1}"]
        for hour in range(0, 48, 4):
            lines += [
                f"{hour:02}:10,HR,{90 + random.normal(0, 8):.0f}",
                f"{hour:02}:20,GCS,{np.clip(round(11 - 3 * ill + random.normal(0, 1)), 3, 15)}",
                f"{hour:02}:30,NISysABP,{120 + random.normal(0, 10):.0f}",
                f"{hour:02}:40,Temp,{37 + random.normal(0, 0.4):.1f}",
            ]
        for hour in (2, 20, 40):
            lines += [f"{hour:02}:00,BUN,{max(4, 30 + 12 * ill + random.normal(0, 4)):.0f}", f"{hour:02}:00,Na,138"]
            lines += [f"{hour:02}:00,K,{4.2 + random.normal(0, 0.3):.1f}", f"{hour:02}:00,WBC,{10 + random.normal():.1f}"]
        (folder / "set-z" / f"{number}.txt").write_text("\n".join(lines) + "\n")
        died = random.uniform() < 1 / (1 + np.exp(1.2 - 2 * ill))
        days = 9 if ill > 0 else 5
        outcomes.append(f"{number},10,4,{days},{days if died else -1},{int(died)}")
    (folder / "Outcomes-z.txt").write_text("\n".join(outcomes) + "\n")
    return folder


def small_task(name: str = "icu_death") -> Task:
    return load_task(name).model_copy(update={"recipe": SMALL})


def small_sample(folder: Path) -> Sample:
    return sample(small_task(), read_folder(folder))


def small_model(part: Sample) -> Model:
    marks = marks_of(part.cohort.events, part.rows.subject)
    return train(part.task.name, part.table, part.y, part.age, part.rows.patient, SMALL, marks)
