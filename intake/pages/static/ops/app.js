// The page's beginning: who is signed in, the menu, the views. Owns these; each view owns what it shows.

import { Problem, call, session, signedOut } from "./api.js";
import { fill, h } from "./dom.js";
import { route, trouble } from "./router.js";
import { T } from "./texts.js";
import { deadLetter, deadLetters } from "./views/dead_letters.js";
import { floor, floorOfSale } from "./views/floor.js";
import { live, liveOfSale } from "./views/live.js";
import { log } from "./views/log.js";
import { loss, losses } from "./views/losses.js";
import { order } from "./views/order.js";
import { orders } from "./views/orders.js";
import { newSale, sale } from "./views/sale.js";
import { sales } from "./views/sales.js";
import { keys } from "./views/keys.js";
import { runbook, runbookSection } from "./views/runbook.js";
import { system } from "./views/system.js";
import { webhook, webhooks } from "./views/webhooks.js";

const VIEWS = [live, liveOfSale, floor, floorOfSale, sales, newSale, sale, orders, order, deadLetters, deadLetter, losses, loss, webhooks, webhook, log, runbook, runbookSection, system, keys];

function bar(who) {
  const links = VIEWS.filter((view) => view.menu).map((view) =>
    h("li", {}, h("a", { href: `#${view.path}`, id: `menu-${view.menu}` }, T.menu[view.menu])));
  fill(document.getElementById("bar"),
    h("p", { class: "house" }, T.house),
    h("nav", { "aria-label": T.menu_name }, h("ul", {}, links)),
    h("p", { class: "who" }, h("span", {}, `${who.name}, ${T.role[who.role]}`),
      h("button", { type: "button", class: "plain", onclick: signOut }, T.sign_out)));
}

async function signOut() {
  await call("DELETE", "/ops/session");
  location.reload();
}

function moved(view) {
  for (const link of document.querySelectorAll("#bar nav a")) {
    if (view && link.id === `menu-${view.menu || view.under}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function begin() {
  const root = document.getElementById("main");
  try {
    const who = await session();
    bar(who);
    await route(root, VIEWS, { who, first: who.role === "view" ? floor.path : live.path }, moved);
  } catch (error) {
    if (error instanceof Problem && error.code === "ops_key_required") signedOut();
    else fill(root, trouble(error, () => location.reload()));
  }
}

begin();
