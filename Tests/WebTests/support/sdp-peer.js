// @ts-check
/**
 * A peer connection without media: the fake of `world.js`, whose descriptions are real enough for the server, in the
 * form of a browser's. No packet is ever sent.
 *
 * @module
 */

import { randomBytes } from 'node:crypto';

import { FakePeer } from './world.js';

const CODECS = {
  audio: ['111', ['a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10;useinbandfec=1', 'a=rtcp-fb:111 transport-cc']],
  video: ['96 97', [
    'a=rtpmap:96 VP8/90000', 'a=rtcp-fb:96 transport-cc', 'a=rtcp-fb:96 ccm fir', 'a=rtcp-fb:96 nack', 'a=rtcp-fb:96 nack pli',
    'a=rtpmap:97 rtx/90000', 'a=fmtp:97 apt=96',
  ]],
};
const EXTENSIONS = [
  'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid', 'a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
];
const OPPOSITE = /** @type {Record<string, string>} */ ({ sendonly: 'recvonly', recvonly: 'sendonly', sendrecv: 'sendrecv', inactive: 'inactive' });

export class SDPPeer extends FakePeer {
  #fingerprint = randomBytes(32).toString('hex').toUpperCase().replaceAll(/(..)(?=.)/g, '$1:');
  #credentials = SDPPeer.#freshCredentials();
  #version = 1;
  #restarted = 0;
  #remoteSDP = '';

  static #freshCredentials() {
    return { ufrag: randomBytes(3).toString('hex'), pwd: randomBytes(12).toString('hex') };
  }

  /** @param {any} [description] */
  async setLocalDescription(description) {
    await super.setLocalDescription(description);
    if (description?.type === 'rollback') return;
    if (this.restarts !== this.#restarted) {
      [this.#restarted, this.#credentials] = [this.restarts, SDPPeer.#freshCredentials()];
    }
    const { type } = this.localDescription;
    this.localDescription = { type, sdp: type === 'offer' ? this.#offer() : this.#answer() };
  }

  /** @param {any} description */
  async setRemoteDescription(description) {
    await super.setRemoteDescription(description);
    if (description.type === 'offer') this.#remoteSDP = description.sdp;
  }

  #offer() {
    const described = this.transceivers.filter(({ mid }) => mid !== null);
    // In the order of the first description: sections keep their places.
    return this.#session(described.map(({ mid }) => mid)) + described.map((one) => this.#section(one)).join('');
  }

  /** @param {(string|null)[]} mids */
  #session(mids) {
    return ['v=0', `o=- 4611731400430051336 ${++this.#version} IN IP4 127.0.0.1`, 's=-', 't=0 0',
      `a=group:BUNDLE ${mids.join(' ')}`, 'a=extmap-allow-mixed', 'a=msid-semantic: WMS', ''].join('\r\n');
  }

  /** @param {string} setup */
  #transport(setup) {
    return ['c=IN IP4 0.0.0.0', `a=ice-ufrag:${this.#credentials.ufrag}`, `a=ice-pwd:${this.#credentials.pwd}`,
      'a=ice-options:trickle', `a=fingerprint:sha-256 ${this.#fingerprint}`, `a=setup:${setup}`];
  }

  /** @param {any} transceiver */
  #section({ kind, mid, direction, sender }) {
    const [formats, lines] = CODECS[/** @type {'audio'|'video'} */ (kind)];
    const rids = sender.encodings.map((/** @type {any} */ { rid }) => rid).filter(Boolean);
    const simulcast = rids.length > 1 && direction === 'sendonly'
      ? [...rids.map((/** @type {string} */ rid) => `a=rid:${rid} send`), `a=simulcast:send ${rids.join(';')}`] : [];
    return [`m=${kind} 9 UDP/TLS/RTP/SAVPF ${formats}`, ...this.#transport('actpass'), `a=mid:${mid}`, ...EXTENSIONS,
      `a=${direction}`, 'a=rtcp-mux', 'a=rtcp-rsize', ...lines, ...simulcast, ''].join('\r\n');
  }

  /** Each section of the server's offer, taken as it is: the same codecs, the other direction. */
  #answer() {
    const sections = this.#remoteSDP.split(/\r\n(?=m=)/).slice(1);
    const mids = sections.map((section) => /a=mid:(\S+)/.exec(section)?.[1] ?? '');
    const answers = sections.map((section, index) => {
      const kept = section.split('\r\n').filter((line) => /^a=(mid|rtpmap|fmtp|rtcp-fb|extmap|rtcp-mux)/.test(line));
      const told = /a=(sendonly|recvonly|sendrecv|inactive)/.exec(section)?.[1] ?? 'sendrecv';
      const own = this.transceivers.find(({ mid }) => mid === mids[index]);
      const direction = told === 'recvonly' && own?.direction !== 'sendonly' ? 'inactive' : OPPOSITE[told];
      return [section.split('\r\n')[0].replace(/ \d+ /, ' 9 '), ...this.#transport('active'), ...kept, `a=${direction}`, ''].join('\r\n');
    });
    return this.#session(mids) + answers.join('');
  }
}
