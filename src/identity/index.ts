export { derivePatientKey, deriveSealingKey } from './derive.ts';
export { accountIdOf, type PublicKey, type PublicKeyError, parsePublicKey } from './public-key.ts';
export {
  isWellFormedSignature,
  publicKeyOf,
  signMessage,
  verifyPortably,
  verifySignature,
} from './signature.ts';
