// A storefront in the browser, on another origin than Doorbuster: index.html?api=http://127.0.0.1:8000&sale=spring&product=lamp
// It needs nothing but CORS_ORIGINS with this page's origin. What must not be lost is kept in localStorage, so that a
// reload, a crash or a second tab goes on where this page was, and never buys twice.

const asked = new URLSearchParams(location.search);
const api = asked.get("api"), sale = asked.get("sale"), product = asked.get("product");
const name = `${api}/${sale}`;
const kept = { customer: `c-${crypto.randomUUID()}`, ...JSON.parse(localStorage.getItem(name) ?? "{}") };

const $ = (id) => document.getElementById(id);
const say = (text) => { $("said").textContent = text; };
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function keep(changes) {
  Object.assign(kept, changes);
  localStorage.setItem(name, JSON.stringify(kept));
}

// Call until there is an answer: after a 5xx, a 429 or a broken connection the same request is right again.
async function call(method, path, { body, headers = {} } = {}) {
  const sent = { method, headers: body ? { "Content-Type": "application/json", ...headers } : headers };
  if (body) sent.body = JSON.stringify(body);
  for (let pause = 1; ; pause = Math.min(pause * 2, 15)) {
    let wait = pause;
    try {
      const answer = await fetch(api + path, sent);
      if (answer.status < 500 && answer.status !== 429) return { status: answer.status, told: await answer.json() };
      wait = Number(answer.headers.get("Retry-After")) || pause;
    } catch (error) {
      console.info("no answer, trying again", error);
    }
    say("One moment: the shop is busy. We keep trying, and you lose nothing.");
    await sleep(wait * (1 + Math.random() / 2));
  }
}

async function showProduct() {
  const { status, told } = await call("GET", `/products/${encodeURIComponent(product)}`);
  if (status !== 200) return say("There is no such product.");
  const money = new Intl.NumberFormat(navigator.language, { style: "currency", currency: told.currency });
  const digits = money.resolvedOptions().maximumFractionDigits;
  $("name").textContent = told.name;
  $("price").textContent = money.format(told.price / 10 ** digits);
  $("left").textContent = { in_stock: "In stock", low: "Few left", sold_out: "Sold out" }[told.availability];
  $("buy").disabled = false;
}

// One attempt to buy has one key, made before the first request and kept until there is an answer.
async function buy() {
  $("buy").disabled = true;
  if (!kept.attempt) {
    const body = { customer_id: kept.customer, lines: [{ product_id: product, quantity: 1 }] };
    keep({ attempt: { key: crypto.randomUUID(), body } });
  }
  say("Placing your order ...");
  for (;;) {
    const headers = { "Idempotency-Key": kept.attempt.key };
    if (kept.admission) headers.Authorization = `Bearer ${kept.admission}`;
    const { status, told } = await call("POST", `/sales/${sale}/orders`, { body: kept.attempt.body, headers });
    if (status === 202) {
      keep({ attempt: undefined, order: told.order_id });
      return follow();
    }
    if (!told.code?.startsWith("admission_")) {
      keep({ attempt: undefined });
      $("buy").disabled = false;
      return say(REFUSED[told.code] ?? `This did not work (${told.code}).`);
    }
    if (kept.admission) keep({ admission: undefined, place: undefined }); // it ran out or is spent: wait again
    if (!(await waitInRoom())) return;
  }
}

const REFUSED = {
  sold_out: "Sold out. If an order is cancelled, units may come back.",
  limit_exceeded: "You have as many as one customer may have.",
  sale_not_open: "The sale takes no orders now.",
};

// A place is its ticket and a secret that this page made: kept, so that a reload does not lose it.
async function join() {
  const secret = crypto.randomUUID(), bytes = new TextEncoder().encode(secret);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const secret_hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const body = { visitor_id: crypto.randomUUID(), secret_hash, customer_id: kept.customer };
  const { status, told } = await call("POST", `/sales/${sale}/room/tickets`, { body });
  if (status !== 201) return over(told);
  keep({ place: { ticket: told.ticket, number: told.number, secret } });
  return true;
}

// Look at the room's document as often as it says, claim when it is our turn.
async function waitInRoom() {
  if (!kept.place && !(await join())) return false;
  const { ticket, number, secret } = kept.place;
  let place = number, isDrawn = false;
  for (;;) {
    const { status, told: room } = await call("GET", `/sales/${sale}/room`);
    if (status !== 200) return over(room);
    isDrawn ||= room.cohort === null || number > room.cohort;
    const position = Math.max(0, place - room.frontier), ready = room.phase === "open";
    say(ready ? `You are number ${position + 1} in the queue.` : "You are in. The queue has not begun to move.");
    let wait = Math.min(room.poll.max_s, Math.max(room.poll.min_s, (position / room.rate_per_s) * room.poll.share));
    if (ready && (position === 0 || !isDrawn)) {
      const claimed = await call("POST", `/sales/${sale}/room/admissions`, { body: { ticket, secret } });
      if (claimed.status === 200) {
        keep({ admission: claimed.told.admission });
        say("It is your turn.");
        return true;
      }
      if (claimed.told.code?.startsWith("place_")) {
        keep({ place: undefined }); // it lapsed: nobody came when it was reached
        return waitInRoom();
      }
      if (claimed.status !== 202) return over(claimed.told);
      place = claimed.told.place ?? place;
      isDrawn = claimed.told.place !== null;
      wait = claimed.told.retry_after_s;
    }
    await sleep(wait * (1 + room.poll.jitter * (2 * Math.random() - 1)));
  }
}

function over(told) {
  keep({ attempt: undefined, place: undefined });
  $("buy").disabled = false;
  say({ room_sold_out: REFUSED.sold_out, room_over: "The sale is over." }[told.code] ?? `The queue: ${told.code}.`);
  return false;
}

// A 202 means that the order is safe; what becomes of it is told by its events, and by reading it after each.
function follow() {
  const events = new EventSource(`${api}/orders/${kept.order}/events`);
  const look = async () => {
    const { told } = await call("GET", `/orders/${kept.order}`);
    say(STATUS[told.status] ?? `Your order: ${told.status}`);
    if (!["accepted", "pending"].includes(told.status)) events.close();
  };
  events.addEventListener("transition", look);
  events.onerror = () => setTimeout(look, 1000);
  look();
}

const STATUS = {
  accepted: "We have your order. One moment ...",
  pending: "It is reserved for you; your payment is under way.",
  confirmed: "It is yours. Thank you!",
  cancelled: "Your order was cancelled: sold out, or the payment was declined.",
};

$("buy").addEventListener("click", buy);
await showProduct();
if (kept.attempt) buy();
else if (kept.order) follow();
