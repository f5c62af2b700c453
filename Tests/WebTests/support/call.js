// @ts-check
/**
 * A call with the test as its server.
 *
 * @module
 */

import { PlexiCall } from '../../../web/plexichat-call.js';
import { FakeWorld, settle } from './world.js';

export const CALL = 'C1';

/** @param {Record<string, any>} [more] */
export function welcome(more = {}) {
  return {
    type: 'joined', call_id: CALL, user_id: 'U1', role: 'offerer', status: 'ongoing', resume_token: 'T1',
    resume_seconds: 30, resumed: false, ice_servers: [], participants: [], ...more,
  };
}

/** @param {string} id @param {Record<string, any>} [more] */
export function person(id, more = {}) {
  return { user_id: id, audio: true, video: true, hold: false, hand: false, connected: true, ...more };
}

/** @param {Partial<import('../../../web/plexichat-call.js').CallOptions>} [options] */
export function makeCall(options = {}) {
  const world = new FakeWorld();
  const call = new PlexiCall({
    url: 'wss://chat.example.org/calls/ws', callId: CALL, token: async () => 'secret token', env: world.env, ...options,
  });
  return { world, call };
}

/** Joined, its own offer answered. @param {Parameters<typeof makeCall>[0]} [options] @param {Record<string, any>} [more] */
export async function joinedCall(options = {}, more = {}) {
  const { world, call } = makeCall(options);
  const outcome = call.join();
  await settle();
  world.socket.open();
  world.socket.say(welcome(more));
  await settle();
  const offer = world.socket.take().find(({ type }) => type === 'sdp:offer');
  if (offer) world.socket.say({ type: 'sdp:answer', sdp: 'answer', id: offer.id });
  await settle();
  world.peer.become('connected');
  await settle();
  return { world, call, outcome: await outcome, offer };
}

/** A description of the server with sections. @param {string} name @param {[string, string, string][]} sections [kind, mid, direction] */
export function serverOffer(name, sections = []) {
  return [name, ...sections.map(([kind, mid, direction]) => `m=${kind} 9 x\r\na=mid:${mid}\r\na=${direction}`)].join('\r\n');
}
