// The transcripts of docs/protocol/signaling.md, replayed against the SDK: what the page says is what it does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { readMessage } from '../../web/call/messages.js';
import { CALL, joinedCall, makeCall, welcome } from './support/call.js';
import { FakeTrack, settle } from './support/world.js';

const page = readFileSync(new URL('../../docs/protocol/signaling.md', import.meta.url), 'utf8');

/** By title: `[{by: 'C'|'S', text}]`. */
function transcripts() {
  const section = page.split('\n## Transcripts\n')[1]?.split('\n## ')[0] ?? '';
  const found = new Map();
  for (const [, title, body] of section.matchAll(/\n([^\n]+):\n```\n([\s\S]*?)\n```/g)) {
    found.set(title, body.split('\n').flatMap((line) => {
      const parts = /^([CS]) (\{.*\})/.exec(line);
      return parts ? [{ by: parts[1], text: parts[2] }] : [];
    }));
  }
  return found;
}

/** What stands for "and more" is filled with what a server would say. */
function complete(text) {
  const message = JSON.parse(text.replaceAll(/,?…/g, ''));
  if (message.type === 'joined') return { ...welcome(), ...message, call_id: CALL };
  if (message.type === 'tracks') return { tracks: [], ...message };
  return message;
}

/** Names of the page for what the client made itself: descriptions and numbers. */
class Names {
  #bound = new Map();
  /** A line of the client against what it said. */
  match(wanted, said) {
    for (const [key, value] of Object.entries(wanted)) {
      if (key === 'sdp' || (key === 'id' && wanted.type === 'sdp:offer')) this.#bound.set(`${key} ${value}`, said[key]);
      else if (key !== 'call_id') assert.deepEqual(said[key], value, `${key} of ${JSON.stringify(said)}`);
    }
  }
  /** The client's number in an answer to its offer. */
  own(message) {
    if (message.type !== 'sdp:answer') return message;
    assert.ok(this.#bound.has(`id ${message.id}`), `an answer to no offer: ${JSON.stringify(message)}`);
    return { ...message, id: this.#bound.get(`id ${message.id}`) };
  }
}

/** Plays a transcript; the client says what stands there, in that order, and nothing else. */
async function play(world, lines) {
  const names = new Names();
  let said = [];
  const collect = async () => {
    await settle();
    said.push(...world.socket.take().filter(({ type }) => type !== 'control'));
  };
  for (const { by, text } of lines) {
    await collect();
    if (by === 'S') {
      world.socket.say(names.own(complete(text)));
    } else {
      const next = said.shift();
      assert.ok(next, `the client says nothing where the page has ${text}`);
      names.match(JSON.parse(text.replaceAll(/,?…/g, '')), next);
    }
  }
  await collect();
  assert.deepEqual(said, [], 'more than the page has');
}

async function begin(options) {
  const { world, call } = makeCall(options);
  call.join();
  await settle();
  world.socket.open();
  return { world, call };
}

const flows = {
  async Offerer(lines) {
    const { world, call } = await begin({});
    await play(world, lines);
    assert.deepEqual(call.state.tracks.map(({ mid, userId }) => [mid, userId]), [['s0', 'U2']]);
  },
  async Answerer(lines) {
    const { world, call } = await begin({ role: 'answerer' });
    await play(world, lines);
    assert.equal(call.state.phase, 'joined');
  },
  async Glare(lines) {
    const { world, call } = await joinedCall({ kind: 'audio' });
    // The crossing: the client's offer is out, and has not been taken, when the server's comes.
    await call.setCamera(new FakeTrack('video'));
    await settle();
    await play(world, lines);
    assert.equal(world.peer.signalingState, 'stable');
    assert.equal(world.peer.rollbacks, 0, 'the client never takes its own back');
  },
  async Resume(lines) {
    const { world, call } = await joinedCall();
    await world.clock.pass(6_000);
    world.socket.end(1006);
    await world.clock.pass(1_000);
    world.socket.open();
    await play(world, lines);
    assert.equal(call.state.phase, 'joined');
    assert.equal(world.peers.length, 1);
  },
};

const all = transcripts();

for (const [name, replay] of Object.entries(flows)) {
  test(`the transcript "${name}" of the page is what the SDK speaks`, async () => {
    const title = [...all.keys()].find((one) => one.startsWith(name));
    assert.ok(title, `the page has no transcript that begins with ${name}`);
    await replay(all.get(title));
  });
}

test('every message of the server in the page is one that the SDK reads', () => {
  const lines = [...all.values()].flat().filter(({ by }) => by === 'S');
  assert.ok(lines.length >= 10, 'the page has transcripts');
  for (const { text } of lines) {
    const kind = readMessage(JSON.stringify(complete(text)))?.kind;
    assert.ok(kind && kind !== 'unknown', `${text} is not read`);
  }
});

test('every message of the server in the page\'s table has a reader', () => {
  const table = page.split('\n## Messages of the server\n')[1].split('\n## ')[0];
  const names = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
  assert.ok(names.length >= 15, `${names}`);
  for (const type of names) assert.notEqual(readMessage(JSON.stringify({ type }))?.kind, 'unknown', `${type} is not read`);
});
