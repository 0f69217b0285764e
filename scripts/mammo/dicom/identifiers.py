"""DICOM elements that may say who a film is of, who made it or where: what an anonymised header does not hold.

Source: PS3.15 (2024b) table E.1-1, Basic Application Level Confidentiality Profile, the elements with the actions D, X
and Z and their combinations, by keyword. Left out: elements of radiotherapy (groups 300x and 301x); UIDs, of which
nobody can see whether they were replaced; PatientSex; elements with a value representation of names, dates or times,
which are looked at by that. Added: application entities of the file meta group (PS3.10 7.1), texts of structured
reports and presentation states, which the table covers by their sequences.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Institutions and places, in elements that are no person names by their value representation.
NAMES = _words(
    """
    CameraOwnerName ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolEthicsCommitteeName
    ClinicalTrialSiteName ClinicalTrialSponsorName HumanPerformerOrganization InstitutionName
    InstitutionalDepartmentName OrderEntererLocation PatientInstitutionResidence RequestingService
    ResponsibleOrganization ScheduledPatientInstitutionResidence VerifyingOrganization
    """
)

# Numbers and addresses of persons, orders, devices.
NUMBERS = _words(
    """
    AccessionNumber AddressTrial AdmissionID BarcodeValue CassetteID
    ClinicalTrialProtocolEthicsCommitteeApprovalNumber ClinicalTrialProtocolID ClinicalTrialSeriesID
    ClinicalTrialSiteID ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ClinicalTrialTimePointID
    ContainerComponentID ContainerIdentifier DestinationAE DetectorID DeviceSerialNumber DistributionAddress
    FillerOrderNumberImagingServiceRequest GPSAltitude GPSDestBearing GPSDestDistance GPSDestLatitude
    GPSDestLongitude GPSLatitude GPSLongitude GantryID GeneratorID
    InstitutionAddress InsurancePlanIdentification InterpretationID IssuerOfAdmissionID
    IssuerOfClinicalTrialProtocolID IssuerOfClinicalTrialSeriesID IssuerOfClinicalTrialSiteID
    IssuerOfClinicalTrialSubjectID IssuerOfClinicalTrialSubjectReadingID IssuerOfClinicalTrialTimePointID
    IssuerOfPatientID IssuerOfServiceEpisodeID LensSerialNumber MedicalRecordLocator ModifyingDeviceID NetworkID
    OrderCallbackPhoneNumber OrderCallbackTelecomInformation OtherPatientIDs PatientAddress PatientID
    PatientTelecomInformation PatientTelephoneNumbers PerformedProcedureStepID PerformedStationAETitle
    PerformedStationName PersonAddress PersonTelecomInformation PersonTelephoneNumbers
    PlacerOrderNumberImagingServiceRequest PlateID ReceivingAE ReceivingApplicationEntityTitle
    ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers RequestedProcedureID RequestingAE ResultsID
    RetrieveAETitle ScheduledProcedureStepID ScheduledStationAETitle ScheduledStationName
    ScheduledStudyLocationAETitle SendingApplicationEntityTitle ServiceEpisodeID SlideIdentifier
    SourceApplicationEntityTitle SpecimenAccessionNumber SpecimenIdentifier StationAETitle StationName StudyID
    TelephoneNumberTrial UniqueDeviceIdentifier XRayDetectorID XRaySourceID
    """
)

# Free text, in which anything may stand, and traits of the patient.
TEXTS = _words(
    """
    AcquisitionComments AcquisitionDeviceProcessingDescription AcquisitionFieldOfViewLabel
    AcquisitionProtocolDescription AdditionalPatientHistory AdmittingDiagnosesDescription Allergies
    AnnotationGroupDescription AnnotationGroupLabel Arbitrary BranchOfService ClinicalTrialProtocolName
    ClinicalTrialSeriesDescription ClinicalTrialTimePointDescription CommentsOnRadiationDose
    CommentsOnThePerformedProcedureStep ConfidentialityConstraintOnPatientDataDescription ContainerDescription
    ContentDescription ContrastBolusAgent ContributionDescription CountryOfResidence CurrentPatientLocation
    DecompositionDescription DerivationDescription DeviceDescription DischargeDiagnosisDescription EthnicGroup
    FilterLookupTableDescription FrameComments IdentifyingComments ImageComments ImagePresentationComments
    ImagingServiceRequestComments Impressions InterpretationDiagnosisDescription InterpretationIDIssuer
    InterpretationText LabelText LensMake LensModel LensSpecification LongDeviceDescription MedicalAlerts
    MilitaryRank ModifiedImageDescription ModifyingSystem MultienergyAcquisitionDescription Occupation
    Originator OverlayComments PatientAge PatientComments PatientReligiousPreference PatientSize PatientState
    PatientTransportArrangements PatientWeight PerformedLocation PerformedProcedureStepDescription PreMedication
    PregnancyStatus ProtocolName ReasonForStudy ReasonForTheAttributeModification
    ReasonForTheImagingServiceRequest ReasonForTheRequestedProcedure ReasonForVisit RegionOfResidence
    RequestedContrastAgent RequestedProcedureComments RequestedProcedureDescription RequestedProcedureLocation
    RequestedSeriesDescription RespiratoryMotionCompensationTechniqueDescription ResultsComments ResultsIDIssuer
    ScheduledProcedureStepDescription ScheduledProcedureStepLocation ScheduledStudyLocation SelectorLOValue
    SelectorLTValue SelectorSHValue SelectorSTValue SelectorUTValue SeriesDescription ServiceEpisodeDescription
    SmokingStatus SourceOfPreviousValues SpecialNeeds SpecimenDetailedDescription SpecimenShortDescription
    StudyComments StudyDescription StudyIDIssuer TextComments TextString TextValue TopicAuthor TopicKeywords
    TopicSubject TopicTitle UnformattedTextValue VisitComments XRayDetectorLabel
    """
)

# Sequences about persons and institutions: every text inside counts.
IDENTITY_SEQUENCES = _words(
    """
    AuthorObserverSequence ConsultingPhysicianIdentificationSequence ContentCreatorIdentificationCodeSequence
    CustodialOrganizationSequence InstitutionCodeSequence InstitutionalDepartmentTypeCodeSequence
    IntendedRecipientsOfResultsIdentificationSequence IssuerOfAdmissionIDSequence OperatorIdentificationSequence
    OtherPatientIDsSequence ParticipantSequence PatientInsurancePlanCodeSequence
    PerformingPhysicianIdentificationSequence PersonIdentificationCodeSequence
    PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence
    ReferringPhysicianIdentificationSequence VerifyingObserverIdentificationCodeSequence VerifyingObserverSequence
    """
)

# Pictures and documents inside the header, which are not looked into.
PICTURES = frozenset({"EncapsulatedDocument", "IconImageSequence", "ReferencedPatientPhotoSequence"})
