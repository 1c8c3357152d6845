import type { PartsOfNode } from './runtime.ts';

/** What an operator watches beside requests: the ledger's head, anchoring, queues, memory. */
export function addNodeGauges({
  metrics,
  engine,
  vault,
  sessions,
  recordAnchor,
  accessAnchor,
  cosigner,
  lostPatients,
}: PartsOfNode<
  'metrics' | 'engine' | 'vault' | 'sessions' | 'recordAnchor' | 'accessAnchor' | 'cosigner' | 'lostPatients'
>): void {
  const gauges: [name: string, help: string, read: () => number][] = [
    ['careledger_ledger_height', 'Height of the ledger.', () => engine.head().height],
    ['careledger_ledger_transactions', 'Transactions in the history log.', () => engine.head().logSize],
    ['careledger_access_log_entries', 'Entries in the access log.', () => vault.accessLog.size],
    [
      'careledger_access_anchor_lag_seconds',
      'How long the oldest entry without an anchor has waited.',
      () => accessAnchor.lagMs() / 1000,
    ],
    [
      'careledger_records_waiting',
      'Record versions that wait for their transaction.',
      () => recordAnchor.waiting,
    ],
    [
      'careledger_records_left_over',
      'Record versions that are stored and that the ledger did not take; they are tried again.',
      () => recordAnchor.leftOver,
    ],
    [
      'careledger_lost_patients',
      'Pseudonyms with a consent whose patient the vault has lost; while there are any, all patients without a wallet here are closed.',
      () => lostPatients.size,
    ],
    ['careledger_witnesses', 'Witnesses that are asked to cosign.', () => cosigner.status().configured],
    [
      'careledger_witnesses_signed',
      'Witnesses that signed the newest cosigned head.',
      () => cosigner.status().signed,
    ],
    [
      'careledger_witness_cosigned_height',
      'Height of the newest cosigned head; 0 when there is none.',
      () => cosigner.status().height ?? 0,
    ],
    [
      'careledger_witness_cosigned_age_seconds',
      'How long ago it was cosigned; -1 when there is none.',
      () => cosigner.status().ageSeconds ?? -1,
    ],
    ['careledger_sessions', 'Sessions that are open.', () => sessions.size],
    ['process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()],
    ['process_uptime_seconds', 'Time since the start.', () => Math.round(process.uptime())],
  ];
  for (const [name, help, read] of gauges) metrics.gauge({ name, help, read });
}
