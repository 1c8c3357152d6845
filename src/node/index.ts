import type { auditFolder as AuditFolder, AuditSummary } from './admin/audit.ts';
import type { inspectBackup as InspectBackup, restoreNode as RestoreNode } from './admin/backup.ts';
import type { rotateRoot as RotateRoot } from './admin/rotate-root.ts';
import type { NodeConfig } from './config.ts';
import type { changePassphrase as ChangePassphrase } from './folder/change-passphrase.ts';
import type { DataFolder } from './folder/layout.ts';
import type { applyForAdmission as ApplyForAdmission } from './network/apply-for-admission.ts';
import type { initMember as InitMember, joinNetwork as JoinNetwork } from './network/member-folder.ts';
import type { RunningNode } from './start-node.ts';

export type { AuditSummary, NodeFinding } from './admin/audit.ts';
export { DEFAULT_HOST, DEFAULT_ORGANISATION, DEFAULT_PORT, type NodeConfig } from './config.ts';
export { witnessAddresses, witnessKey } from './cosigning/witness-addresses.ts';
export { DEMO_KEYS } from './demo/demo-keys.ts';
export { type FolderDescription, initFolder, isInitialised, isMember } from './folder/init-folder.ts';
export { createKey, createNextKey, type KeyFile, readKeyFile, writeKeyFile } from './folder/key-file.ts';
export { type DataFolder, dataFolder } from './folder/layout.ts';
export type { LogLevel } from './http/log.ts';
export { decodeCard, type NetworkCard } from './network/network-card.ts';
export {
  assembleNetwork,
  decodeNetwork,
  encodeNetwork,
  networkFingerprint,
  SAFE_VALIDATORS,
} from './network/network-file.ts';
export type { RunningNode } from './start-node.ts';
export { createWitness, openWitnessFolder, startWitnessServer, type WatchedLog } from './witness/index.ts';

// What follows loads the FHIR definitions and the engines, which most commands do not need.

/** Starts a node; a folder that is new is made first. */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  return (await import('./start-node.ts')).startNode(config);
}

/** Audits the folder of a stopped node, changing nothing; also one that is too damaged to start. */
export async function auditFolder(...input: Parameters<typeof AuditFolder>): Promise<AuditSummary> {
  return (await import('./admin/audit.ts')).auditFolder(...input);
}

/** Everything that is wrong with a backup, and whose it says it is. */
export async function inspectBackup(
  ...input: Parameters<typeof InspectBackup>
): ReturnType<typeof InspectBackup> {
  return (await import('./admin/backup.ts')).inspectBackup(...input);
}

/** Checks every byte of a backup and restores it as a new data folder. */
export async function restoreNode(...input: Parameters<typeof RestoreNode>): Promise<void> {
  return (await import('./admin/backup.ts')).restoreNode(...input);
}

/** Puts every key file of a stopped node's folder under another passphrase. */
export async function changePassphrase(
  ...input: Parameters<typeof ChangePassphrase>
): ReturnType<typeof ChangePassphrase> {
  return (await import('./folder/change-passphrase.ts')).changePassphrase(...input);
}

/** Puts new keys over the vault of a stopped node. */
export async function rotateRoot(...input: Parameters<typeof RotateRoot>): Promise<DataFolder> {
  return (await import('./admin/rotate-root.ts')).rotateRoot(...input);
}

/** Makes an organisation's keys and its card, with which a network is begun. */
export async function initMember(...input: Parameters<typeof InitMember>): ReturnType<typeof InitMember> {
  return (await import('./network/member-folder.ts')).initMember(...input);
}

/** Asks a member of a network, in the name of the organisation of a folder, to propose it as a member too. */
export async function applyForAdmission(
  ...input: Parameters<typeof ApplyForAdmission>
): Promise<ReturnType<typeof ApplyForAdmission>> {
  return (await import('./network/apply-for-admission.ts')).applyForAdmission(...input);
}

/** Settles that a folder belongs to the network of a file. */
export async function joinNetwork(
  ...input: Parameters<typeof JoinNetwork>
): Promise<ReturnType<typeof JoinNetwork>> {
  return (await import('./network/member-folder.ts')).joinNetwork(...input);
}
