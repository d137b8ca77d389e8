// Makes and changes elements. Owns the only way from data to the page: as text, never as markup.

const SAFE_HREF = /^(#|\/(?!\/))/;

/** Make an element: `h("p", {class: "quiet", onclick: f}, "text", other)`; null and false among the children are left out. */
export function h(name, props = {}, ...children) {
  const made = document.createElement(name);
  set(made, props);
  fill(made, ...children);
  return made;
}

/** The same in SVG's own namespace. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

/** Set properties: functions are listeners, true and false are there or not, `href` leads within this site alone. */
export function set(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "href" && !SAFE_HREF.test(value)) throw new TypeError(`no place of this page: ${value}`);
    else if (key === "value") element.value = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value === false || value === null || value === undefined) element.removeAttribute(key);
    else element.setAttribute(key, String(value));
  }
  return element;
}

/** Put children in the place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** Change an element's text only where it differs, so that nothing that is read aloud or marked is disturbed. */
export function say(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
  return element;
}

let pending = [];

/** Tell who listens to the page instead of looking at it, once; what comes at the same time is told together. */
export function announce(text) {
  pending.push(text);
  if (pending.length > 1) return;
  say(document.getElementById("told"), "");
  requestAnimationFrame(() => {
    say(document.getElementById("told"), pending.join(" "));
    pending = [];
  });
}
