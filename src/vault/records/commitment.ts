/** Whoever checks a receipt computes it too, without a vault. */
export { recordCommitment } from '../../shared/index.ts';
