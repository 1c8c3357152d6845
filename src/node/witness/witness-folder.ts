import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { publicKeyOf } from '../../identity/index.ts';
import { createKey, readKeyFile, writeKeyFile } from '../folder/key-file.ts';
import { damaged, initWitnessState } from './witness-state.ts';

/** What a witness keeps: its key, and the memory of what it cosigned. */
export interface WitnessFolder {
  readonly seed: Uint8Array;
  readonly stateFile: string;
}

/** Opens the folder of a witness, or makes a new one: key and memory begin together, and neither does without the other. */
export function openWitnessFolder(path: string): WitnessFolder {
  const keyFile = join(path, 'witness.key.json');
  const stateFile = join(path, 'witness.db');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (!existsSync(keyFile)) return makeWitness(keyFile, stateFile);
  const { seed } = readKeyFile(keyFile);
  if (!existsSync(stateFile)) throw damaged(stateFile);
  return { seed, stateFile };
}

function makeWitness(keyFile: string, stateFile: string): WitnessFolder {
  const key = createKey('witness');
  initWitnessState(stateFile, publicKeyOf(key.seed));
  writeKeyFile(keyFile, key);
  return { seed: key.seed, stateFile };
}
