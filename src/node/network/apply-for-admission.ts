import { type AdmissionRequest, signAdmissionRequest } from '../../client/index.ts';
import type { Role } from '../../contracts/index.ts';
import { reopenPrepared } from '../folder/init-folder.ts';

export interface AdmissionOptions {
  /** The data folder of the organisation that wants to become a member. */
  path: string;
  passphrase: string | undefined;
  chainId: Uint8Array;
  /** The account of the member that is to propose it. */
  proposer: Uint8Array;
  roles: readonly Role[];
}

/** A request that is signed with the key of the folder's organisation, which stays in the folder. */
export function applyForAdmission({ path, passphrase, ...request }: AdmissionOptions): AdmissionRequest {
  const { keys } = reopenPrepared(path, passphrase);
  return signAdmissionRequest(keys.custodianSeed, request);
}
