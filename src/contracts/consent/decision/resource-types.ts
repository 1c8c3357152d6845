/** The resource types of FHIR R4 (4.0.1), and who owns what they say. A type on no list below is treated as a patient's. */

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== '');

const RESOURCE_TYPES: ReadonlySet<string> = new Set(
  words(`
  Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent
  Basic Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam
  CatalogEntry ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem
  Communication CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent
  Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device
  DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest
  DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest EnrollmentResponse
  EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
  FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy
  Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice
  Library Linkage List Location Measure MeasureReport Media Medication MedicationAdministration
  MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement MedicinalProduct
  MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication
  MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
  MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect
  MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder Observation
  ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation
  Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner
  PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup
  ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment
  RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition
  StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer
  SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification
  SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript ValueSet
  VerificationResult VisionPrescription
`),
);

/** R4 CompartmentDefinition/patient: types with a parameter that can name the patient. */
const PATIENT_COMPARTMENT_TYPES: ReadonlySet<string> = new Set(
  words(`
  Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic BodyStructure
  CarePlan CareTeam ChargeItem Claim ClaimResponse ClinicalImpression Communication CommunicationRequest
  Composition Condition Consent Coverage CoverageEligibilityRequest CoverageEligibilityResponse
  DetectedIssue DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference
  Encounter EnrollmentRequest EpisodeOfCare ExplanationOfBenefit FamilyMemberHistory Flag Goal Group
  ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation Invoice List MeasureReport
  Media MedicationAdministration MedicationDispense MedicationRequest MedicationStatement MolecularSequence
  NutritionOrder Observation Patient Person Procedure Provenance QuestionnaireResponse RelatedPerson
  RequestGroup ResearchSubject RiskAssessment Schedule ServiceRequest Specimen SupplyDelivery SupplyRequest
  Task VisionPrescription
`),
);

/** What a party of another organisation may look up: who and where, and the terminology both sides need to talk. */
const DIRECTORY_TYPES: ReadonlySet<string> = new Set(
  words(`
  CapabilityStatement CodeSystem CompartmentDefinition ConceptMap Endpoint HealthcareService ImplementationGuide
  InsurancePlan Location NamingSystem OperationDefinition Organization OrganizationAffiliation Practitioner
  PractitionerRole SearchParameter StructureDefinition TerminologyCapabilities ValueSet
`),
);

/** Knowledge, definitions and catalogues: never about one patient. */
const KNOWLEDGE_TYPES: ReadonlySet<string> = new Set(
  words(`
  ActivityDefinition CatalogEntry ChargeItemDefinition DeviceDefinition EffectEvidenceSynthesis EventDefinition Evidence
  EvidenceVariable ExampleScenario GraphDefinition Library Measure Medication MedicationKnowledge MedicinalProduct
  MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient
  MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical
  MedicinalProductUndesirableEffect MessageDefinition ObservationDefinition PlanDefinition Questionnaire
  ResearchDefinition ResearchElementDefinition ResearchStudy RiskEvidenceSynthesis SpecimenDefinition StructureMap
  Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
  SubstanceSpecification TestReport TestScript
`),
);

/** Types that are documents, to which a document code in `provision.class` can apply. */
const DOCUMENT_TYPES: ReadonlySet<string> = new Set(['Composition', 'DocumentManifest', 'DocumentReference']);

/** Whether the name is a concrete resource type of R4. */
export const isResourceType = (type: string): boolean => RESOURCE_TYPES.has(type);

/** Whether a type can be in a patient's compartment. */
export const isPatientCompartmentType = (type: string): boolean => PATIENT_COMPARTMENT_TYPES.has(type);

/** Whether any registered party may look the type up. */
export const isDirectoryType = (type: string): boolean => DIRECTORY_TYPES.has(type);

/** Whether the type never speaks about one patient, so that every party of the custodian may read it. */
export const isSharedType = (type: string): boolean => DIRECTORY_TYPES.has(type) || KNOWLEDGE_TYPES.has(type);

/** Whether a document code in `provision.class` can apply to the type. */
export const isDocumentType = (type: string): boolean => DOCUMENT_TYPES.has(type);
