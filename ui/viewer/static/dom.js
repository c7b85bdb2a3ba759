// Elements without markup: whatever comes from files or documents is set as text and cannot become anything else.

// Without the marks that turn the direction of what follows, as ui/render.py leaves them out.
function straight(child) {
  return typeof child === "string" ? child.replace(/[\u202a-\u202e\u2066-\u2069]/g, "") : child;
}

export function make(tag, options = {}, ...children) {
  const { on = {}, data = {}, ...rest } = options;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in element && name !== "list" && name !== "role") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const [name, value] of Object.entries(data)) element.dataset[name] = value;
  for (const [name, handler] of Object.entries(on)) element.addEventListener(name, handler);
  element.append(...children.filter((child) => child !== null && child !== undefined).map(straight));
  return element;
}

// Words of the interface; a page in another language gives a translator.
export function say(words) {
  return window.consiliumSay?.(words) ?? words;
}

export function labelled(words, control) {
  return make("label", { className: "control" }, make("span", {}, say(words)), control);
}

export function choices(select, options, value) {
  select.replaceChildren(...options.map(([name, words]) => make("option", { value: name }, words)));
  if (options.some(([name]) => name === value)) select.value = value;
}
