// @ts-check
// A server, a call and devices that do what a test says, and remember what they were asked.

/** @param {number} number */
export const id = (number) => `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;

/** Lets everything that waits for nothing outside happen. */
export async function settle() {
  for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

class Event_ extends Event {
  /** @param {string} type @param {any} detail */
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

class Remembering extends EventTarget {
  /** @type {{ name: string, words: any[] }[]} */
  all = [];

  /** @param {string} name */
  asked(name) { return this.all.filter((one) => one.name === name).map((one) => one.words); }
  /** @param {string} name @param {any[]} words */
  note(name, ...words) { this.all.push({ name, words }); }
  /** @param {string} type @param {any} detail */
  emit(type, detail) { this.dispatchEvent(new Event_(type, detail)); }
}

const person = (/** @type {number} */ number, /** @type {string} */ username, /** @type {string} */ displayName) =>
  ({ id: id(number), username, displayName, avatarUrl: null, email: null, roles: [], createdAt: null });
const people = [person(1, 'ada', 'Ada'), person(2, 'ben', 'Ben Bitdiddle'), person(3, 'cy', 'Cy D. Fect')];
const ok = (/** @type {any} */ value) => ({ ok: true, value });

/** Answers as an honest server would, unless `answers` has another. */
export class FakeAPI extends Remembering {
  /** @type {string | null} */ userId = null;
  remembered = false;
  /** @type {Record<string, (...words: any[]) => any>} */ answers = {};

  constructor() {
    super();
    /** @type {Record<string, (...words: any[]) => any>} */
    const usual = {
      me: () => ok(people[0]), user: (one) => ok(people.find((each) => each.id === one)),
      users: () => ok({ users: people, total: 3, hasMore: false }),
      logIn: () => { this.userId = id(1); return ok({ kind: 'signed-in', userId: id(1) }); },
      register: () => { this.userId = id(1); return ok({ kind: 'signed-in', userId: id(1) }); },
      logOut: () => { this.signOut('left'); return ok(null); },
      completeMFA: () => ok({ kind: 'signed-in', userId: id(1) }), sendCode: () => ok(null),
      updateMe: ({ displayName }) => ok({ ...people[0], displayName }),
      presence: (one) => ok({ userId: one, status: 'online', lastSeen: null }), setPresence: () => ok({ userId: id(1), status: 'online', lastSeen: null }),
      forgotPassword: () => ok(null), resetPassword: () => ok(null),
      activeCalls: () => ok([]), factors: () => ok([]), changePassword: () => ok(null),
      beginTOTP: () => ok({ factorId: id(80), secret: 'JBSWY3DP', uri: 'otpauth://totp/x', qrSVG: '<svg/>' }),
      confirmTOTP: () => ok(['aaaa-bbbb-cccc-dddd']), removeFactor: () => ok(null), makeRecoveryCodes: () => ok(['eeee-ffff-gggg-hhhh']),
      startCall: ({ participants, type }) => ok({ id: id(50), type, participants }),
      call: (one) => ok({ id: one, type: 'video', endedAt: null, participants: [{ userId: id(1) }, { userId: id(2) }] }),
      leaveCall: () => ok(null),
      history: () => ok({ total: 1, calls: [{ id: id(70), callerId: id(2), calleeId: id(1), type: 'video', status: 'missed', startedAt: '2026-03-05T09:00:00Z', endedAt: '2026-03-05T09:01:00Z', duration: null, measured: null }] }),
    };
    for (const name of Object.keys(usual)) {
      /** @type {any} */ (this)[name] = async (/** @type {any[]} */ ...words) => {
        this.note(name, ...words);
        return (this.answers[name] ?? usual[name])(...words);
      };
    }
  }

  /** @param {'left' | 'ended'} reason */
  signOut(reason) {
    this.userId = null;
    this.emit('signed-out', { reason });
  }
}

export class FakeLine extends Remembering {
  state = 'open';
  isClosed = false;
  /** @type {readonly string[]} */ watched = [];

  open() { this.emit('state', 'open'); }
  close() { this.isClosed = true; }
  /** @param {readonly string[]} ids */
  watch(ids) { this.watched = ids; }
  networkChanged() {}
}

export class FakeCall extends Remembering {
  joined = 0;
  left = 0;

  /** @param {any} options */
  constructor(options) {
    super();
    this.options = options;
    this.state = Object.freeze({
      phase: 'idle', callId: options.callId, userId: null, status: null, hostId: null, locked: false, recording: null,
      participants: [], tracks: [], speaker: null, quality: null, media: 'new', reconnect: null,
      encryption: { on: options.encryption !== undefined, failures: 0 }, playBlocked: false, end: null,
      own: { muted: false, mutedByHost: false, microphone: false, camera: false, screen: false, hold: false, hand: false, mayAudio: true, mayVideo: true },
    });
    for (const name of ['setMuted', 'setHold', 'setHand', 'setTiles', 'muteParticipant', 'removeParticipant', 'invite', 'setLocked', 'endForAll', 'setRecording', 'answerRecording', 'networkChanged']) {
      /** @type {any} */ (this)[name] = (/** @type {any[]} */ ...words) => this.note(name, ...words);
    }
    for (const [name, member] of [['setMicrophone', 'microphone'], ['setCamera', 'camera'], ['setScreen', 'screen']]) {
      /** @type {any} */ (this)[name] = async (/** @type {any[]} */ ...words) => {
        this.note(name, ...words);
        this.change({ own: { ...this.state.own, [member]: words[0] !== null } });
        return { ok: true };
      };
    }
  }

  async join() {
    this.joined += 1;
    this.change({ phase: 'joined', userId: id(1), status: 'ringing' });
    return { ok: true };
  }
  async leave() {
    this.left += 1;
    this.end('left');
  }
  async resumePlayback() { this.note('resumePlayback'); }
  /** @param {any} element @param {string} mid */
  attach(element, mid) {
    element.mid = mid;
    return () => { element.mid = null; };
  }

  /** @param {any} state */
  become(state) {
    this.state = Object.freeze(state);
    this.emit('change', { state });
  }
  /** @param {any} change */
  change(change) { this.become({ ...this.state, ...change }); }
  /** @param {string} code */
  end(code) {
    if (/** @type {any} */ (this).isOver) return;
    /** @type {any} */ (this).isOver = true;
    this.state = Object.freeze({ ...this.state, phase: 'ended' });
    this.emit('ended', { code, text: code, retry: false, retryAfter: null, info: {} });
  }
}

/** A microphone, a camera and a screen. */
export function fakeDevices() {
  /** @type {any[]} */
  const tracks = [];
  const makeTrack = (/** @type {string} */ kind) => {
    const track = Object.assign(new EventTarget(), { kind, isRunning: true, stop() { track.isRunning = false; } });
    tracks.push(track);
    return track;
  };
  const stream = (/** @type {any[]} */ made) => ({ getTracks: () => made, getVideoTracks: () => made.filter((one) => one.kind === 'video'), getAudioTracks: () => made.filter((one) => one.kind === 'audio') });
  const world = {
    /** @type {any[]} */ asked: [],
    /** @type {string | null} */ refuse: null,
    /** @type {string | null} */ missing: null,
    onlyOne: false,
    running: () => tracks.filter((track) => track.isRunning).map((track) => track.kind).sort(),
    source: {
      addEventListener() {}, removeEventListener() {},
      async enumerateDevices() { return [{ kind: 'audioinput', deviceId: 'm', label: 'Desk' }, { kind: 'videoinput', deviceId: 'c', label: 'Eye' }]; },
      async getUserMedia(/** @type {any} */ wish) {
        world.asked.push(wish);
        const name = world.refuse ?? (world.missing !== null && wish[world.missing] ? 'NotFoundError' : null);
        if (world.onlyOne && wish.video && tracks.some((track) => track.kind === 'video' && track.isRunning)) throw Object.assign(new Error('busy'), { name: 'NotReadableError' });
        if (name !== null) throw Object.assign(new Error(name), { name });
        return stream(['audio', 'video'].filter((kind) => wish[kind]).map(makeTrack));
      },
      async getDisplayMedia() { return stream([makeTrack('video')]); },
    },
  };
  return world;
}
