// @ts-check
/**
 * A real server, for tests that `PLEXI_BINARY` (a built `plexichat`) is given to.
 *
 * @module
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const binary = process.env.PLEXI_BINARY ?? '';

/** @param {string[]} settings @returns {Promise<{url: string, stop: () => Promise<number|null>}>} */
export async function startServer(settings = []) {
  const folder = mkdtempSync(join(tmpdir(), 'plexi-web-'));
  const words = ['rate_limits.scale=0', 'accounts.argon2.memory=64KiB', 'accounts.argon2.iterations=1', 'media.port=0', ...settings];
  const child = spawn(binary, [
    'serve', '--data', join(folder, 'data'), '--listen', '127.0.0.1:0', ...words.flatMap((word) => ['--set', word]),
  ], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PLEXICHAT_ADMIN_PASSWORD: 'correct horse battery' } });
  // A test that is broken off leaves nothing behind.
  process.once('exit', () => child.kill('SIGKILL'));
  const ended = new Promise((/** @type {(code: number|null) => void} */ resolve) => child.once('exit', resolve));
  let log = '';
  child.stderr.on('data', (data) => { log = (log + data).slice(-8_000); });
  const url = await new Promise((/** @type {(url: string) => void} */ resolve, reject) => {
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
      const found = /listens on (https?:\/\/\S+)/.exec(output);
      if (found) resolve(found[1]);
    });
    ended.then((code) => reject(new Error(`the server ended with ${code}: ${output}${log}`)));
  });
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      const code = await ended;
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}
