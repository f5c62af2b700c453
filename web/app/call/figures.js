// @ts-check
// What was measured, for a tile's grade and for the panel of details. Numbers in, words out.

import { bitrate, milliseconds, percent, picture } from '../format.js';
import { hasText, text } from '../text.js';

/** @typedef {import('../../call/types.js').CallState} CallState */
/** @typedef {import('../../call/types.js').CallStats} CallStats */
/** @typedef {import('../../call/types.js').TrackStats} TrackStats */
/** @typedef {import('../quality.js').Measured} Measured */

/**
 * What was measured of what one person sends us, or of what we send.
 * @param {CallState} state
 * @param {CallStats | null} stats
 * @param {string} userId
 * @returns {Measured}
 */
export function measuredOf(state, stats, userId) {
  const worst = (/** @type {(number | null)[]} */ values) => {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? null : Math.max(...known);
  };
  if (userId === state.userId) {
    const out = (stats?.tracks ?? []).filter((track) => track.direction === 'out');
    return {
      loss: worst(out.map((track) => track.loss)), rtt: stats?.rttMs ?? state.quality?.rttMs ?? null,
      connected: state.phase !== 'reconnecting',
    };
  }
  const tracks = (stats?.tracks ?? []).filter((track) => track.userId === userId && track.direction === 'in');
  const person = state.participants.find((one) => one.userId === userId);
  return {
    loss: worst(tracks.map((track) => track.loss)), jitter: worst(tracks.map((track) => track.jitterMs)),
    rtt: tracks.length === 0 ? null : stats?.rttMs ?? null, connected: person?.connected ?? true,
  };
}

/** @typedef {{ title: string, rows: { name: string, value: string }[] }} FigureGroup */

/**
 * The details panel for one person.
 * @param {CallState} state
 * @param {CallStats | null} stats
 * @param {string} userId
 * @returns {FigureGroup[]}
 */
export function figuresOf(state, stats, userId) {
  const isSelf = userId === state.userId;
  const tracks = (stats?.tracks ?? []).filter((track) => (isSelf ? track.direction === 'out' : track.userId === userId));
  return [connectionFigures(state, stats), ...tracks.map((track) => trackFigures(track, state))];
}

/** @param {CallState} state @param {CallStats | null} stats @returns {FigureGroup} */
function connectionFigures(state, stats) {
  const rows = [
    { name: text('figure.rtt'), value: milliseconds(stats?.rttMs ?? state.quality?.rttMs) },
    { name: text('figure.loss'), value: percent(state.quality?.loss) },
    { name: text('figure.estimate'), value: bitrate(state.quality?.estimate) },
    { name: text('figure.available'), value: bitrate(stats?.available) },
  ];
  const path = `figure.path.${stats?.path ?? ''}`;
  if (hasText(path)) rows.push({ name: text('figure.path'), value: [text(path), stats?.transport?.toUpperCase()].filter(Boolean).join(', ') });
  return { title: text('side.whole'), rows };
}

/** @param {TrackStats} track @param {CallState} state @returns {FigureGroup} */
function trackFigures(track, state) {
  const rows = [
    { name: text('figure.codec'), value: track.codec ?? text('figure.none') },
    { name: text('figure.bitrate'), value: bitrate(track.bitrate) },
    { name: text('figure.loss'), value: percent(track.loss) },
  ];
  if (track.jitterMs !== null) rows.push({ name: text('figure.jitter'), value: milliseconds(track.jitterMs) });
  if (track.kind === 'video') {
    rows.push({ name: text('figure.size'), value: picture(track.width, track.height, track.fps) });
    if (track.freezes !== null) rows.push({ name: text('figure.freezes'), value: String(track.freezes) });
  }
  const active = track.layers.filter((layer) => layer.active);
  if (track.layers.length > 0) {
    const sizes = active.map((layer) => picture(layer.width, layer.height, null)).join('; ');
    rows.push({ name: text('figure.layers'), value: sizes === '' ? text('figure.none') : sizes });
  }
  const limitation = `figure.limitation.${track.limitation ?? ''}`;
  if (hasText(limitation)) rows.push({ name: text('figure.limitation'), value: text(limitation) });
  const source = state.tracks.find((one) => one.mid === track.mid)?.source;
  const isScreen = source === 'screen' || source === 'screen-audio';
  const title = isScreen ? text('control.share') : text(track.kind === 'audio' ? 'figure.group.microphone' : 'figure.group.camera');
  return { title, rows };
}
