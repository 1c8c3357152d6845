import type { BlockId, CommitSignature, LightBlock } from '../../src/ledger/index.ts';
import { validatorAddress } from '../../src/ledger/index.ts';
import { toBase64, toHex } from '../../src/shared/index.ts';

const FLAGS = { absent: 1, commit: 2, nil: 3 } as const;
const NANOSECONDS = 1_000_000_000n;
const NO_TIME = '0001-01-01T00:00:00Z';

/** A light block as CometBFT's RPC would answer it, also one that was tampered with. */
export function rpcForm({ header, commit, validators }: LightBlock): unknown {
  return {
    signed_header: {
      header: {
        version: { block: String(header.version.block), app: String(header.version.app) },
        chain_id: header.chainName,
        height: String(header.height),
        time: timeText(header.timeNs),
        last_block_id: blockIdForm(header.lastBlockId),
        last_commit_hash: hex(header.lastCommitHash),
        data_hash: hex(header.dataHash),
        validators_hash: hex(header.validatorsHash),
        next_validators_hash: hex(header.nextValidatorsHash),
        consensus_hash: hex(header.consensusHash),
        app_hash: hex(header.appHash),
        last_results_hash: hex(header.lastResultsHash),
        evidence_hash: hex(header.evidenceHash),
        proposer_address: hex(header.proposerAddress),
      },
      commit: {
        height: String(commit.height),
        round: commit.round,
        block_id: blockIdForm(commit.blockId),
        signatures: commit.signatures.map(signatureForm),
      },
    },
    validators: validators.map(({ publicKey, power }) => ({
      address: hex(validatorAddress(publicKey)),
      pub_key: { type: 'tendermint/PubKeyEd25519', value: toBase64(publicKey) },
      voting_power: String(power),
      proposer_priority: '0',
    })),
  };
}

function signatureForm(one: CommitSignature): unknown {
  if (one.vote === 'absent')
    return { block_id_flag: FLAGS.absent, validator_address: '', timestamp: NO_TIME, signature: null };
  return {
    block_id_flag: FLAGS[one.vote],
    validator_address: hex(one.address),
    timestamp: timeText(one.timeNs),
    signature: toBase64(one.signature),
  };
}

function blockIdForm({ hash, parts }: BlockId): unknown {
  return { hash: hex(hash), parts: { total: parts.total, hash: hex(parts.hash) } };
}

function hex(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}

function timeText(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / NANOSECONDS) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(timeNs % NANOSECONDS).padStart(9, '0')}Z`;
}
