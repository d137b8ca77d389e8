// The waiting page's script: polls the one document that everybody shares, reckons the position from it, and claims
// when the place is reached. It asks nobody else, keeps no secret (those are in cookies it cannot read), and changes
// pages by loading them: what a page says, the server says.
"use strict";
(() => {
  const room = document.getElementById("room");
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const language = document.documentElement.lang;
  const locale = navigator.languages.find((one) => one.toLowerCase().startsWith(language)) || language;
  const numbers = new Intl.NumberFormat(locale);
  const SPEAK_EVERY_MS = 30000;
  const say = (name, values) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const element = (id) => document.getElementById(id);
  const put = (id, text) => { const found = element(id); if (found && found.textContent !== text) found.textContent = text; };
  const show = (id, shown) => { const found = element(id); if (found) found.hidden = !shown; };
  const between = (value, least, most) => Math.min(Math.max(value, least), most);

  for (const one of document.querySelectorAll(".with-script")) one.hidden = false;
  for (const one of document.querySelectorAll("time")) {
    const at = new Date(one.dateTime);
    one.textContent = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(at);
  }
  if (sessionStorage.getItem("focus")) { sessionStorage.removeItem("focus"); element("headline").focus(); }

  function reload() { sessionStorage.setItem("focus", "1"); location.reload(); }

  // A place from another device: it comes behind the '#', which browsers send nobody, and goes in a form's body.
  const carried = new URLSearchParams(location.hash.slice(1)).get("place");
  if (carried) {
    history.replaceState(null, "", location.pathname);
    const form = document.createElement("form");
    form.method = "post";
    form.action = room.dataset.page;
    for (const [name, value] of [["do", "move"], ["place", carried]]) {
      const input = document.createElement("input");
      input.type = "hidden"; input.name = name; input.value = value;
      form.append(input);
    }
    document.body.append(form);
    form.submit();
    return;
  }

  const copy = element("copy");
  if (copy) copy.addEventListener("click", async () => {
    element("link").select();
    try { await navigator.clipboard.writeText(element("link").value); } catch { document.execCommand("copy"); }
    copy.textContent = texts.copied;
    put("spoken", texts.copied);
  });

  function clock(seconds) {
    if (seconds === null) return texts.eta_unknown;
    if (seconds < 60) return texts.eta_soon;
    const minutes = Math.round(seconds / 60);
    if (minutes < 90) return say("eta_minutes", { n: minutes });
    return say("eta_hours", { h: Math.floor(minutes / 60), m: minutes % 60 });
  }

  // The puzzle against robots: a nonce so that SHA-256(salt:visitor:nonce) begins with so many zero bits.
  const join = element("join");
  if (join && join.dataset.salt) join.addEventListener("submit", async (event) => {
    if (element("challenge").value) return;
    event.preventDefault();
    const button = join.querySelector("button");
    button.disabled = true;
    show("working", true);
    put("spoken", texts.working);
    let { salt, bits } = join.dataset;
    try {
      const fresh = (await (await fetch(room.dataset.status)).json()).challenge;
      if (fresh.kind === "proof_of_work") ({ salt, bits } = fresh);
    } catch { /* the page's own salt is good for a while */ }
    element("challenge").value = `${salt}:${await solve(`${salt}:${join.dataset.visitor}:`, Number(bits))}`;
    join.submit();
  });

  async function solve(head, bits) {
    for (let nonce = 0; ; nonce++) {
      const [first] = sha256(head + nonce);
      if (Math.clz32(first) >= bits || bits > 32) return nonce;
      if (nonce % 2000 === 1999) await new Promise((done) => setTimeout(done));
    }
  }

  // SHA-256 (FIPS 180-4) of ASCII text, as words: the browser's own is not there without https.
  const K = [], H0 = [];
  for (let n = 2, primes = 0; primes < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
    if (!prime) continue;
    if (primes < 8) H0.push(((Math.sqrt(n) % 1) * 4294967296) | 0);
    K.push(((Math.cbrt(n) % 1) * 4294967296) | 0);
    primes++;
  }
  function sha256(text) {
    const size = text.length, blocks = ((size + 8) >> 6) + 1, words = new Int32Array(blocks * 16), w = new Int32Array(64);
    for (let i = 0; i < size; i++) words[i >> 2] |= text.charCodeAt(i) << (24 - (i & 3) * 8);
    words[size >> 2] |= 0x80 << (24 - (size & 3) * 8);
    words[blocks * 16 - 1] = size * 8;
    const state = H0.slice();
    const turn = (x, n) => (x >>> n) | (x << (32 - n));
    for (let block = 0; block < blocks; block++) {
      for (let i = 0; i < 64; i++) {
        if (i < 16) { w[i] = words[block * 16 + i]; continue; }
        const a = w[i - 15], b = w[i - 2];
        w[i] = (w[i - 16] + w[i - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))) | 0;
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 64; i++) {
        const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] = (state[i] + value) | 0; });
    }
    return state;
  }

  const view = room.dataset.view;
  if (view !== "waiting") {
    if (room.dataset.retry) setTimeout(reload, Number(room.dataset.retry) * 1000);
    return;
  }

  const number = Number(room.dataset.number);
  let place = room.dataset.place ? Number(room.dataset.place) : null;
  let position = room.dataset.position === "" ? null : Number(room.dataset.position);
  let phase = null, spokenAt = 0, timer = null;
  const began = `began-${room.dataset.page}-${number}`;
  if (position !== null && !sessionStorage.getItem(began)) sessionStorage.setItem(began, String(position));

  function speak(text, urgent) {
    const now = Date.now();
    if (!urgent && now - spokenAt < SPEAK_EVERY_MS) return;
    spokenAt = now;
    put("spoken", text);
  }

  function later(seconds) {
    clearTimeout(timer);
    timer = setTimeout(look, seconds * 1000);
  }

  function paint(status) {
    const before = position;
    position = Math.max(place - status.frontier, 0);
    const eta = position === 0 ? 0 : status.rate_per_s > 0 ? position / status.rate_per_s : null;
    put("position", numbers.format(position));
    put("eta", clock(eta));
    put("frontier", numbers.format(status.frontier));
    put("pace", numbers.format(Math.round(status.rate_per_s * 60)));
    const bar = element("progress"), from = Number(sessionStorage.getItem(began)) || position;
    if (bar) { bar.max = from || 1; bar.value = between(from - position, 0, from); }
    if (before !== null && before > position) put("moved", say("moved", { n: numbers.format(before - position) }));
    else if (before === position && status.phase === "open") put("moved", texts.not_moved);
    document.title = `(${numbers.format(position)}) ${texts.waiting_title}`;
    speak(`${texts.position}: ${numbers.format(position)}. ${texts.eta}: ${clock(eta)}`, before === null);
    return eta;
  }

  function notices(status) {
    show("hold", status.phase === "hold");
    show("degraded", status.degraded);
    show("stale", false);
    show("message", Boolean(status.message));
    put("message-text", status.message);
    show("sold-out", status.sold_out.products.length > 0);
    put("sold-out-text", status.sold_out.products.join(", "));
    if (phase !== null && phase !== status.phase && status.phase === "hold") speak(texts.hold, true);
  }

  async function look() {
    try {
      const answer = await fetch(room.dataset.status);
      if (!answer.ok) throw new Error(answer.status);
      await follow(await answer.json());
    } catch {
      show("stale", true);
      speak(texts.stale, false);
      later(5 + 5 * Math.random());
    }
  }

  async function follow(status) {
    notices(status);
    const ended = status.sold_out.whole || status.phase === "over" || status.phase === "drain";
    const drawn = place === null && status.cohort !== null;
    phase = status.phase;
    if (ended || drawn || (place !== null && place <= status.frontier)) {
      await claim();
      return;
    }
    const policy = status.poll;
    let wait = policy.max_s;
    if (place !== null) {
      const eta = paint(status);
      if (eta !== null) wait = between(eta * policy.share, policy.min_s, policy.max_s);
    } else {
      const left = (new Date(status.starts_at) - Date.now()) / 1000;
      wait = between(left * policy.share, policy.min_s, policy.max_s);
    }
    later(wait * (1 - policy.jitter + 2 * policy.jitter * Math.random()));
  }

  async function claim() {
    const answer = await fetch(room.dataset.claim, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
    });
    if (answer.status === 200) {
      const { admission, order_url: url } = await answer.json();
      put("headline", texts.admitted_title);
      put("spoken", texts.admitted_title);
      const foreign = new URL(url, location.href).origin !== location.origin;
      location.assign(foreign ? `${url}#doorbuster_admission=${admission}` : url);
      return;
    }
    if (answer.status !== 202) {
      if (answer.status >= 500) throw new Error(answer.status);
      reload();
      return;
    }
    const waiting = await answer.json();
    if (place === null && waiting.place !== null) { reload(); return; }
    if (waiting.position === 0 && position !== 0) {
      position = 0;
      put("headline", texts.next_title);
      put("position", numbers.format(0));
      put("eta", texts.eta_soon);
      put("moved", texts.next_text);
      speak(texts.next_title, true);
    }
    later(waiting.retry_after_s);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden && timer) later(Math.random()); });
  if (phase === null) later(Math.min(Number(room.dataset.retry) || 1, 2) * Math.random());
})();
