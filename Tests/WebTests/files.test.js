// @ts-check
// Files of the SDK against a model of tus that loses the network in the middle of a piece.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ChatServer } from './support/chat-server.js';
import { FileAPI, PIECE } from '../../web/api/files.js';
import { fileSize } from '../../web/app/format.js';

function world() {
  const server = new ChatServer();
  /** @type {number[]} */
  const waits = [];
  return { server, waits, files: new FileAPI(/** @type {any} */ (server), async (milliseconds) => void waits.push(milliseconds)) };
}
const bytes = (/** @type {number} */ count) => new Blob([Uint8Array.from({ length: count }, (_, index) => index % 251)]);

test('a file goes up in pieces, with its name in any letters, and says how far it is', async () => {
  const { server, files, waits } = world();
  const content = bytes(2 * PIECE + 10);
  /** @type {number[]} */
  const told = [];
  const answer = await files.upload(content, { name: 'Übersicht 📈.bin', type: 'application/x-data', conversationId: 'c', progress: (count) => told.push(count) });
  assert.ok(answer.ok);
  assert.deepEqual([answer.value.name, answer.value.type, answer.value.size], ['Übersicht 📈.bin', 'application/x-data', content.size]);
  assert.deepEqual([told, waits], [[PIECE, 2 * PIECE, content.size], []]);
  const back = await files.content(answer.value.id);
  assert.ok(back.ok);
  assert.deepEqual(Buffer.from(await back.value.arrayBuffer()), Buffer.from(await content.arrayBuffer()));
  assert.equal([...server.uploads.values()][0].channel, 'c');
});

test('a lost network costs what had not arrived, and is waited for longer and longer', async () => {
  const { server, files, waits } = world();
  server.cuts = [1_000, 0, 17];
  const content = bytes(PIECE + 5);
  const answer = await files.upload(content, { name: 'a' });
  assert.ok(answer.ok);
  assert.deepEqual(waits, [500, 1_000, 2_000]);
  const back = await files.content(answer.value.id);
  assert.ok(back.ok);
  assert.deepEqual(Buffer.from(await back.value.arrayBuffer()), Buffer.from(await content.arrayBuffer()));
});

test('what does not come back is given up, what is refused is not tried again, what is stopped is taken away', async () => {
  const { server, files, waits } = world();
  server.cuts = Array.from({ length: 9 }, () => 0);
  const lost = await files.upload(bytes(10), { name: 'a' });
  assert.ok(!lost.ok);
  assert.deepEqual([lost.problem.code, waits], ['network', [500, 1_000, 2_000, 4_000, 8_000]]);
  server.cuts = [];
  const refused = await files.upload(bytes(10), { name: 'virus.exe' });
  assert.ok(!refused.ok);
  assert.deepEqual([refused.problem.code, waits.length], ['validation', 5]);
  const stop = new AbortController();
  const held = server.uploads.size;
  const stopped = await files.upload(bytes(2 * PIECE), { name: 'a', signal: stop.signal, progress: () => stop.abort() });
  assert.equal(stopped.ok, false);
  assert.equal(server.exchanged.at(-1)?.startsWith('DELETE /v1/files/uploads/'), true);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.uploads.size, held);
});

test('the session goes to no address that an answer names, only to its path', async () => {
  const { server, files } = world();
  const real = server.exchange;
  server.exchange = /** @type {any} */ (async (/** @type {any[]} */ ...words) => (words[0] === 'POST'
    ? { ok: true, value: new Response(null, { headers: { Location: 'https://evil.example/steal' } }) } : /** @type {any} */ (real)(...words)));
  const answer = await new FileAPI(/** @type {any} */ (server)).upload(bytes(3), { name: 'a' });
  assert.ok(!answer.ok);
  assert.equal(answer.problem.code, 'bad_answer');
  assert.ok(files);
});

test('sizes are read as people read them', () => {
  assert.deepEqual([0, 999, 1_000, 1_449, 15_000, 1_400_000, 5e12].map(fileSize), ['0 B', '999 B', '1.0 kB', '1.4 kB', '15 kB', '1.4 MB', '5.0 TB']);
});
