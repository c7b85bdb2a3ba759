"""DICOM headers without identifiers, after the Basic Application Level Confidentiality Profile (PS3.15 Annex E, table E.1-1).

Names, numbers, places, devices, institutions and comments are removed or emptied, UIDs replaced by keyed ones that still join,
private elements and curves dropped, descriptions and other free text read by the finder, dates moved by whole weeks (Retain
Longitudinal Temporal Information With Modified Dates, 113107). Text burned into the pixels is found and blanked (`burned_in.py`).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ConsiliumError, FileError, TooLarge
from core.types import Frozen
from tools.text.deidentify.burned_in import Region, blank, text_regions
from tools.text.deidentify.find import find_identifiers
from tools.text.deidentify.mapping import Mapping

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

_REMOVED = frozenset(
    "AccessionNumber AcquisitionComments AcquisitionFieldOfViewLabel ActualHumanPerformersSequence AdditionalPatientHistory AdmissionID "
    "AdmittingDate AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription AdmittingTime AffectedSOPInstanceUID Allergies "
    "AuthorObserverSequence AttributeModificationDateTime BranchOfService BurnedInAnnotation CassetteID CommentsOnThePerformedProcedureStep "
    "ConfidentialityConstraintOnPatientDataDescription ContentCreatorName ContentCreatorIdentificationCodeSequence "
    "ContributingEquipmentSequence ContributionDescription CountryOfResidence CurrentPatientLocation CustodialOrganizationSequence "
    "DataSetTrailingPadding DerivationDescription DetectorID DeviceSerialNumber DeviceUID DeviceDescription DigitalSignaturesSequence "
    "DischargeDiagnosisDescription DistributionAddress DistributionName EthnicGroup EthnicGroups FillerOrderNumberImagingServiceRequest "
    "FrameComments GantryID GeneratorID GraphicAnnotationSequence HumanPerformerName HumanPerformerOrganization IconImageSequence "
    "IdentifyingComments ImageComments ImagePresentationComments ImagingServiceRequestComments Impressions "
    "InstitutionAddress InstitutionCodeSequence InstitutionName InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence "
    "InsurancePlanIdentification IntendedRecipientsOfResultsIdentificationSequence InterpretationApproverSequence InterpretationAuthor "
    "InterpretationDiagnosisDescription InterpretationIDIssuer InterpretationRecorder InterpretationText InterpretationTranscriber "
    "IssuerOfAdmissionID IssuerOfAdmissionIDSequence IssuerOfPatientID IssuerOfPatientIDQualifiersSequence IssuerOfServiceEpisodeID "
    "LastMenstrualDate MAC MedicalAlerts MedicalRecordLocator MilitaryRank ModifiedAttributesSequence ModifiedImageDescription "
    "ModifyingDeviceID ModifyingDeviceManufacturer ModifyingSystem NameOfPhysiciansReadingStudy NamesOfIntendedRecipientsOfResults "
    "Occupation OperatorIdentificationSequence OperatorsName OrderCallbackPhoneNumber OrderCallbackTelecomInformation OrderEnteredBy "
    "OrderEntererLocation OriginalAttributesSequence OtherPatientIDs OtherPatientIDsSequence OtherPatientNames ParticipantSequence "
    "PatientAddress PatientAlternativeCalendar PatientBirthDateInAlternativeCalendar PatientBirthName PatientBirthTime PatientComments "
    "PatientDeathDateInAlternativeCalendar PatientInstitutionResidence PatientInsurancePlanCodeSequence PatientMotherBirthName "
    "PatientPrimaryLanguageCodeSequence PatientReligiousPreference PatientState PatientTelecomInformation PatientTelephoneNumbers "
    "PatientTransportArrangements PerformedLocation PerformedProcedureStepID PerformedStationAETitle PerformedStationGeographicLocationCodeSequence "
    "PerformedStationName PerformedStationNameCodeSequence PerformingPhysicianIdentificationSequence PerformingPhysicianName "
    "PersonAddress PersonIdentificationCodeSequence PersonName PersonTelecomInformation PersonTelephoneNumbers PhysicianApprovingInterpretation "
    "PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence PlacerOrderNumberImagingServiceRequest "
    "PlateID PreMedication ProtocolName ReasonForTheImagingServiceRequest ReasonForStudy ReferencedPatientAliasSequence "
    "ReferencedPatientPhotoSequence ReferencedPatientSequence ReferringPhysicianAddress ReferringPhysicianIdentificationSequence "
    "ReferringPhysicianTelephoneNumbers RegionOfResidence RequestAttributesSequence RequestedContrastAgent RequestedProcedureComments "
    "RequestedProcedureID RequestedProcedureLocation RequestingPhysician RequestingPhysicianIdentificationSequence RequestingService "
    "ResponsibleOrganization ResponsiblePerson ResultsComments ResultsDistributionListSequence ResultsIDIssuer ReviewerName "
    "ScheduledHumanPerformersSequence ScheduledPatientInstitutionResidence ScheduledPerformingPhysicianIdentificationSequence "
    "ScheduledPerformingPhysicianName ScheduledProcedureStepLocation ScheduledStationAETitle ScheduledStationGeographicLocationCodeSequence "
    "ScheduledStationName ScheduledStationNameCodeSequence ScheduledStudyLocation ScheduledStudyLocationAETitle ServiceEpisodeDescription "
    "ServiceEpisodeID SourceSerialNumber SpecialNeeds StationName StudyIDIssuer TextComments TextString TimezoneOffsetFromUTC "
    "TopicAuthor TopicKeywords TopicSubject TopicTitle UDISequence UniqueDeviceIdentifier UniqueDeviceIdentifierSequence VerifyingOrganization "
    "VisitComments VerifyingObserverIdentificationCodeSequence XRaySourceID DeviceLabel DeviceAlternateIdentifier LongDeviceDescription".split()
)
_EMPTIED = frozenset(
    "PatientName PatientID PatientBirthDate ReferringPhysicianName StudyID VerifyingObserverName ConsultingPhysicianName "
    "FillerOrderNumberImagingServiceProcedure PlacerOrderNumberImagingServiceProcedure".split()
)
_KEPT_UIDS = frozenset(
    "SOPClassUID MediaStorageSOPClassUID TransferSyntaxUID ReferencedSOPClassUID ImplementationClassUID CodingSchemeUID "
    "ContextUID MappingResourceUID SOPClassesInStudy".split()
)
_FREE_TEXT = ("LO", "LT", "SH", "ST", "UC", "UT")
_OLDEST = 89


class DicomDeidentified(Frozen):
    """How many elements were changed, and where text was blanked: frame, top, left, height, width."""

    changed: int
    regions: tuple[tuple[int, int, int, int, int], ...]


@dataclass
class _Header:
    mapping: Mapping
    key: bytes
    changed: int = 0

    def clean(self, dataset: Dataset) -> None:
        """Change a data set and its sequences in place."""
        dataset.remove_private_tags()
        for element in list(dataset):
            if element.tag.group & 0xFF00 in (0x5000, 0x6000):
                del dataset[element.tag]
                self.changed += 1
            elif element.VR == "SQ" and element.keyword not in _REMOVED:
                for item in element.value:
                    self.clean(item)
            else:
                self._element(dataset, element.tag, element.keyword, element.VR)

    def _element(self, dataset: Dataset, tag: BaseTag, keyword: str, representation: str) -> None:
        element = dataset[tag]
        before = element.value
        if keyword in _REMOVED:
            del dataset[tag]
            self.changed += 1
            return
        if keyword in _EMPTIED or representation == "PN":
            element.value = self._stand_in(keyword, str(before))
        elif representation == "UI" and keyword not in _KEPT_UIDS:
            element.value = [self._uid(uid) for uid in before] if element.VM > 1 else self._uid(str(before))
        elif representation in ("DA", "DT") and before:
            element.value = [self._day(str(v)) for v in before] if element.VM > 1 else self._day(str(before))
        elif keyword == "PatientAge":
            element.value = _age(str(before))
        elif representation in _FREE_TEXT and before:
            element.value = [self._text(str(v)) for v in before] if element.VM > 1 else self._text(str(before))
        elif representation in ("AE", "UR"):
            element.value = ""
        self.changed += element.value != before

    def _stand_in(self, keyword: str, value: str) -> str:
        if not value:
            return ""
        if keyword == "PatientName":
            return self.mapping.placeholder("NAME", value).strip("[]")
        if keyword == "PatientID":
            return self.mapping.placeholder("MRN", value).strip("[]")
        return ""

    def _uid(self, uid: str) -> str:
        if not uid:
            return uid
        number = int.from_bytes(hmac.new(self.key, uid.encode(), hashlib.sha256).digest()[:16], "big")
        return f"2.25.{number}"

    def _day(self, value: str) -> str:
        if len(value) < 8 or not value[:8].isdigit():
            return ""
        day = self.mapping.shift_date(f"{value[:4]}-{value[4:6]}-{value[6:8]}")
        return day.replace("-", "") + value[8:] if len(day) == 10 else ""

    def _text(self, text: str) -> str:
        return self.mapping.replace(text, find_identifiers(text))


def deidentify_dicom(path: Path, out: Path, mapping: Mapping, key: bytes) -> DicomDeidentified:
    """Write a file without identifiers.

    Raises:
        FileError: it is no DICOM, an element is damaged, or its pixels cannot be decoded and so cannot be searched for text.
    """
    try:
        return _deidentified(path, out, mapping, key)
    except ConsiliumError:
        raise
    except MemoryError as error:  # a damaged length claims more than there is
        out.unlink(missing_ok=True)
        raise TooLarge("An element of the DICOM file claims more memory than may be used; nothing was written.") from error
    except Exception as error:  # converters and decoders raise whatever they like
        out.unlink(missing_ok=True)
        raise FileError(f"The DICOM file is damaged ({type(error).__name__}); nothing was written.") from error


def _deidentified(path: Path, out: Path, mapping: Mapping, key: bytes) -> DicomDeidentified:
    import pydicom
    from pydicom.dataset import Dataset

    dataset = pydicom.dcmread(path, force=True)
    if not len(dataset):
        raise FileError("The file is no DICOM: it holds no element.")
    regions = _clean_pixels(dataset) if "PixelData" in dataset else []
    header = _Header(mapping, key)
    header.clean(dataset)
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    dataset.BurnedInAnnotation = "NO"
    codes = [("113100", "Basic Application Confidentiality Profile"), ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"), ("113105", "Clean Descriptors Option"), ("113101", "Clean Pixel Data Option")]  # fmt: skip
    items = []
    for code, meaning in codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
        items.append(item)
    dataset.DeidentificationMethodCodeSequence = items
    if getattr(dataset, "file_meta", None) is not None:
        for keyword in (
            "SourceApplicationEntityTitle",
            "SendingApplicationEntityTitle",
            "ReceivingApplicationEntityTitle",
            "PrivateInformation",
            "PrivateInformationCreatorUID",
        ):
            if keyword in dataset.file_meta:
                del dataset.file_meta[keyword]
        if "SOPInstanceUID" in dataset:
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = b"\0" * 128
    dataset.save_as(out, enforce_file_format="file_meta" in dataset.__dict__ and "TransferSyntaxUID" in dataset.file_meta)
    told = tuple((frame, r.top, r.left, r.height, r.width) for frame, r in regions)
    return DicomDeidentified(changed=header.changed, regions=told)


def _clean_pixels(dataset: Dataset) -> list[tuple[int, Region]]:
    try:
        pixels = np.array(dataset.pixel_array)
    except Exception as error:  # decoders raise whatever they like
        raise FileError(
            f"The pixels cannot be decoded ({type(error).__name__}), so text burned into them cannot be found; the file was not written."
        ) from error
    colour = int(dataset.get("SamplesPerPixel", 1)) > 1
    frames = pixels if pixels.ndim == (4 if colour else 3) else pixels[None]
    found: list[tuple[int, Region]] = []
    for number, frame in enumerate(frames):
        grey = frame.astype(np.float32).mean(axis=-1) if colour else frame.astype(np.float32)
        regions = text_regions(grey)
        found += [(number, region) for region in regions]
        blank(frame, regions)
    if found:
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            dataset.decompress()
        dataset.PixelData = (frames if pixels.ndim == frames.ndim else frames[0]).tobytes()
    return found


def _age(value: str) -> str:
    digits = value[:3]
    return "090Y" if value.endswith("Y") and digits.isdigit() and int(digits) > _OLDEST else value
