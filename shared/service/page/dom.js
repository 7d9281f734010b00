// Making elements. Texts become text nodes only: nothing that another peer sends is ever read as HTML.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * An element: `h("li", { class: "card", onclick: f, "data-state": "online" }, "text", child)`. Properties beginning with "on"
 * are listeners, true is an empty attribute, and what is null, undefined or false is left out, children too.
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Puts these children in place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

function nodes(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false);
}

/**
 * Shows a list. Rows that say the same as before stay as they are, with the focus in them; new ones are marked for a moment.
 * `empty` is shown if there is nothing else.
 */
export function fillList(element, items, key, row, empty = null) {
  const before = new Map([...element.children].map((child) => [child.dataset.key, child]));
  const make = (name, made) => {
    made.dataset.key = name;
    const old = before.get(name);
    if (old?.isEqualNode(made)) return old;
    if (before.size > 0 && !old) mark(made);
    return made;
  };
  const rows = items.map((item) => make(key(item), row(item)));
  if (rows.length === 0 && empty) rows.push(make("(empty)", h("li", null, h("div", { class: "empty grow" }, ...empty))));
  if (rows.length === before.size && rows.every((one, place) => one === element.children[place])) return;
  const focused = document.activeElement;
  element.replaceChildren(...rows);
  if (element.contains(focused)) focused.focus({ preventScroll: true });
}

/** Marks something new for a moment. */
export function mark(element) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  element.animate({ backgroundColor: ["var(--accent-soft)", "transparent"] }, 2400);
}

/** Calls a function once now, and once more at the end of a pause if it was asked for meanwhile. Failures go to `failed`. */
export function calmly(pause, work, failed) {
  let running = false;
  let again = false;
  return async function ask() {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      try {
        await work();
      } catch (error) {
        failed(error);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    running = false;
  };
}

/** Shows a dialog with a title and this content; it closes by its button, by Escape, or by a click beside it. */
export function show(title, ...content) {
  const close = h("button", { class: "small", type: "button", onclick: () => dialog.close() }, "Close");
  const heading = h("h2", { id: "dialog-title" }, title);
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, h("header", null, heading, close), ...content);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

/** Names and values, for a dialog. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined);
  return h("dl", { class: "facts" }, ...shown.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}
