// The transcripts of docs/protocol/signaling.md, replayed against the SDK: what the page says is what it does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { readMessage } from '../../web/call/messages.js';
import { CALL, joinedCall, makeCall, welcome } from './support/call.js';
import { settle } from './support/world.js';

const page = readFileSync(process.env.PLEXI_SIGNALING_PAGE ?? new URL('../../docs/protocol/signaling.md', import.meta.url), 'utf8');

/** By title: `[{by: 'C'|'S'|'#', text}]`. What others say (`D`) is the server's business. */
function transcripts() {
  const section = page.split('\n## Transcripts\n')[1]?.split('\n## ')[0] ?? '';
  const found = new Map();
  for (const [, title, body] of section.matchAll(/\n([^\n]+):\n```\n([\s\S]*?)\n```/g)) {
    found.set(title, body.split('\n').flatMap((line) => {
      const parts = /^(?:([CS]) (\{.*\})|(#) (.*))/.exec(line);
      return parts ? [{ by: parts[1] ?? parts[3], text: parts[2] ?? parts[4] }] : [];
    }));
  }
  return found;
}

const parse = (text) => JSON.parse(text.replaceAll(/,?…/g, ''));

/** What stands for "and more" is filled with what a server would say. */
function complete(text) {
  const message = parse(text);
  if (message.type === 'joined') return { ...welcome(), ...message, call_id: CALL };
  if (message.type === 'tracks') return { tracks: [], ...message };
  if (message.type === 'call:status') return { call_id: CALL, status: 'ongoing', ...message };
  return message;
}

/** The page's numbers and descriptions, and those that the client made itself. */
class Names {
  #bound = new Map();
  /** A line of the client against what it said. */
  match(wanted, said) {
    for (const [key, value] of Object.entries(wanted)) {
      if (key === 'id' && wanted.type !== 'sdp:answer') this.#bound.set(value, said.id);
      else if (key !== 'sdp' && key !== 'call_id') assert.deepEqual(said[key], value, `${key} of ${JSON.stringify(said)}`);
    }
  }
  /** The server's message with the client's own number in the place of the page's. */
  own(message) {
    const key = message.type === 'sdp:answer' ? 'id' : message.type === 'error' ? 'ref' : null;
    if (key === null || message[key] === null) return message;
    assert.ok(this.#bound.has(message[key]), `about nothing that the client said: ${JSON.stringify(message)}`);
    return { ...message, [key]: this.#bound.get(message[key]) };
  }
}

/** What a page does for the client to say a control. */
const gestures = {
  mute: (call, { on }) => call.setMuted(on),
  hold: (call, { on }) => call.setHold(on),
  hand: (call, { on }) => call.setHand(on),
  mute_participant: (call, { participant_id: id }) => call.muteParticipant(id),
  permissions: (call, { participant_id: id, type, action, id: own, ...may }) => call.permit(id, may),
  remove: (call, { participant_id: id }) => call.removeParticipant(id),
  lock: (call, { on }) => call.setLocked(on),
  end: (call) => call.endForAll(),
  invite: (call, { participants }) => call.invite(participants),
};

/** The client says what stands there, in that order, and of descriptions nothing else. */
class Replay {
  #names = new Names();
  #said = [];

  constructor(world, call) { [this.world, this.call] = [world, call]; }

  async #collect() {
    await settle();
    this.#said.push(...this.world.socket.take());
  }

  async play(lines) {
    for (const [index, line] of lines.entries()) {
      const message = line.by === '#' ? null : parse(line.text);
      // The crossing of a glare: the client's offer is out, and not taken yet, when the server's comes.
      const next = lines[index + 1];
      const crosses = line.by === 'S' && message.type === 'sdp:offer' && next?.by === 'C' && parse(next.text).type === 'sdp:offer';
      if (crosses) this.world.peer.restartIce();
      await this.#collect();
      if (line.by === '#') await this.#happens(line.text);
      else if (line.by === 'S') this.world.socket.say(this.#names.own(complete(line.text)));
      else await this.#says(message, line.text);
    }
    await this.#collect();
    // A transcript without descriptions leaves them out: they are not its point.
    const isAboutDescriptions = lines.some(({ by, text }) => by === 'C' && parse(text).type.startsWith('sdp:'));
    const more = this.#said.filter(({ type }) => type !== 'control');
    if (isAboutDescriptions) assert.deepEqual(more, [], 'more than the page has');
  }

  async #happens(text) {
    if (text.includes('breaks off')) {
      await this.world.clock.pass(6_000);
      this.world.socket.end(1006);
      await this.world.clock.pass(1_000);
      this.world.socket.open();
    }
    const closed = /closed with (\d+)/.exec(text);
    if (closed) this.world.socket.end(Number(closed[1]), '');
  }

  async #says(wanted, text) {
    const isControl = wanted.type === 'control';
    if (isControl) {
      // The switches that a join tells are no answer to anything.
      this.#said = this.#said.filter(({ type }) => type !== 'control');
      assert.ok(gestures[wanted.action], `no gesture for ${text}`);
      gestures[wanted.action](this.call, wanted);
      await this.#collect();
    } else if (wanted.type === 'sdp:offer' && !this.#said.some(({ type }) => type === 'sdp:offer')) {
      this.world.peer.restartIce();
      await this.#collect();
    }
    const at = this.#said.findIndex(({ type }) => (type === 'control') === isControl);
    assert.ok(at >= 0, `the client says nothing where the page has ${text}`);
    this.#names.match(wanted, this.#said.splice(at, 1)[0]);
  }
}

/** A transcript that begins with a join begins here; another in the midst of a call. */
async function replay(lines) {
  const first = lines.find(({ by }) => by === 'C');
  const join = parse(first.text);
  const begins = join.type === 'join' && join.resume === undefined;
  const { world, call } = begins ? makeCall({ role: join.role }) : await joinedCall();
  if (begins) {
    call.join();
    await settle();
    world.socket.open();
  }
  const cut = join.resume === undefined ? lines : [{ by: '#', text: 'the connection breaks off' }, ...lines];
  await new Replay(world, call).play(cut);
  return { world, call };
}

const all = transcripts();
const titled = (beginning) => [...all.keys()].find((one) => one.startsWith(beginning));

test('the transcript of an offerer', async () => {
  const { call } = await replay(all.get(titled('Offerer')));
  assert.deepEqual(call.state.tracks.map(({ mid, userId }) => [mid, userId]), [['s0', 'U2']]);
  assert.deepEqual(call.state.participants.map(({ userId }) => userId), ['U2']);
});

test('the transcript of an answerer', async () => {
  const { call } = await replay(all.get(titled('Answerer')));
  assert.equal(call.state.phase, 'joined');
});

test('the transcript of a glare', async () => {
  const { world } = await replay(all.get(titled('Glare')));
  assert.equal(world.peer.signalingState, 'stable');
  assert.equal(world.peer.rollbacks, 0, 'the client never takes its own back');
});

test('the transcript of a resume', async () => {
  // What follows a second loss there is a client that presents a token twice, which is none of ours.
  const lines = all.get(titled('Resume'));
  const losses = lines.flatMap(({ by, text }, index) => (by === '#' && text.includes('breaks off') ? [index] : []));
  const { world, call } = await replay(losses.length > 1 ? lines.slice(0, losses[1]) : lines);
  assert.equal(call.state.phase, 'joined');
  assert.equal(world.peers.length, 1);
});

for (const beginning of ['One\'s own controls', 'The host\'s powers', 'Who is no host']) {
  const title = titled(beginning);
  test(`the transcript "${beginning}"`, { skip: title ? false : 'the page has none' }, async () => {
    const { call } = await replay(all.get(title));
    if (beginning.startsWith('The host')) assert.equal(call.state.end.code, 'call_over');
  });
}

test('every message of the server in the page is one that the SDK reads', () => {
  const ours = [...all].filter(([title]) => !title.includes('calls\' form'));
  const lines = ours.flatMap(([, those]) => those).filter(({ by }) => by === 'S');
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
