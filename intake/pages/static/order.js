// The order page's script: follows the order's events, and takes what the server says of the order at each of them.
"use strict";
(() => {
  const texts = JSON.parse(document.getElementById("texts").textContent);
  let order = document.getElementById("order"), reading = null, source = null;

  async function read() {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.getElementById("order");
    if (!next) throw new Error("no order");
    const said = next.querySelector("h1").textContent.trim();
    if (said !== order.querySelector("h1").textContent.trim()) {
      document.getElementById("spoken").textContent = page.text(texts, "order_announce", { step: said });
    }
    const focused = order.contains(document.activeElement) && document.activeElement.id === "headline";
    order.replaceWith(next);
    order = next;
    document.title = fresh.title;
    page.localise(order);
    if (focused) document.getElementById("headline").focus();
  }

  // One look at a time; what happens meanwhile is looked at once more. A look that fails is made again.
  function look() {
    if (reading) { reading.again = true; return; }
    const mine = (reading = { again: false });
    read().catch(() => { mine.again = true; return new Promise((done) => setTimeout(done, 3000 + 2000 * Math.random())); })
      .finally(() => { reading = null; if (mine.again) look(); });
  }

  function follow() {
    source = new EventSource(order.dataset.events);
    source.addEventListener("transition", (event) => {
      const { status } = JSON.parse(event.data);
      if (!order.querySelector(`[data-step="${status}"].done`)) look();
    });
    for (const kind of ["line_cancelled", "shipment", "refund", "action_required", "served"]) source.addEventListener(kind, look);
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      look(); // all was told, or it cannot be told now
      if (order.hasAttribute("data-live")) setTimeout(follow, 5000 + 5000 * Math.random());
    });
  }

  if (!("EventSource" in window)) {
    setInterval(() => { if (order.hasAttribute("data-live")) look(); }, 5000);
    return;
  }
  // The stream begins with what the page shows already: only what is new is looked at.
  follow();
  addEventListener("pagehide", () => source.close());
})();
