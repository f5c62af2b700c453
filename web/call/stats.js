// @ts-check
/**
 * A digest of `getStats`: what people can use of some hundred entries, per track, as differences between two reports.
 * Pure.
 *
 * @module
 */

/** @typedef {import('./types.js').CallStats} CallStats */
/** @typedef {import('./types.js').TrackStats} TrackStats */
/** @typedef {import('./types.js').LayerStats} LayerStats */

/** Between two digests: shorter shows noise, longer hides what just happened. */
export const STATS_INTERVAL = 2_000;

/** @typedef {Map<string, any>} Report entries of an `RTCStatsReport` by id */

/**
 * @param {Iterable<any>} entries of an `RTCStatsReport` (`report.values()`)
 * @param {Report|null} before the last report
 * @param {number} at `Date.now()`
 * @param {(mid: string) => string|null} userOf whose track a section shows
 * @returns {{stats: CallStats, report: Report}}
 */
export function digest(entries, before, at, userOf) {
  /** @type {Report} */
  const report = new Map();
  for (const entry of entries) report.set(entry.id, entry);
  const all = [...report.values()];
  const transport = all.find(({ type }) => type === 'transport');
  const pair = report.get(transport?.selectedCandidatePairId)
    ?? all.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
  const local = report.get(pair?.localCandidateId);
  const rttMs = milliseconds(pair?.currentRoundTripTime);
  const tracks = [
    ...all.filter(({ type }) => type === 'inbound-rtp').map((one) => incoming(one, report, before, userOf, rttMs)),
    ...outgoing(all.filter(({ type }) => type === 'outbound-rtp'), report, before),
  ];
  return {
    report,
    stats: Object.freeze({
      at, rttMs, available: positive(pair?.availableOutgoingBitrate),
      path: ['host', 'srflx', 'prflx', 'relay'].includes(local?.candidateType) ? local.candidateType : null,
      transport: ['udp', 'tcp'].includes(local?.protocol) ? local.protocol : null,
      tracks: Object.freeze(tracks),
    }),
  };
}

/** @param {any} one @param {Report} report @param {Report|null} before @param {(mid: string) => string|null} userOf @param {number|null} rttMs @returns {TrackStats} */
function incoming(one, report, before, userOf, rttMs) {
  const old = before?.get(one.id);
  const received = difference(one.packetsReceived, old?.packetsReceived);
  const lost = difference(one.packetsLost, old?.packetsLost);
  const mid = String(one.mid ?? '');
  return Object.freeze({
    mid, direction: /** @type {const} */ ('in'), kind: one.kind === 'audio' ? 'audio' : 'video', userId: userOf(mid),
    codec: codecName(report.get(one.codecId)), bitrate: rate(one, old, 'bytesReceived'),
    width: positive(one.frameWidth), height: positive(one.frameHeight), fps: measured(one.framesPerSecond),
    loss: share(lost, received), jitterMs: milliseconds(one.jitter), rttMs, freezes: measured(one.freezeCount),
    limitation: null, layers: Object.freeze([]),
  });
}

/** Simulcast is one track with layers. @param {any[]} entries @param {Report} report @param {Report|null} before @returns {TrackStats[]} */
function outgoing(entries, report, before) {
  /** @type {Map<string, any[]>} */
  const byMid = new Map();
  for (const one of entries) byMid.set(String(one.mid ?? ''), [...(byMid.get(String(one.mid ?? '')) ?? []), one]);
  return [...byMid].map(([mid, layers]) => sent(mid, layers, report, before));
}

/** @param {string} mid @param {any[]} entries @param {Report} report @param {Report|null} before @returns {TrackStats} */
function sent(mid, entries, report, before) {
  const rates = entries.map((one) => rate(one, before?.get(one.id), 'bytesSent'));
  const sorted = [...entries].sort((a, b) => (a.frameHeight ?? 0) - (b.frameHeight ?? 0));
  // The largest that flows is what the picture is.
  const best = sorted.findLast?.((one) => one.active !== false && one.frameHeight > 0) ?? sorted[sorted.length - 1];
  const remotes = entries.map((one) => report.get(one.remoteId)).filter(Boolean);
  const limits = entries.map((one) => one.qualityLimitationReason).filter((one) => one && one !== 'none');
  return Object.freeze({
    mid, direction: /** @type {const} */ ('out'), kind: best.kind === 'audio' ? 'audio' : 'video', userId: null,
    codec: codecName(report.get(best.codecId)), bitrate: sum(rates), width: positive(best.frameWidth),
    height: positive(best.frameHeight), fps: measured(best.framesPerSecond),
    loss: worst(remotes.map((one) => measured(one.fractionLost))),
    jitterMs: worst(remotes.map((one) => milliseconds(one.jitter))),
    rttMs: worst(remotes.map((one) => milliseconds(one.roundTripTime))), freezes: null, limitation: limits[0] ?? null,
    layers: Object.freeze(entries.length < 2 ? [] : sorted.map((one) => layer(one, before))),
  });
}

/** @param {any} one @param {Report|null} before @returns {LayerStats} */
function layer(one, before) {
  return Object.freeze({
    rid: String(one.rid ?? ''), active: one.active !== false, bitrate: rate(one, before?.get(one.id), 'bytesSent'),
    width: positive(one.frameWidth), height: positive(one.frameHeight), fps: measured(one.framesPerSecond),
  });
}

// Numbers: null is what was not measured

/** @param {unknown} value @returns {number|null} */
const measured = (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null);
/** @param {unknown} value @returns {number|null} */
const positive = (value) => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null);
/** @param {unknown} seconds @returns {number|null} */
function milliseconds(seconds) {
  const value = measured(seconds);
  return value === null ? null : value * 1_000;
}

/** @param {unknown} now @param {unknown} before @returns {number|null} of a counter; null over a reset */
function difference(now, before) {
  if (typeof now !== 'number' || !Number.isFinite(now)) return null;
  const change = now - (typeof before === 'number' ? before : 0);
  return change >= 0 ? change : null;
}

/** @param {any} one @param {any} old @param {string} counter @returns {number|null} bits a second */
function rate(one, old, counter) {
  const bytes = old ? difference(one[counter], old[counter]) : null;
  const elapsed = old ? one.timestamp - old.timestamp : 0;
  return bytes === null || !(elapsed > 0) ? null : Math.round((bytes * 8_000) / elapsed);
}

/** @param {number|null} lost @param {number|null} received @returns {number|null} */
function share(lost, received) {
  if (lost === null || received === null || lost + received === 0) return null;
  return lost / (lost + received);
}

/** @param {(number|null)[]} values @returns {number|null} */
function worst(values) {
  const found = values.filter((one) => one !== null);
  return found.length > 0 ? Math.max(...found) : null;
}

/** @param {(number|null)[]} values @returns {number|null} */
function sum(values) {
  const found = values.filter((one) => one !== null);
  return found.length > 0 ? found.reduce((a, b) => a + b, 0) : null;
}

/** `video/VP8` is VP8. @param {any} codec @returns {string|null} */
function codecName(codec) {
  return typeof codec?.mimeType === 'string' ? codec.mimeType.slice(codec.mimeType.indexOf('/') + 1) : null;
}
