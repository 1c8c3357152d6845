import type { LightSource } from '../light/light-source.ts';
import { type Fetch } from './exchange.ts';
/** The node at an address as a source of blocks; it is named by the address. */
export declare function nodeSourceAt(baseUrl: string, fetch?: Fetch): LightSource;
