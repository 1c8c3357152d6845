export { type AdmissionRequest, decodeAdmissionRequest, signAdmissionRequest } from './admission-request.ts';
export {
  type ChangeJson,
  changeFromJson,
  changeToJson,
  type ValidatorJson,
  validatorToJson,
} from './change-json.ts';
