// @ts-check
/**
 * WebCrypto answers from other threads, whenever they get to it. Tests that wait for what follows ask here, and count on
 * no times.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { settle } from './world.js';

let pending = 0;
const prototype = Object.getPrototypeOf(globalThis.crypto.subtle);
for (const name of ['generateKey', 'importKey', 'exportKey', 'deriveBits', 'encrypt', 'decrypt', 'digest']) {
  const real = prototype[name];
  prototype[name] = async function counted(/** @type {any[]} */ ...words) {
    pending += 1;
    try {
      return await real.apply(this, words);
    } finally {
      pending -= 1;
    }
  };
}

/** Until no key is made and nothing is sealed or opened any more, and what follows from it has happened. */
export async function quiet() {
  for (let calm = 0; calm < 3; calm = pending === 0 ? calm + 1 : 0) {
    await sleep(1);
    await settle();
  }
}
