"""Medical abbreviations in a question, spelled out for the search.

Only abbreviations with one meaning across medicine, or with one that dwarfs the others, are listed: a wrong expansion
finds wrong papers. They count only when written in capitals, as abbreviations are ("AS" is not "as"), and the question's own
words stay, negation among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TABLE = """
AAA=abdominal aortic aneurysm
ACL=anterior cruciate ligament
ACS=acute coronary syndrome
ADHD=attention deficit hyperactivity disorder
AECOPD=acute exacerbation of chronic obstructive pulmonary disease
AKI=acute kidney injury
ALS=amyotrophic lateral sclerosis
AMD=age-related macular degeneration
AMI=acute myocardial infarction
ARDS=acute respiratory distress syndrome
ASD=autism spectrum disorder
BMD=bone mineral density
BMI=body mass index
BPH=benign prostatic hyperplasia
CABG=coronary artery bypass grafting
CAD=coronary artery disease
CBT=cognitive behavioural therapy
CHD=coronary heart disease
CHF=congestive heart failure
CKD=chronic kidney disease
CLL=chronic lymphocytic leukemia
CML=chronic myeloid leukemia
COPD=chronic obstructive pulmonary disease
CPAP=continuous positive airway pressure
CRC=colorectal cancer
CRP=C-reactive protein
CVD=cardiovascular disease
DOAC=direct oral anticoagulant
DVT=deep vein thrombosis
DXA=dual-energy x-ray absorptiometry
ECMO=extracorporeal membrane oxygenation
EGFR=epidermal growth factor receptor
ESRD=end-stage renal disease
GERD=gastroesophageal reflux disease
GFR=glomerular filtration rate
HCC=hepatocellular carcinoma
HCV=hepatitis C virus
HBV=hepatitis B virus
HFREF=heart failure with reduced ejection fraction
HFPEF=heart failure with preserved ejection fraction
HIV=human immunodeficiency virus
HPV=human papillomavirus
HRT=hormone replacement therapy
IBD=inflammatory bowel disease
IBS=irritable bowel syndrome
ICD=implantable cardioverter defibrillator
ICU=intensive care unit
IVF=in vitro fertilization
LBP=low back pain
LDL=low density lipoprotein
LVEF=left ventricular ejection fraction
MDD=major depressive disorder
MRSA=methicillin-resistant Staphylococcus aureus
NAFLD=non-alcoholic fatty liver disease
NICU=neonatal intensive care unit
NSAID=non-steroidal anti-inflammatory drug
NSAIDS=non-steroidal anti-inflammatory drugs
NSCLC=non-small cell lung cancer
OCD=obsessive compulsive disorder
OSA=obstructive sleep apnea
PCI=percutaneous coronary intervention
PCOS=polycystic ovary syndrome
PPI=proton pump inhibitor
PSA=prostate-specific antigen
PTSD=post-traumatic stress disorder
RCT=randomized controlled trial
RSV=respiratory syncytial virus
SCLC=small cell lung cancer
SIDS=sudden infant death syndrome
SLE=systemic lupus erythematosus
SSRI=selective serotonin reuptake inhibitor
STEMI=ST-elevation myocardial infarction
T2DM=type 2 diabetes mellitus
TAVI=transcatheter aortic valve implantation
TAVR=transcatheter aortic valve replacement
TBI=traumatic brain injury
TKA=total knee arthroplasty
TNF=tumor necrosis factor
THA=total hip arthroplasty
UTI=urinary tract infection
VTE=venous thromboembolism
"""
ABBREVIATIONS = dict(line.split("=") for line in _TABLE.strip().splitlines())
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def spelled_out(question: str, known: Callable[[str], bool] = lambda _: False) -> str:
    """What the abbreviations of a question stand for, but of those that are `known`, or spelled out in the question.

    Measured on the development questions, spelling out what the documents abbreviate too makes the ranking worse, so a
    search calls known what a few of its documents say. Empty when there is nothing to add.
    """
    lower = question.lower()
    found = []
    for word in dict.fromkeys(_WORD.findall(question)):
        # HFrEF and the like have small letters inside; three capitals at least tell an abbreviation from a word.
        if sum(letter.isupper() for letter in word) < 3:
            continue
        key = word.upper() if word.upper() in ABBREVIATIONS else word.removesuffix("s").upper()
        meaning = ABBREVIATIONS.get(key)
        if meaning and meaning.lower() not in lower and not known(word):
            found.append(meaning)
    return "; ".join(found)
