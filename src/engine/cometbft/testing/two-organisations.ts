import {
  encodeAnchorAccessLog,
  encodeRegistration,
  encodeRevokeConsent,
  provePossession,
} from '../../../contracts/index.ts';
import { chainIdOf } from '../../../ledger/index.ts';
import {
  type SampleChain,
  type SampleSigner,
  sampleBytes,
  sampleChain,
  sampleSigner,
  signedAction,
} from '../../sample-chain.ts';

/** A chain of two members: as the custodian has it, and as the other member has it. */
export function twoOrganisations(seed = 1): { readonly chain: SampleChain; readonly other: SampleChain } {
  const one = sampleChain(seed);
  const custodian = sampleSigner(seed, 'other member');
  const genesis = { ...one.genesis, organisationKeys: [one.custodian.publicKey, custodian.publicKey] };
  const chain = { ...one, genesis, chainId: chainIdOf(genesis) };
  return { chain, other: { ...chain, custodian } };
}

/** The chain's custodian registers the device of that name. */
export function deviceRegistration(chain: SampleChain, seed: number, name: string): Uint8Array {
  const { publicKey } = sampleSigner(seed, name);
  const { chainId, custodian } = chain;
  const possessionProof = provePossession(chainId, custodian.accountId, publicKey, sampleBytes(seed, name));
  const registration = encodeRegistration({ publicKey, possessionProof, roles: [] });
  return signedAction(chain, custodian, 'register-device', [registration]);
}

/** An anchor of the chain's custodian. */
export function accessAnchor(chain: SampleChain): Uint8Array {
  const payload = encodeAnchorAccessLog({
    logSize: 1,
    logRoot: sampleBytes(1, 'log'),
    nonce: new Uint8Array(16),
  });
  return signedAction(chain, chain.custodian, 'anchor-access-log', [payload]);
}

/** Admission lets it in; where there is no such consent, or it is another's, the contract refuses it. */
export function consentRevocation(
  chain: SampleChain,
  signer: SampleSigner,
  consentId: Uint8Array,
): Uint8Array {
  const payload = encodeRevokeConsent({ consentId, expectedVersion: 1 });
  return signedAction(chain, signer, 'revoke-consent', [payload]);
}
