// @ts-check
/**
 * Sealed messages for pages (docs/protocol/sealed-messages.md): a `Sealer` is one device of somebody; `PlexiChat` takes
 * one.
 *
 * @module
 */

export { Sealer } from './seal/sealer.js';
export { browserKeyStore, memoryKeyStore } from './seal/store.js';
