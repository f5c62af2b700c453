// @ts-check
/**
 * A WebSocket for Node 18, which has none: as much of RFC 6455 as a browser needs of our server, on a plain socket, with
 * the browser's interface. It names an origin, as browsers do.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class TestWebSocket {
  /** @type {any} */ onopen = null;
  /** @type {any} */ onmessage = null;
  /** @type {any} */ onclose = null;
  bufferedAmount = 0;
  #input = Buffer.alloc(0);
  /** @type {Buffer[]} */ #fragments = [];
  #isOpen = false;
  #isClosed = false;
  #key = randomBytes(16).toString('base64');
  #closing = { code: 1006, reason: '' };

  /** @param {string} address */
  constructor(address) {
    const url = new URL(address);
    this.socket = connect(Number(url.port || 80), url.hostname, () => this.socket.write([
      `GET ${url.pathname}${url.search} HTTP/1.1`, `Host: ${url.host}`, 'Connection: Upgrade', 'Upgrade: websocket',
      'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${this.#key}`, `Origin: http://${url.host}`, '', '',
    ].join('\r\n')));
    this.socket.on('data', (data) => {
      this.#input = Buffer.concat([this.#input, data]);
      if (this.#isOpen || this.#takeHead()) this.#takeFrames();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.#ended());
  }

  /** @param {string} text */
  send(text) { this.#write(1, Buffer.from(text)); }

  close(code = 1000) {
    const body = Buffer.alloc(2);
    body.writeUInt16BE(code);
    this.#write(8, body);
    setTimeout(() => this.socket.destroy(), 1_000).unref();
  }

  /** As if the cable were pulled: no goodbye. */
  cut() { this.socket.destroy(); }

  #takeHead() {
    const end = this.#input.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = this.#input.subarray(0, end).toString();
    this.#input = this.#input.subarray(end + 4);
    const accept = createHash('sha1').update(this.#key + GUID).digest('base64');
    if (!head.startsWith('HTTP/1.1 101 ') || !head.toLowerCase().includes(`sec-websocket-accept: ${accept.toLowerCase()}`)) {
      this.socket.destroy();
      return false;
    }
    this.#isOpen = true;
    this.onopen?.({});
    return true;
  }

  #takeFrames() {
    while (this.#input.length >= 2) {
      const [first, second] = this.#input;
      let [length, at] = [second & 127, 2];
      if (length === 126) [length, at] = [this.#input.length >= 4 ? this.#input.readUInt16BE(2) : Infinity, 4];
      else if (length === 127) [length, at] = [this.#input.length >= 10 ? Number(this.#input.readBigUInt64BE(2)) : Infinity, 10];
      if (this.#input.length < at + length) return;
      const body = this.#input.subarray(at, at + length);
      this.#input = this.#input.subarray(at + length);
      this.#take(first & 15, (first & 128) !== 0, body);
    }
  }

  /** @param {number} opcode @param {boolean} isLast @param {Buffer} body */
  #take(opcode, isLast, body) {
    if (opcode === 9) return this.#write(10, body);
    if (opcode === 8) {
      this.#closing = { code: body.length >= 2 ? body.readUInt16BE() : 1005, reason: body.subarray(2).toString() };
      this.#write(8, body);
      return this.socket.end();
    }
    if (opcode > 2) return;
    this.#fragments.push(body);
    if (!isLast) return;
    const data = Buffer.concat(this.#fragments).toString();
    this.#fragments = [];
    this.onmessage?.({ data });
  }

  /** @param {number} opcode @param {Buffer} body */
  #write(opcode, body) {
    if (!this.#isOpen || this.#isClosed || !this.socket.writable) return;
    const mask = randomBytes(4);
    const head = Buffer.alloc(body.length < 126 ? 2 : body.length < 65_536 ? 4 : 10);
    [head[0], head[1]] = [128 | opcode, 128 | (head.length === 2 ? body.length : head.length === 4 ? 126 : 127)];
    if (head.length === 4) head.writeUInt16BE(body.length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(body.length), 2);
    this.socket.write(Buffer.concat([head, mask, body.map((byte, index) => byte ^ mask[index & 3])]));
  }

  #ended() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onclose?.(this.#closing);
  }
}
