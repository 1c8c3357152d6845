import { defaultCustodianPolicy, isDelegate } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import {
  DEFAULT_LABEL_TABLE,
  type EvidencePorts,
  labelTableWith,
  storedReferences,
  storedRoles,
} from '../../fhir/index.ts';
import type { Vault } from '../../vault/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import type { RegistryView } from '../auth/registry-view.ts';
import type { ConsentView } from '../consents/consent-view.ts';
import type { Freshness } from '../ledger/freshness.ts';

/** Where the gate finds the facts of a decision in a running node. */
export function gatePorts(deps: {
  engine: Engine;
  consents: ConsentView;
  vault: Pick<Vault, 'find' | 'history'>;
  registry: RegistryView;
  custodian: string;
  nowMs: () => number;
  /** The address of the FHIR surface. */
  ownBase: () => string;
  freshness?: Freshness | undefined;
  labelFile?: Uint8Array | undefined;
  breakGlass?: boolean | undefined;
}): EvidencePorts {
  const { engine, consents, registry, ownBase } = deps;
  return {
    policy: { ...defaultCustodianPolicy(deps.custodian), breakGlass: deps.breakGlass ?? true },
    labelTable: deps.labelFile === undefined ? DEFAULT_LABEL_TABLE : labelTableWith(deps.labelFile),
    ownBase,
    activeConsents: (patientId) => consents.activeConsents(patientId),
    async isDelegate(patientId, accountId) {
      const patient = await consents.accountOf(patientId);
      return patient !== undefined && isDelegate(engine.state, bytesOfHex(patient), bytesOfHex(accountId));
    },
    isSuspended: (accountId) => registry.lookUp(accountId)?.status !== 'active',
    ...(deps.freshness !== undefined && { ensureFresh: deps.freshness.ensure }),
    head: () => engine.head(),
    now: deps.nowMs,
    referencesFrom: storedReferences(deps.vault, ownBase),
    rolesOf: storedRoles(deps.vault),
  };
}
