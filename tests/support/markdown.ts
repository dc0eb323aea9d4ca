/** Reads the Markdown documents of the package: their code blocks, headings and links. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root folder of the checkout. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** A fenced code block. */
export interface Block {
  /** The document and the line of the block, such as `README.md:34`. */
  name: string;
  language: string;
  /** The words after the language. */
  attributes: string[];
  code: string;
  /** How a client has to connect to the server in the block, from a comment before it. */
  connect?: { path?: string; headers?: Record<string, string>; protocols?: string[] };
}

/** Returns the paths of the documents, relative to the root. */
export function documents(): string[] {
  const pages = readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md"));
  const others = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bench/README.md"];
  return [...others, ...pages.map((file) => `docs/${file}`)];
}

/** Returns the text of a document. */
export function read(document: string): string {
  return readFileSync(join(root, document), "utf8");
}

/** Returns the code blocks of a document. */
export function blocksOf(document: string): Block[] {
  const text = read(document);
  const block = /^(?:<!-- connect: (.*) -->\n\n)?```(\S+)(.*)\n([^]*?)^```$/gm;
  return [...text.matchAll(block)].map((match) => {
    const [, comment, language, attributes, code] = match as unknown as string[];
    const line = text.slice(0, match.index).split("\n").length;
    return {
      name: `${document}:${line}`,
      language: language!,
      attributes: attributes!.split(" ").filter((word) => word !== ""),
      code: code!,
      ...(comment === undefined ? {} : { connect: JSON.parse(comment) }),
    };
  });
}

/** Returns the targets of a document's links, outside of code. */
export function linksOf(document: string): string[] {
  const text = read(document).replaceAll(/^```[^]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "code");
  return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target!);
}

/** Returns the anchors of a document's headings, as GitHub names them. */
export function anchorsOf(document: string): string[] {
  const text = read(document).replaceAll(/^```[^]*?^```$/gm, "");
  return Array.from(
    text.matchAll(/^#+ (.+)$/gm),
    ([, title]) => title!.toLowerCase().replaceAll(/[^\p{L}\p{N}\- ]/gu, "").replaceAll(" ", "-"),
  );
}
