// @ts-check
/**
 * The registry of devices that messages are sealed for, in rows of calls' (docs/chat/keys.md). As `PlexiAPI`, through
 * which everything goes: nothing throws, nothing rejects.
 *
 * @module
 */

import { isObject, problem } from '../call/problems.js';

/** @typedef {Pick<import('../plexichat-api.js').PlexiAPI, 'request'>} Requests */
/** @typedef {import('../seal/book.js').Listed} Listed */
/** @typedef {{id: string, name: string, identityKey: string, algorithm: string, seenAt: string}} OwnDeviceRow */
/** @template T @typedef {import('../plexichat-api.js').Result<T>} Result */

/** The server's bound for one question. */
const PEOPLE = 500;

/** @param {unknown} value @returns {value is string} */
const isText = (value) => typeof value === 'string' && value !== '';

export class DeviceAPI {
  /** @type {Requests} */ #api;

  /** @param {Requests} api */
  constructor(api) { this.#api = api; }

  /** New, or as it is already. @param {{id: string, name: string, algorithm: string, identityKey: string}} device @returns {Promise<Result<null>>} */
  async registerDevice({ id, name, algorithm, identityKey }) {
    const answer = await this.#api.request('PUT', `/api/v1/chat/devices/${encodeURIComponent(id)}`, { body: { name, algorithm, identity_key: identityKey } });
    return answer.ok ? { ok: true, value: null } : answer;
  }

  /** @returns {Promise<Result<OwnDeviceRow[]>>} */
  async own() {
    const answer = await this.#api.request('GET', '/api/v1/chat/devices');
    if (!answer.ok) return answer;
    const rows = rowsOf(answer.value);
    if (!rows) return { ok: false, problem: problem('bad_answer') };
    return { ok: true, value: rows.filter((one) => isText(one.id)).map((one) => ({
      id: one.id, name: isText(one.name) ? one.name : '', identityKey: one.identity_key, algorithm: one.algorithm, seenAt: isText(one.seen_at) ? one.seen_at : '',
    })) };
  }

  /** @param {string} id @returns {Promise<Result<null>>} */
  async remove(id) {
    const answer = await this.#api.request('DELETE', `/api/v1/chat/devices/${encodeURIComponent(id)}`);
    return answer.ok ? { ok: true, value: null } : answer;
  }

  /** Of whom the caller shares no conversation with there is nothing. @param {readonly string[]} userIds @returns {Promise<Result<Map<string, Listed[]>>>} */
  async devicesOf(userIds) {
    /** @type {Map<string, Listed[]>} */
    const all = new Map();
    for (let at = 0; at < userIds.length; at += PEOPLE) {
      const answer = await this.#api.request('POST', '/api/v1/chat/devices/query', { body: { user_ids: userIds.slice(at, at + PEOPLE) }, once: true });
      if (!answer.ok) return answer;
      const rows = rowsOf(answer.value);
      if (!rows) return { ok: false, problem: problem('bad_answer') };
      for (const row of rows) if (isText(row.user_id)) all.set(row.user_id, listedOf(row.devices));
    }
    return { ok: true, value: all };
  }
}

/** @param {unknown} body @returns {Record<string, any>[]|null} */
const rowsOf = (body) => (isObject(body) && Array.isArray(body.data) ? body.data.filter(isObject) : null);

/** @param {unknown} devices @returns {Listed[]} */
function listedOf(devices) {
  if (!Array.isArray(devices)) return [];
  return devices.filter((one) => isText(one?.id) && isText(one.identity_key) && isText(one.algorithm))
    .map((one) => ({ id: one.id, identityKey: one.identity_key, algorithm: one.algorithm }));
}
