// What every page's script does: times in the visitor's own zone, countdowns by the server's clock, and loading anew by
// itself. It asks nobody anything, and never sends a form again: pages are loaded with GET.
"use strict";
const page = (() => {
  const body = document.body;
  const locale = body.dataset.locale || document.documentElement.lang;
  const ahead = Number(body.dataset.now) - Date.now();
  const now = () => Date.now() + ahead;
  const here = body.dataset.page || location.pathname;
  const plurals = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(navigator.languages.find((one) => one.toLowerCase().startsWith(locale.slice(0, 2))) || locale);
  const SCALE = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const FORMS = {
    moment: {
      weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short",
    },
    clock: { hour: "numeric", minute: "2-digit", timeZoneName: "short" },
    seconds: { timeStyle: "medium" },
  };

  function text(texts, name, values = {}, count = null) {
    let line = texts[name];
    if (typeof line !== "string") line = line[plurals.select(count)] ?? line.other;
    const said = count === null ? values : { n: numbers.format(count), ...values };
    return line.replace(/\{(\w+)\}/g, (whole, key) => said[key] ?? whole);
  }

  const shown = (at, form) => new Intl.DateTimeFormat(locale, FORMS[form]).format(at);

  const unit = (count, name) =>
    new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "short" }).format(count);

  // At most two units, as the server says it.
  function duration(seconds, rough = false) {
    let left = Math.max(0, Math.ceil(seconds));
    if (rough) left = Math.max(60, Math.ceil(left / 60) * 60);
    let first = SCALE.findIndex(([size]) => left >= size);
    if (first < 0) first = SCALE.length - 1;
    const parts = [];
    for (const [size, name] of SCALE.slice(first, first + 2)) {
      const count = Math.floor(left / size);
      left -= count * size;
      if (count || !parts.length) parts.push(unit(count, name));
    }
    return parts.join(" ");
  }

  function localise(root) {
    for (const one of root.querySelectorAll("time[data-show]")) one.textContent = shown(new Date(one.dateTime), one.dataset.show);
    for (const one of root.querySelectorAll(".with-script")) one.hidden = false;
  }

  // A form that somebody is filling in is not taken away.
  function isBusy() {
    const one = document.activeElement;
    const typed = [...document.querySelectorAll("input:not([type=hidden]):not([readonly])")].some((input) => input.value);
    return typed || (one && ["INPUT", "SELECT"].includes(one.tagName) && !one.readOnly);
  }

  function anew() {
    if (isBusy()) { setTimeout(anew, 5000); return; }
    try { sessionStorage.setItem("focus", "1"); } catch { /* no storage here: only the focus is lost */ }
    location.replace(here === location.pathname ? here + location.search : here);
  }

  const title = document.title;
  let gone = false;
  function tick() {
    for (const one of document.querySelectorAll("[data-until]")) {
      const left = (new Date(one.dataset.until) - now()) / 1000;
      one.textContent = duration(left);
      if (left <= 0 && !gone) { gone = true; setTimeout(anew, 500 + 2500 * Math.random()); }
    }
    if (body.dataset.titleUntil) document.title = `(${duration((new Date(body.dataset.titleUntil) - now()) / 1000)}) ${title}`;
  }

  // A notification is the visitor's own wish, made on the waiting page; it is told once, to who looks elsewhere.
  function tell(head, text) {
    try {
      if (sessionStorage.getItem("notify") !== "1" || Notification.permission !== "granted" || !document.hidden) return;
      sessionStorage.removeItem("notify");
      const told = new Notification(head, { body: text, tag: "doorbuster", requireInteraction: true });
      told.onclick = () => window.focus();
    } catch { /* no storage, or notifications only by a service worker: the title says it as well */ }
  }

  localise(document);
  tick();
  if (body.dataset.titleUntil) tell(document.getElementById("headline").textContent, title);
  setInterval(tick, 1000);
  if (body.dataset.again) setTimeout(anew, Number(body.dataset.again) * 1000 * (1 + 0.2 * Math.random()));
  let returned = null;
  try { returned = sessionStorage.getItem("focus"); sessionStorage.removeItem("focus"); } catch { /* see above */ }
  if (returned) document.getElementById("headline").focus();
  return { now, text, shown, duration, localise, anew, numbers, tell };
})();
