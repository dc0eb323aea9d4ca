/** What can be measured of a page's looks: whether it fits its window, and whether its text can be read. */

import type { Page } from "playwright-core";

/** The contrast that WCAG 2.2 asks of text, as the ratio of the luminances. */
const MIN_CONTRAST = 4.5;

/** A text of a page, and its contrast with what is behind it. */
export interface TextContrast {
  text: string;
  contrast: number;
}

/** What {@linkcode measure} has found. */
export interface Appearance {
  /** The width of the page's content, and of the window, in CSS pixels. */
  width: number;
  windowWidth: number;
  /** Each visible text that can be used, placeholders included. */
  texts: TextContrast[];
}

/** Runs in the page. It is text, since the types of this project are not those of a page. */
const measureInPage = `(() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  /** The red, green, blue and alpha of any CSS color. */
  const parse = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const mix = (below, above, alpha) => below.map((value, i) => value + (above[i] - value) * alpha);
  const over = (below, color) => mix(below, color, color[3]).slice(0, 3);

  const probe = document.documentElement.appendChild(document.createElement("span"));
  probe.style.color = "Canvas";
  const ground = parse(getComputedStyle(probe).color).slice(0, 3);
  probe.remove();

  /** The pixel of the last element of a chain from the root on: of its text, or else of its background. */
  const pixel = ([element, ...rest], below, text) => {
    const style = getComputedStyle(element);
    if (style.backgroundImage !== "none") throw new Error("a background image behind text");
    let content = over(below, parse(style.backgroundColor));
    if (rest.length > 0) content = pixel(rest, content, text);
    else if (text !== undefined) content = over(content, parse(text));
    return mix(below, content, Number(style.opacity));
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (element, color) => {
    const chain = [];
    for (let each = element; each !== null; each = each.parentElement) chain.unshift(each);
    const [dark, light] = [pixel(chain, ground), pixel(chain, ground, color)].map(luminance)
      .sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  const modal = document.querySelector("dialog:modal");
  const texts = [];
  const add = (element, text, color) => {
    const isUsable = (modal ?? document).contains(element) &&
      element.closest(":disabled, [aria-disabled=true]") === null;
    if (text.trim() === "" || !isUsable) return;
    if (!element.checkVisibility({ visibilityProperty: true })) return;
    texts.push({ text: text.trim(), contrast: contrast(element, color) });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement, data } = walker.currentNode;
    add(parentElement, data, getComputedStyle(parentElement).color);
  }
  for (const field of document.querySelectorAll("input, textarea")) {
    if (field.value !== "") add(field, field.value, getComputedStyle(field).color);
    else add(field, field.placeholder, getComputedStyle(field, "::placeholder").color);
  }
  return { width: document.documentElement.scrollWidth, windowWidth: innerWidth, texts };
})()`;

/** Measures a page as it is now. */
export function measure(page: Page): Promise<Appearance> {
  return page.evaluate<Appearance>(measureInPage);
}

/** Returns what is wrong with an appearance; nothing if the page fits and each text can be read. */
export function flaws({ width, windowWidth, texts }: Appearance): string[] {
  const faint = texts.filter(({ contrast }) => contrast < MIN_CONTRAST)
    .map(({ text, contrast }) =>
      `${JSON.stringify(text)} has a contrast of ${contrast.toFixed(2)}`
    );
  if (texts.length === 0) faint.push("there is no text");
  return width <= windowWidth ? faint : [`${width} px do not fit ${windowWidth}`, ...faint];
}
