// @ts-check
// The start as a browser runs it: every import is there, and what is put together comes up with the login.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf, installDocument } from './support/app-dom.js';
import { settle } from './support/app-world.js';

test('the page comes up with the login, and with what a browser without devices, keys and channels leaves', async () => {
  const page = installDocument();
  const before = new Map(['navigator', 'BroadcastChannel', 'localStorage', 'sessionStorage'].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
  const define = (/** @type {string} */ name, /** @type {any} */ descriptor) => Object.defineProperty(globalThis, name, { configurable: true, ...descriptor });
  define('navigator', { value: { onLine: true } });
  define('BroadcastChannel', { value: class { addEventListener() {} postMessage() {} } });
  // A browser that forbids its storage throws at the very look.
  for (const name of ['localStorage', 'sessionStorage']) define(name, { get() { throw new Error('SecurityError'); } });
  try {
    await import('../../web/app/main.js');
    await settle();
    assert.equal(page.document.querySelector('h1').textContent, 'Log in');
    assert.equal(page.document.title, 'Log in · PlexiChat');
    assert.deepEqual(faultsOf(page.document), []);
    dispatchEvent(Object.assign(new Event('unhandledrejection'), { reason: new Error('a fault of ours') }));
    dispatchEvent(Object.assign(new Event('unhandledrejection'), { reason: new Error('another') }));
    assert.equal(page.document.getElementById('toasts').children.length, 1, 'said once');
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
    page.restore();
  }
});
