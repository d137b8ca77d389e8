// The texts of orders and of what goes out into the world, in English. Owns words alone.

export const O = {
  search: "Search", all: "All of them", does: "What can be done", when: "When", state: "State", why: "Why", reason: "Reason",
  reason_hint: "Stands in the change log, and with the order.", reason_missing: "Say why.", kind: "Kind", detail: "What happened",
  orders: {
    title: "Orders", id: "Order", id_hint: "Its whole id leads straight to it.", customer: "Customer", sale: "Sale", status: "State", any: "any", from: "Accepted from",
    to: "and before", total: "Total", accepted: "Accepted", changed: "Last changed", none: "No order is found by that.", not_an_id: "That is no order's id.",
    statuses: {
      accepted: "Accepted", pending: "Pending", confirmed: "Confirmed", processing: "Processing", shipped: "Shipped", delivered: "Delivered",
      cancelled: "Cancelled", refunded: "Refunded",
    },
    why_filter: "Why, as it is written in the list",
  },
  order: {
    lines: "Lines", line: "Line", product: "Product", ordered: "Ordered", each: "Each", cancelled: "Cancelled", shipped: "Sent", refunded: "Money back",
    money: "Money", authorised: "authorised", captured: "taken", given_back: "given back", history: "History", shipments: "Parcels", refunds: "Money given back",
    no_shipments: "Nothing was sent yet.", no_refunds: "Nothing was given back.", carrier: "Carrier", tracking: "Tracking number", amount: "Amount", next_action: "The shopper must act for the payment.", paid_elsewhere: "Confirmed as paid in another way.",
    held_until: (at) => `Its units are held until ${at}.`, refusal: "Refused at", sale: "Sale", customer: "Customer", accepted: "Accepted", not_drained: "It was accepted and waits for its turn.",
    payments: {
      none: "no money is asked for", due: "will be asked for", requires_action: "the shopper must act", authorised: "held, not taken", captured: "taken",
      partially_refunded: "given back in part", refunded: "given back", voided: "let go", failed: "failed",
    },
    parcels: { shipped: "on its way", delivered: "delivered", lost: "lost" },
    refund_states: { pending: "under way", succeeded: "done", failed: "refused by the provider: see the dead letters" },
    ship: "Send a parcel", ship_ask: (id) => `Send a parcel of order ${id}?`, ship_means: "How many units of each line are in it. What is left can be sent later.", ship_yes: "It is sent", ship_told: "The parcel is noted.",
    units_of: (name) => `Units of ${name}`, open_units: (count) => `${count} not sent yet`, none_chosen: "Say how many units.", out_of_range: (most) => `From 0 to ${most}.`,
    refund: "Give money back", refund_ask: (id) => `Give money of order ${id} back?`, refund_means: (most) => `At most ${most} can be given back. The provider does it within minutes.`,
    refund_amount: (currency) => `Amount, ${currency}`, refund_amount_hint: "Empty: what the units below cost.", refund_yes: "Give it back", refund_told: "The refund is under way.", restock: "What had left is in stock again",
    refund_units: (count) => `up to ${count}`, nothing_to_refund: "Name an amount, or units.", not_an_amount: "That is no amount.",
    delivered: "Delivered", lost: "Lost", parcel_ask: { delivered: "Was this parcel delivered?", lost: "Was this parcel lost?" }, parcel_told: { delivered: "Noted as delivered.", lost: "Noted as lost: its units can be sent again, or their money given back." },
    cancel: "Cancel", cancel_ask: (id) => `Cancel order ${id}?`, cancel_means: "All that has not left is taken off: its units are for sale again, its money goes back.", cancel_yes: "Cancel it", cancel_told: "It is cancelled.",
    move: { confirmed: "Confirm by hand", processing: "Begin to pack" }, move_ask: { confirmed: (id) => `Confirm order ${id} by hand?`, processing: (id) => `Begin to pack order ${id}?` },
    move_means: { confirmed: "Without the provider's word: nobody asks for the money any more.", processing: "Its shopper sees that it is being packed." }, move_told: { confirmed: "It is confirmed.", processing: "It is being packed." },
  },
  letters: {
    title: "Dead letters", about: "What could not be done by itself and waits for a person. Nothing here is lost.", none: "None: nothing waits for a person.", any: "any",
    kinds: { order: "an order", delivery: "a delivery to a webhook", payment: "a step at the payment provider" },
    states: { open: "open", retried: "is tried again", resolved: "done", discarded: "discarded" },
    retry: "Try again", retry_ask: (id) => `Try ${id} again?`, retry_means: "Mend the cause first, else it comes back.", retry_told: "It is tried again.",
    discard: "Discard", discard_ask: (id) => `Discard ${id}?`, discard_means: "It is never tried again. An order that was accepted is not carried out: its shopper has to be told.", discard_told: "It is discarded.",
    failures: "Tries", since: "First", last: "Last", about_what: "About", payload: "What it holds", to_list: "All dead letters",
  },
  webhooks: {
    title: "Webhooks", about: "Systems that are told what happens.", none: "No system is told anything yet.", make: "Tell another system", url: "Address", url_hint: "It begins with https, and is public unless the settings allow others.",
    events: "Events", all_events: "all", events_hint: "None chosen: all of them.", description: "Description", made: "It is told from now on",
    once: "Its secret is shown this once. It verifies what it is sent by it.", failures: (count) => `${count} failed in a row`, states: { active: "active", paused: "paused", disabled: "disabled" },
    again: "Resume", again_ask: (url) => `Tell ${url} again?`, again_means: "What waits for it comes first, in order.", again_told: "It is told again.",
    test: "Send a test", test_told: "A test is on its way; see its deliveries.", rotate: "New secret", rotate_ask: (url) => `A new secret for ${url}?`, rotate_means: "Both secrets sign for a day, so that nothing is refused meanwhile.",
    remove: "Remove", remove_ask: (url) => `Tell ${url} nothing any more?`, remove_means: "What still waits for it is dropped. This cannot be taken back.", remove_told: "It is told nothing any more.",
    replay: "Send again", replay_ask: (url) => `Send what happened to ${url} once more?`, replay_means: "Events keep their ids, so that a careful receiver does nothing twice.", since: "From", until: "Until, empty: now", replay_told: "It comes once more.", since_missing: "Say from when.",
    deliveries: "Deliveries", no_deliveries: "Nothing was sent to it yet.", event: "Event", tries: "Tries", answered: "Answer", next: "Next try", delivery_states: { due: "is sent now", waiting: "waits", delivered: "delivered", dead: "given up", discarded: "discarded" },
    of: (url) => `Deliveries to ${url}`,
  },
  log: {
    title: "Change log", about: "What ops changed, newest first.", none: "Nothing was changed.", target: "Of", target_hint: "Such as sale:spring, product:lamp, order:ID, catalogue.", action: "What", who: "Who", change: "How", by_key: (name) => `with key ${name}`, by_command: "by a command",
  },
};
