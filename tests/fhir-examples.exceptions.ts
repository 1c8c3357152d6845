/** Why an official example is refused: a rule of R4 that it breaks, as the outcome's text names it. */
export type Exception = { readonly place: string; readonly text: RegExp; readonly why: string };

function exception(place: string, text: RegExp, why: string): Exception {
  return { place, text, why };
}

const noBase = exception(
  'SearchParameter.base',
  /^Missing required property$/,
  'leaves out `base`, which R4 requires (1..*)',
);
const noName = exception(
  'ImplementationGuide.name',
  /^Missing required property$/,
  'leaves out `name`, which R4 requires (1..1)',
);
const noBaseDefinition = exception(
  'StructureDefinition',
  /sdf-4/,
  'breaks sdf-4: a structure that is not abstract has a baseDefinition',
);
const spacedCode = /^Invalid code format$/;
const SPACED = 'has a code with spaces that R4 does not allow (code: [^\\s]+(\\s[^\\s]+)*)';

/** Every one of the 5,306 official R4 examples that is refused, where and why; all others are taken and read back equal. */
export const EXCEPTIONS: Readonly<Record<string, Exception>> = {
  'Bundle-dataelements.json': exception('Bundle', /bdl-7/, 'breaks bdl-7: two entries with one fullUrl'),
  'Bundle-v2-valuesets.json': exception('Bundle.entry[814].resource.concept[74].code', spacedCode, SPACED),
  'CodeSystem-v2-0550.json': exception('CodeSystem.concept[74].code', spacedCode, SPACED),
  'ImplementationGuide-fhir.json': noName,
  'Questionnaire-qs1.json': exception(
    'Questionnaire.item[0].item[0].linkId',
    /^Missing required property$/,
    'leaves out `linkId`, which R4 requires (1..1)',
  ),
  'SearchParameter-codesystem-extensions-CodeSystem-author.json': noBase,
  'SearchParameter-codesystem-extensions-CodeSystem-effective.json': noBase,
  'SearchParameter-codesystem-extensions-CodeSystem-end.json': noBase,
  'SearchParameter-codesystem-extensions-CodeSystem-keyword.json': noBase,
  'SearchParameter-codesystem-extensions-CodeSystem-workflow.json': noBase,
  'SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json': exception(
    'SearchParameter.id',
    /^An id has 1 to 64/,
    'has an id of more than 64 characters (id: [A-Za-z0-9\\-\\.]{1,64})',
  ),
  'SearchParameter-valueset-extensions-ValueSet-author.json': noBase,
  'SearchParameter-valueset-extensions-ValueSet-effective.json': noBase,
  'SearchParameter-valueset-extensions-ValueSet-end.json': noBase,
  'SearchParameter-valueset-extensions-ValueSet-keyword.json': noBase,
  'SearchParameter-valueset-extensions-ValueSet-workflow.json': noBase,
  'StructureDefinition-Definition.json': noBaseDefinition,
  'StructureDefinition-Event.json': noBaseDefinition,
  'StructureDefinition-FiveWs.json': noBaseDefinition,
  'StructureDefinition-Request.json': noBaseDefinition,
  'ig-r4.json': noName,
};
