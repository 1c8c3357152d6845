import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importBundle } from '../admin/import.ts';
import type { NodeConfig } from '../config.ts';
import type { NodeRuntime } from '../runtime.ts';
import { createDemoParties } from './demo-parties.ts';

const SAMPLES = fileURLToPath(new URL('../../../samples/', import.meta.url));
/** Set in the vault, so that a backup has it: the folder of the keys is in none. */
const DONE = 'samples-loaded';
/** What folders had in its place, among the keys. */
const FORMER_DONE = 'ready';

/**
 * On the first start of a folder that is to have them: loads the sample patients and makes the demo keys. A start that was
 * interrupted here is made good by the next: the marker is written last, and loading again changes nothing. A folder that was
 * restored gets neither again.
 */
export async function seedSamples(runtime: NodeRuntime, config: NodeConfig): Promise<void> {
  const { folder, description } = runtime.opened;
  const { settings } = runtime.vault;
  if (!description.withSamples || (await settings.get(DONE)) !== undefined) return;
  if (existsSync(join(folder.demo, FORMER_DONE))) return settings.set(DONE, new Uint8Array(0));
  for (const name of readdirSync(SAMPLES).filter((file) => file.endsWith('.json'))) {
    config.onProgress?.(`Loading the sample patient ${name.replace('.json', '')}…`);
    await importBundle(
      runtime,
      JSON.parse(readFileSync(join(SAMPLES, name), 'utf8')) as Record<string, unknown>,
    );
  }
  await createDemoParties({
    folder: folder.demo,
    engine: runtime.engine,
    chainId: runtime.chainId,
    custodian: runtime.custodian,
    isAlone: runtime.consortium === undefined,
  });
  await settings.set(DONE, new Uint8Array(0));
}
