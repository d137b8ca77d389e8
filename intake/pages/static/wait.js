// The waiting page's script: polls the one document that everybody shares, reckons the position from it, and claims
// when the place is reached. It asks nobody else, keeps no secret (those are in cookies it cannot read), and changes
// pages by loading them: what a page says, the server says.
"use strict";
(() => {
  const room = document.getElementById("room");
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const names = JSON.parse(document.getElementById("names").textContent);
  const { numbers } = page;
  const SPEAK_EVERY_MS = 30000, STILL_MS = 120000, LONG_S = 12 * 3600;
  const say = (name, values, count) => page.text(texts, name, values, count);
  const element = (id) => document.getElementById(id);
  const put = (id, text) => { const found = element(id); if (found && found.textContent !== text) found.textContent = text; };
  const show = (id, shown) => { const found = element(id); if (found) found.hidden = !shown; };
  const between = (value, least, most) => Math.min(Math.max(value, least), most);
  const kept = {
    get: (name) => { try { return sessionStorage.getItem(name); } catch { return null; } },
    set: (name, value) => { try { sessionStorage.setItem(name, value); } catch { /* no storage: a moment is forgotten */ } },
  };

  // A place from another device: it comes behind the '#', which browsers send nobody, and goes in a form's body.
  const carried = new URLSearchParams(location.hash.slice(1)).get("place");
  if (carried) {
    history.replaceState(null, "", location.pathname);
    const form = document.createElement("form");
    form.method = "post";
    form.action = location.pathname;
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

  // From the least to the most, as the server says it.
  function wait(range) {
    if (range === null || range[0] > LONG_S) return texts.eta_unknown;
    const [soon, late] = range;
    if (late > LONG_S) return texts.eta_long;
    if (late < 60) return texts.eta_soon;
    const most = page.duration(late, true);
    if (soon < 60) return say("eta_most", { most });
    const least = page.duration(Math.floor(soon / 60) * 60, true);
    if (least === most) return say("eta_about", { time: most });
    return say("eta_range", { least: late <= 3540 ? numbers.format(Math.floor(soon / 60)) : least, most }); // the unit once
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
  const seenOf = (status) => `${status.phase} ${status.starts_at} ${status.needs_admission ? "True" : "False"} ${status.sold_out.whole ? "True" : "False"}`;

  // Without a place the page follows the sale: it is loaded anew when that has gone on.
  async function watch() {
    let wait = view === "over" || view === "closing" ? 60 : 10;
    try {
      const answer = await fetch(room.dataset.status);
      if (answer.ok) {
        const status = await answer.json();
        if (room.dataset.seen !== seenOf(status)) { setTimeout(page.anew, 2000 * Math.random()); return; }
        const left = (new Date(status.starts_at) - page.now()) / 1000;
        if (left > 0) wait = between(left / 4, 1, 10);
      }
    } catch { /* asked again */ }
    setTimeout(watch, wait * 1000 * (1 + 0.3 * Math.random()));
  }
  if (view !== "waiting") {
    if (view !== "down") watch();
    return;
  }

  const number = Number(room.dataset.number);
  let place = room.dataset.place ? Number(room.dataset.place) : null;
  let position = room.dataset.position === "" ? null : Number(room.dataset.position);
  let phase = null, spokenAt = 0, timer = null, movedAt = Date.now(), moving = 1;
  const began = `began-${room.dataset.status}-${number}`;
  if (position !== null && !kept.get(began)) kept.set(began, String(position));

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

  function title(head) {
    document.title = position ? `(${numbers.format(position)}) ${head}` : head;
  }

  function headline(still) {
    const head = still ? texts.paused_title : position === 0 ? texts.next_title : texts.waiting_title;
    put("headline", head);
    const phase = document.querySelector(".phase"), stands = still ? "paused" : "queue";
    if (phase && phase.dataset.standing !== stands) { phase.dataset.standing = stands; phase.textContent = texts[`now_${stands}`]; }
    show("near", position === 0 && !still);
    for (const id of ["position-box", "way"]) show(id, position !== 0);
    title(head);
  }

  // A line that changed a moment ago stays: nobody reads what flips.
  let wordsAt = 0;
  function estimate(range) {
    const words = wait(range), box = element("eta");
    if (!box || words === box.textContent || Date.now() - wordsAt < 10000) return words;
    wordsAt = Date.now();
    box.textContent = words;
    return words;
  }

  function backBefore(range) {
    const time = element("keep").querySelector("time");
    if (!time || range === null) return;
    const at = new Date(page.now() + (range[0] + Number(room.dataset.grace)) * 1000);
    at.setSeconds(0, 0);
    time.dateTime = at.toISOString();
    time.textContent = page.shown(at, "clock");
  }

  function paint(status) {
    const before = position, still = status.phase === "hold";
    position = Math.max(place - status.frontier, 0);
    const { least_per_s: slow, most_per_s: fast } = status.pace;
    const range = position === 0 ? [0, 0] : slow > 0 ? [position / fast, position / slow] : null;
    put("position", numbers.format(position));
    put("frontier", numbers.format(status.frontier));
    put("admitted", numbers.format(status.admitted));
    headline(still);
    show("eta-box", position !== 0 && !still && !status.degraded);
    const words = still || status.degraded ? null : estimate(range);
    backBefore(range);
    const from = Number(kept.get(began)) || position, bar = element("progress");
    if (bar) { bar.max = from || 1; bar.value = between(from - position, 0, from); }
    if (before !== null && before !== position) movedAt = Date.now();
    if (from > position) { put("moved", say("moved", {}, from - position)); show("moved", true); }
    if (status.rate_per_s > 0) moving = status.rate_per_s;
    const patience = Math.max(STILL_MS, 3000 / moving);
    show("not-moved", status.phase === "open" && !status.degraded && Date.now() - movedAt > Math.min(patience, 900000));
    speak(`${texts.position}: ${numbers.format(position)}.${words ? ` ${texts.eta}: ${words}` : ""}`, before === null);
    return range === null ? null : range[0];
  }

  async function named(products) {
    return Promise.all(products.map(async (id) => {
      if (!names[id]) {
        names[id] = id;
        try {
          const answer = await fetch(room.dataset.products + encodeURIComponent(id));
          if (answer.ok) names[id] = (await answer.json()).name;
        } catch { /* its id has to do */ }
      }
      return names[id];
    }));
  }

  function notices(status) {
    show("hold", status.phase === "hold");
    show("degraded", status.degraded);
    show("stale", false);
    show("message", Boolean(status.message));
    put("message-text", status.message);
    show("sold-out", status.sold_out.products.length > 0);
    named(status.sold_out.products).then((all) => put("sold-out-text", all.join(", ")));
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
    if (place === null && !drawn && room.dataset.starts !== status.starts_at) { page.anew(); return; }
    phase = status.phase;
    if (place !== null) paint(status);
    if (ended || drawn || (place !== null && position === 0)) {
      await claim(status);
      return;
    }
    const policy = status.poll;
    let wait = policy.max_s;
    if (place !== null) {
      if (status.rate_per_s > 0) wait = between((position / status.rate_per_s) * policy.share, policy.min_s, policy.max_s);
    } else {
      const left = (new Date(status.starts_at) - page.now()) / 1000;
      wait = between(left * policy.share, policy.min_s, policy.max_s);
    }
    later(wait * (1 - policy.jitter + 2 * policy.jitter * Math.random()));
  }

  async function claim(status) {
    const answer = await fetch(room.dataset.claim, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
    });
    if (answer.status === 200) {
      const { admission, order_url: url } = await answer.json();
      put("headline", texts.admitted_title);
      put("spoken", texts.admitted_title);
      document.title = texts.admitted_title;
      const foreign = new URL(url, location.href).origin !== location.origin;
      if (foreign) page.tell(texts.admitted_title, texts.admitted_text); // the shop here tells it itself
      location.assign(foreign ? `${url}#doorbuster_admission=${admission}` : url);
      return;
    }
    if (answer.status !== 202) {
      if (answer.status >= 500) throw new Error(answer.status);
      page.anew();
      return;
    }
    const waiting = await answer.json();
    if (place === null && waiting.place !== null) { page.anew(); return; }
    if (waiting.position === 0 && position !== 0) {
      position = 0;
      headline(status.phase === "hold");
      speak(texts.next_title, true);
    }
    later(waiting.retry_after_s);
  }

  // Notifications are asked for by the visitor, and then by the browser.
  const bell = element("notify");
  const wanted = () => "Notification" in window && Notification.permission === "granted" && kept.get("notify") === "1";
  if (bell && "Notification" in window && window.isSecureContext) {
    bell.hidden = false;
    const said = (name) => { bell.textContent = texts[name]; bell.disabled = true; put("spoken", texts[name]); };
    if (wanted()) said("notify_on");
    bell.addEventListener("click", async () => {
      if (await Notification.requestPermission() === "granted") { kept.set("notify", "1"); said("notify_on"); } else said("notify_off");
    });
  }

  if (position !== null && position > 0) title(element("headline").textContent);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && timer) later(Math.random()); });
  later(Math.min(Number(room.dataset.retry) || 1, 2) * Math.random());
})();
