// Seeded calls in which both sides want things, sockets break with messages under way, and offers are refused: in the
// end both sides are at rest and agree. The server is a model of docs/protocol/signaling.md, "Negotiation".
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { makeCall, serverOffer, welcome } from './support/call.js';
import { FakeStream, FakeTrack, listen, settle } from './support/world.js';

const SEEDS = Number(process.env.PLEXI_SEEDS ?? 12);
const STEPS = 60;
const TIMEOUT = 10_000;
const UNANSWERED = 3;

function chance(seed) {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** What the server knows of one participant. */
class Model {
  nextID = 1;
  /** @type {{id: number, sections: number}|null} */ out = null;
  wanted = 0;
  agreed = 0;
  unanswered = 0;
  tokens = 0;
  offers = new Map();
  answers = 0;
  refusals = 0;
  faults = [];

  constructor(world, next) { [this.world, this.next] = [world, next]; }

  /** A new socket of the client: messages take their time, in their order, and are lost with it. */
  attach(socket) {
    this.socket = socket;
    const wire = { isOpen: true, up: 0, down: 0 };
    this.wire = wire;
    const later = (direction, run) => {
      wire[direction] = Math.max(wire[direction], this.world.clock.now + this.next(120));
      this.world.env.setTimeout(() => { if (wire.isOpen) run(); }, wire[direction] - this.world.clock.now);
    };
    socket.send = (text) => later('up', () => this.receive(JSON.parse(text)));
    this.say = (message) => later('down', () => socket.say(message));
    socket.open();
  }

  cut() {
    this.wire.isOpen = false;
    this.takeBack();
    this.isIn = false;
    this.socket.end(1006);
  }

  receive(message) {
    if (message.type === 'join') return this.join(message);
    if (!this.isIn) return;
    if (message.type === 'ping') this.say({ type: 'pong', id: message.id });
    if (message.type === 'sdp:offer') this.offered(message);
    if (message.type === 'sdp:answer') this.answered(message);
  }

  join({ resume }) {
    const isResumed = resume !== undefined && resume === `T${this.tokens}`;
    if (resume !== undefined && !isResumed) this.faults.push(`resumed with ${resume}, not T${this.tokens}`);
    if (!isResumed) [this.agreed, this.out, this.wanted] = [0, null, 0];
    this.isIn = true;
    this.tokens += 1;
    this.unanswered = 0;
    this.say(welcome({ resumed: isResumed, resume_token: `T${this.tokens}` }));
    this.hasMedia = isResumed && this.hasMedia;
    this.makeOffer();
  }

  offered({ sdp, id }) {
    if (this.offers.has(id) && this.offers.get(id) !== sdp) this.faults.push(`two offers with the number ${id}`);
    this.offers.set(id, sdp);
    if (this.canRefuse && this.hasMedia && this.next(8) === 0) {
      this.refusals += 1;
      const code = this.next(2) ? 'too_many_requests' : 'conflict';
      return this.say({ type: 'error', code, detail: '', info: { retry_after: 1 }, ref: id });
    }
    this.takeBack();
    this.hasMedia = true;
    this.answers += 1;
    this.unanswered = 0;
    this.say({ type: 'sdp:answer', sdp: `answer to ${id}`, id });
    this.makeOfferLater();
  }

  answered({ id }) {
    if (!this.out || id !== this.out.id) {
      if (!(id < this.nextID)) this.faults.push(`an answer to nothing: ${id}`);
      return;
    }
    this.agreed = this.out.sections;
    [this.out, this.unanswered] = [null, 0];
    this.makeOfferLater();
  }

  want() {
    this.wanted += 1;
    this.makeOffer();
  }

  makeOfferLater() { this.world.env.setTimeout(() => this.makeOffer(), 100); }

  makeOffer() {
    if (!this.isIn || !this.hasMedia || this.out || this.agreed >= this.wanted || this.unanswered >= UNANSWERED) return;
    const id = this.nextID;
    this.nextID += 1;
    this.out = { id, sections: this.wanted };
    const sections = Array.from({ length: this.wanted }, (_, index) => ['video', `s${index}`, 'sendonly']);
    this.say({ type: 'sdp:offer', sdp: serverOffer(`O${id}`, sections), id });
    this.world.env.setTimeout(() => {
      if (this.out?.id !== id) return;
      this.say({ type: 'error', code: 'negotiation_timeout', detail: '', info: {}, ref: id });
      this.unanswered += 1;
      this.takeBack();
      this.makeOffer();
    }, TIMEOUT);
  }

  takeBack() { this.out = null; }
}

async function run(seed) {
  const next = chance(seed);
  const { world, call } = makeCall({ role: 'offerer', kind: next(2) ? 'audio' : 'video' });
  world.env.random = () => next(1_000) / 1_000;
  const server = new Model(world, next);
  const problems = listen(call, 'problem');
  let attached = 0;
  const serve = () => {
    while (attached < world.sockets.length) {
      const socket = world.sockets[attached];
      attached += 1;
      if (attached === world.sockets.length) server.attach(socket);
    }
  };
  const pass = async (milliseconds) => {
    for (let left = milliseconds; left > 0; left -= 50) {
      await world.clock.pass(Math.min(left, 50));
      serve();
    }
  };
  call.join();
  await settle();
  serve();
  await pass(2_000);
  assert.equal(call.state.phase, 'joined');
  server.canRefuse = true;
  const deeds = [
    () => server.want(), () => server.want(),
    () => call.setScreen(call.state.own.screen ? null : new FakeStream([new FakeTrack('video')])),
    () => call.setCamera(call.state.own.camera ? null : new FakeTrack('video')),
    () => world.peer.restartIce(), () => { if (server.isIn) server.cut(); }, () => call.networkChanged(),
  ];
  for (let step = 0; step < STEPS && call.state.phase !== 'ended'; step += 1) {
    deeds[next(deeds.length)]();
    await pass(50 * next(30));
  }
  server.canRefuse = false;
  await pass(60_000);
  return { world, call, server, problems };
}

test(`${SEEDS} seeded calls come to rest with both sides agreed`, async () => {
  let [answers, refusals, sockets] = [0, 0, 0];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { world, call, server, problems } = await run(seed);
    const told = `seed ${seed}: ${JSON.stringify(problems)}`;
    assert.equal(call.state.phase, 'joined', told);
    assert.equal(world.peer.signalingState, 'stable', told);
    assert.equal(server.out, null, told);
    assert.equal(server.agreed, server.wanted, told);
    assert.deepEqual(server.faults, [], told);
    assert.equal(world.peer.transceivers.filter(({ mid }) => mid?.startsWith('s')).length, server.wanted, told);
    assert.ok(world.peer.transceivers.every(({ mid }) => mid !== null), `what we want is agreed, ${told}`);
    assert.deepEqual(problems.filter(({ code }) => code === 'negotiation_failed'), [], told);
    assert.deepEqual(world.peers.slice(0, -1).filter(({ signalingState }) => signalingState !== 'closed'), [], told);
    [answers, refusals, sockets] = [answers + server.answers, refusals + server.refusals, sockets + world.sockets.length];
    await call.leave();
  }
  // That what is to be tried was tried.
  assert.ok(answers > SEEDS * 5 && refusals > SEEDS / 2 && sockets > SEEDS * 3, `${answers} ${refusals} ${sockets}`);
});
