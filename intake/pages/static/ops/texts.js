// Every text of the page, in English. Owns words alone; figures are put in by who shows them.

export const T = {
  house: "Doorbuster ops",
  menu: {
    live: "Live", sales: "Sales", orders: "Orders", dead_letters: "Dead letters", webhooks: "Webhooks", log: "Change log",
    system: "System", keys: "Keys",
  },
  menu_name: "Parts of this page",
  role: { view: "may look", operate: "may steer", admin: "may do all" },
  sign_out: "Sign out",
  signing_in: "Signing in",
  session_over: "You are signed out: the time is over, or the key was revoked. Sign in to go on where you were.",
  key_missing: "Paste the ops key.",
  totp_missing: "Type the six digits that your authenticator shows.",
  not_found: "There is no such place on this page.",
  none: "none",
  unknown: "not known",
  loading: "Loading",
  again: "Try again",
  problems: {
    ops_key_required: "That is no ops key that is good.",
    role_required: "Your key may not do this.",
    totp_required: "This key has a second factor: type its code, too.",
    rate_limited: "Too many wrong tries. Wait a minute.",
    unreachable: "The server does not answer. Whatever was asked last may or may not have been done.",
    csrf_invalid: "The page is out of date: load it again.",
    store_unavailable: "A store does not answer.",
    overloaded: "The server has too much to do just now.",
    internal: "Something is broken in the server; its log has the cause.",
  },
  system: {
    title: "System", ok: "Everything is as it should be", troubles: "What is amiss", stores: "Stores",
    processes: "Workers and schedulers", sales: "Sales that are not over", work: "Work behind the intake",
    name: "Name", state: "State", answered: "Answered in", said: "Last heard of", waiting: "Orders waiting",
    good: "good", bad: "amiss",
  },
};
