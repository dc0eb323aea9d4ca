import type { Frame, FrameInit } from "../protocol/frame.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";
import type {
  ExtensionAgreement,
  ExtensionInUse,
  ExtensionSendOptions,
  ExtensionUseOptions,
  FrameInitSink,
} from "./extension.ts";

/**
 * Puts all that was agreed to into use on a new connection, as one.
 *
 * @param agreements The agreements, in the order of the server's response.
 * @returns the extensions, or `undefined` where there are none.
 *
 * @example
 * ```ts
 * import { acceptOffers, PerMessageDeflate, useExtensions } from "@sluice/websocket/extensions";
 * import { assertEquals } from "@std/assert";
 *
 * const offers = [{ name: "permessage-deflate", params: [] }];
 * const agreements = acceptOffers([new PerMessageDeflate()], offers);
 * const extensions = useExtensions(agreements, { maxMessageSize: 65536 });
 * assertEquals(extensions?.changes(2000), true);
 * extensions?.close();
 * assertEquals(useExtensions([]), undefined);
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9.1 RFC 6455 §9.1}
 */
export function useExtensions(
  agreements: readonly ExtensionAgreement[],
  options: ExtensionUseOptions = {},
): ExtensionInUse | undefined {
  if (agreements.length === 0) return undefined;
  const extensions = agreements.map((agreement) => agreement.use(options));
  return extensions.length > 1 ? new ExtensionChain(extensions) : extensions[0];
}

/** Several extensions, one after the other. */
class ExtensionChain implements ExtensionInUse {
  readonly rsv: number;
  readonly #extensions: readonly ExtensionInUse[];

  constructor(extensions: readonly ExtensionInUse[]) {
    this.#extensions = extensions;
    this.rsv = extensions.reduce((rsv, extension) => rsv | extension.rsv, 0);
  }

  get heldBytes(): number {
    return this.#extensions.reduce((sum, { heldBytes = 0 }) => sum + heldBytes, 0);
  }

  get isPaused(): boolean {
    return this.#extensions.some(({ isPaused }) => isPaused);
  }

  // RFC 6455 §9.1: "the order of operations on the data should be assumed to be the same as the order
  // in which the extensions are listed in the server's response": so on receipt the last is undone
  // first.
  receive(frame: Frame, sink: FrameSink): void {
    this.#extensions.at(-1)!.receive(frame, this.#before(this.#extensions.length - 1, sink));
  }

  pause(): void {
    for (const extension of this.#extensions) extension.pause();
  }

  resume(sink: FrameSink): void {
    for (const [i, extension] of this.#extensions.entries()) {
      extension.resume(this.#before(i, sink));
      if (extension.isPaused) return;
    }
  }

  changes(size: number): boolean {
    return this.#extensions.some((extension) => extension.changes(size));
  }

  send(frame: FrameInit, sink: FrameInitSink, options?: ExtensionSendOptions): void {
    this.#extensions[0]!.send(frame, this.#after(0, sink, options), options);
  }

  close(): void {
    for (const extension of this.#extensions) extension.close();
  }

  /** Where the extension at `index` hands received frames on to. */
  #before(index: number, sink: FrameSink): FrameSink {
    if (index === 0) return sink;
    const next = this.#before(index - 1, sink);
    return { enqueue: (frame) => this.#extensions[index - 1]!.receive(frame, next) };
  }

  /** Where the extension at `index` hands frames that are to be sent on to. */
  #after(index: number, sink: FrameInitSink, options?: ExtensionSendOptions): FrameInitSink {
    if (index === this.#extensions.length - 1) return sink;
    const next = this.#after(index + 1, sink, options);
    return { enqueue: (frame) => this.#extensions[index + 1]!.send(frame, next, options) };
  }
}
