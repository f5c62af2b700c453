// @ts-check
// How loud a microphone is: samples to decibels to a bar.

/** Below this a room is silent, above that a voice distorts; in dB of full scale. */
export const quietest = -60;
export const loudest = -6;

/** @param {Float32Array | number[]} samples Between -1 and 1. @returns {number} dB of full scale, or -Infinity. */
export function decibels(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length === 0 || sum === 0 ? -Infinity : 10 * Math.log10(sum / samples.length);
}

/** Where the bar ends, from 0 to 1. @param {number} level */
export const barOf = (level) => Math.min(1, Math.max(0, (level - quietest) / (0 - quietest)));

/** Rises at once and falls slowly, as eyes expect of a meter. @param {number} fall A second's share. */
export function ballistics(fall = 1.2) {
  let shown = 0;
  let last = /** @type {number | null} */ (null);
  return (/** @type {number} */ bar, /** @type {number} */ now) => {
    const seconds = last === null ? 0 : Math.max(0, now - last) / 1000;
    last = now;
    shown = Math.max(bar, shown - fall * seconds, 0);
    return shown;
  };
}

/**
 * Watches a stream and reports what the bar shows, as often as the screen is drawn.
 * @param {MediaStream} stream
 * @param {(bar: number, isLoud: boolean) => void} report
 * @returns {() => void} Ends it.
 */
export function watchLevel(stream, report) {
  const Context = globalThis.AudioContext;
  if (Context === undefined || stream.getAudioTracks().length === 0) return () => {};
  const context = new Context();
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const smooth = ballistics();
  let frame = 0;
  const step = (/** @type {number} */ now) => {
    analyser.getFloatTimeDomainData(samples);
    const level = decibels(samples);
    report(smooth(barOf(level), now), level > loudest);
    frame = requestAnimationFrame(step);
  };
  frame = requestAnimationFrame(step);
  return () => {
    cancelAnimationFrame(frame);
    source.disconnect();
    // Browsers allow few contexts at a time.
    void context.close();
  };
}
