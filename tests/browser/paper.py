"""A paper of our own words as a PDF, so that no publisher's page is copied into a picture of the docs. It says that it is invented."""

from __future__ import annotations

from pathlib import Path

from fpdf import FPDF

TITLE = "Kestrel bone cement against plain cement in sheep vertebrae"
PARTS = (
    (
        "Summary",
        "Kestrel bone cement was compared with plain cement in forty sheep vertebrae. "
        "After twelve weeks the Kestrel group had kept more of its anterior height. "
        "No leak of cement into the canal was seen in either group.",
    ),
    (
        "Methods",
        "Twenty sheep had a wedge cut into two lumbar vertebrae each. One of the two was filled with Kestrel cement and the "
        "other with plain cement, by lot. Heights were measured on lateral radiographs by two readers who did not know "
        "which cement was used.",
    ),
    (
        "Results",
        "Height was measured in all forty vertebrae at twelve weeks. "
        "The difference in anterior height between Kestrel cement and plain cement was 1.9 mm, with a 95 % interval from "
        "0.7 to 3.1 mm. Three vertebrae of the plain group lost more than a fifth of their height; none of the Kestrel "
        "group did. The readers differed by 0.4 mm on average.",
    ),
    (
        "What this shows not",
        "Sheep walk on four legs, and their vertebrae bear load along another axis than ours. Twelve weeks are short. "
        "This paper is invented: there is no such cement. It shows how a quoted sentence is boxed on its page.",
    ),
)
QUESTION = "What is known about the difference in anterior height between Kestrel cement and plain cement?"
QUOTE = "The difference in anterior height between Kestrel cement and plain cement was 1.9 mm"


def write_paper(path: Path) -> Path:
    """Two pages; what is asked for stands on the second."""
    pdf = FPDF(format="A4")
    pdf.set_margin(24)
    pdf.set_title(TITLE)
    pdf.add_page()
    pdf.set_font("Times", "B", 20)
    pdf.multi_cell(0, 9, TITLE, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Times", "I", 11)
    pdf.cell(0, 12, "An invented paper, for showing how quotes are followed", new_x="LMARGIN", new_y="NEXT")
    for place, (heading, words) in enumerate(PARTS):
        if place == 2:
            pdf.add_page()
        pdf.set_font("Helvetica", "B", 12)
        pdf.cell(0, 11, heading, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Times", "", 12)
        pdf.multi_cell(0, 6.2, words, align="J", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)
    pdf.output(str(path))
    return path
