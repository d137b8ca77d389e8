// How a sale goes, second by second: a stream, and asking by hand where no stream comes through. Owns the connection.
//
// It comes back by itself, is closed while nobody looks at the page, and asks then for what was missed.

import { get } from "./api.js";

const SILENT_MS = 6000;
const TICK_MS = 1000;
const STREAM_AGAIN_MS = 15_000;
const HISTORY_S = 900;

export class Feed {
  #source = null;
  #heardAt = 0;
  #triedAt = -Infinity;
  #isAsking = false;
  #needsHistory = true;

  /** Follow a sale until the signal ends it: `onView` gets each view, `onTrouble` a Problem that no waiting mends. */
  constructor(sale, { onView, onTrouble, signal }) {
    this.path = `/ops/sales/${encodeURIComponent(sale)}/live`;
    Object.assign(this, { onView, onTrouble, signal });
    this.#heardAt = performance.now();
    const timer = setInterval(() => this.#tick(), TICK_MS);
    document.addEventListener("visibilitychange", () => this.#looked(), { signal });
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      this.#close();
    });
    this.#ask();
  }

  /** How long ago something was heard, in seconds. */
  get silentS() {
    return (performance.now() - this.#heardAt) / 1000;
  }

  /** Ask at once, so that what was just changed shows. */
  refresh() {
    this.#ask();
  }

  #looked() {
    if (document.hidden) this.#close();
    else {
      this.#needsHistory = true;
      this.#triedAt = -Infinity;
      this.#ask();
    }
  }

  #tick() {
    if (document.hidden) return;
    const now = performance.now();
    if (this.#source && now - Math.max(this.#heardAt, this.#triedAt) > SILENT_MS) this.#close();
    if (!this.#source && now - this.#triedAt > STREAM_AGAIN_MS) this.#open();
    else if (!this.#source) this.#ask();
  }

  #open() {
    this.#triedAt = performance.now();
    const source = new EventSource(this.path);
    this.#source = source;
    const heard = (event) => source === this.#source && this.#heard(JSON.parse(event.data));
    source.addEventListener("message", heard);
    source.addEventListener("live", heard);
    // A stream that was refused is not tried again by the browser; one that broke off is.
    source.addEventListener("error", () => source.readyState === EventSource.CLOSED && this.#close());
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  async #ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const wantsHistory = this.#needsHistory;
    try {
      const view = await get(wantsHistory ? `${this.path}?history_s=${HISTORY_S}` : this.path, { signal: this.signal });
      if (wantsHistory) this.#needsHistory = false;
      this.#heard(view);
    } catch (error) {
      if (!this.signal.aborted && error.status >= 400 && error.status < 500) this.onTrouble(error);
    } finally {
      this.#isAsking = false;
    }
  }

  #heard(view) {
    if (this.signal.aborted) return;
    this.#heardAt = performance.now();
    this.onView(view);
  }
}
