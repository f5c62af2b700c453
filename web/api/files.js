// @ts-check
/**
 * Files over HTTP (docs/protocol/files.md): up by tus, so that a lost network costs one piece and not the whole; down
 * with the session. Nothing throws, nothing rejects.
 *
 * @module
 */

import { isObject, problem } from '../call/problems.js';
import { unwrap } from './answers.js';

/** @typedef {Pick<import('../plexichat-api.js').PlexiAPI, 'request' | 'exchange'>} Exchanges */
/** @typedef {import('../call/types.js').CallProblem} CallProblem */
/** @template T @typedef {import('../plexichat-api.js').Result<T>} Result */
/** @typedef {{id: string, name: string, type: string, size: number, hasThumbnail: boolean}} FileRow */

/** What one request brings. A larger piece is more to say again, a smaller one more requests. */
export const PIECE = 4 << 20;
/** Tries of one piece, and the wait before each. */
const WAITS = [500, 1_000, 2_000, 4_000, 8_000];
const VERSION = { 'Tus-Resumable': '1.0.0' };

export class FileAPI {
  /** @type {Exchanges} */ #api;
  /** @type {(milliseconds: number) => Promise<void>} */ #wait;

  /** @param {Exchanges} api @param {(milliseconds: number) => Promise<void>} [wait] */
  constructor(api, wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))) {
    [this.#api, this.#wait] = [api, wait];
  }

  /**
   * @param {Blob} content @param {{name: string, type?: string, conversationId?: string, progress?: (bytes: number) => void, signal?: AbortSignal}} how
   * @returns {Promise<Result<FileRow>>}
   */
  async upload(content, { name, type = content.type, conversationId, progress, signal }) {
    const metadata = Object.entries({ filename: name, ...(type ? { filetype: type } : {}), ...(conversationId ? { channel_id: conversationId } : {}) });
    const begun = await this.#api.exchange('POST', '/v1/files/uploads', {
      headers: { ...VERSION, 'Upload-Length': String(content.size), 'Upload-Metadata': metadata.map(([key, value]) => `${key} ${encoded(value)}`).join(',') }, signal,
    });
    if (!begun.ok) return begun;
    const path = pathOf(begun.value.headers.get('Location'));
    if (path === null) return failed('bad_answer');
    const answer = await this.#pieces(content, path, progress, signal);
    // Given up by the page: what has come is not kept until it is too old.
    if (signal?.aborted) void this.#api.exchange('DELETE', path, { headers: VERSION });
    if (!answer.ok) return answer;
    return this.#file(answer.value);
  }

  /** @param {string} id @returns {Promise<Result<Blob>>} */
  content(id) { return this.#blob(`/v1/files/${encodeURIComponent(id)}/download`); }

  /** @param {string} id @returns {Promise<Result<Blob>>} */
  thumbnail(id) { return this.#blob(`/v1/files/${encodeURIComponent(id)}/thumbnail`); }

  /** @param {Blob} content @param {string} path @param {((bytes: number) => void)|undefined} progress @param {AbortSignal|undefined} signal @returns {Promise<Result<string>>} the file's id */
  async #pieces(content, path, progress, signal) {
    let [offset, tries] = [0, 0];
    for (;;) {
      const answer = await this.#api.exchange('PATCH', path, {
        headers: { ...VERSION, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) },
        body: content.slice(offset, offset + PIECE), signal,
      });
      if (answer.ok) {
        const [next, id] = [Number(answer.value.headers.get('Upload-Offset')), answer.value.headers.get('File-Id')];
        if (id !== null && next === content.size) {
          progress?.(next);
          return { ok: true, value: id };
        }
        if (!(next > offset && next <= content.size)) return failed('bad_answer');
        [offset, tries] = [next, 0];
        progress?.(offset);
        continue;
      }
      if (signal?.aborted || !answer.problem.retry || tries >= WAITS.length) return answer;
      await this.#wait(WAITS[tries]);
      tries += 1;
      // How far it came before the network went only the server knows.
      const head = await this.#api.exchange('HEAD', path, { headers: VERSION, signal });
      const reached = head.ok ? Number(head.value.headers.get('Upload-Offset')) : offset;
      if (Number.isSafeInteger(reached) && reached >= 0 && reached <= content.size) offset = reached;
    }
  }

  /** @param {string} id @returns {Promise<Result<FileRow>>} */
  async #file(id) {
    const answer = await this.#api.request('GET', `/v1/files/${encodeURIComponent(id)}`);
    if (!answer.ok) return answer;
    const file = readFile(unwrap(answer.value));
    return file === null ? failed('bad_answer') : { ok: true, value: file };
  }

  /** @param {string} path @returns {Promise<Result<Blob>>} */
  async #blob(path) {
    const answer = await this.#api.exchange('GET', path);
    if (!answer.ok) return answer;
    try {
      return { ok: true, value: await answer.value.blob() };
    } catch {
      return failed('network');
    }
  }
}

/** @param {any} value @returns {FileRow|null} */
function readFile(value) {
  if (!isObject(value) || typeof value.id !== 'string' || typeof value.name !== 'string') return null;
  return { id: value.id, name: value.name, type: String(value.type), size: Number(value.size) || 0, hasThumbnail: typeof value.thumbnail_url === 'string' };
}

/** tus writes metadata in base64 of UTF-8. @param {string} text */
const encoded = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** Of an address or a path: only the path, so that the session goes to no other server. @param {string|null} location */
function pathOf(location) {
  const path = location === null ? null : new URL(location, 'http://here').pathname;
  return path?.startsWith('/v1/files/uploads/') ? path : null;
}

/** @param {string} code @returns {{ok: false, problem: CallProblem}} */
const failed = (code) => ({ ok: false, problem: problem(code) });
