// The order page's script: follows the order's events and shows each step as it happens.
"use strict";
(() => {
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const steps = document.getElementById("steps");
  const language = document.documentElement.lang;
  const locale = navigator.languages.find((one) => one.toLowerCase().startsWith(language)) || language;
  const time = (at) => new Intl.DateTimeFormat(locale, { timeStyle: "medium" }).format(new Date(at));
  for (const one of document.querySelectorAll(".with-script")) one.hidden = false;
  for (const one of document.querySelectorAll("time")) one.textContent = time(one.dateTime);

  function done(step, at) {
    let line = steps.querySelector(`[data-step="${step}"]`);
    if (line && line.classList.contains("done")) return;
    if (!line) {
      line = steps.lastElementChild.cloneNode(true);
      line.dataset.step = step;
      line.querySelector(".name").textContent = texts[`step_${step}`];
      if (step === "cancelled") for (const open of [...steps.querySelectorAll(".open")]) open.remove();
      steps.append(line);
    }
    line.className = "done";
    line.querySelector(".mark").textContent = step === "cancelled" ? "✕" : "✓";
    const when = document.createElement("time");
    when.dateTime = at;
    when.textContent = time(at);
    const old = line.querySelector("time, .when");
    if (old) old.replaceWith(when); else line.append(when);
    document.getElementById("spoken").textContent = texts.order_announce.replace("{step}", texts[`step_${step}`]);
  }

  const source = new EventSource(steps.dataset.events);
  source.addEventListener("transition", (event) => {
    const { status, at } = JSON.parse(event.data);
    done(status, at);
    if (status === "cancelled" && !document.getElementById("reason")) { source.close(); location.reload(); }
  });
  addEventListener("pagehide", () => source.close());
})();
