/**
 * Extensions of the protocol: their interface, and "permessage-deflate".
 *
 * @example
 * ```ts
 * import { Opcode } from "@sluice/websocket/protocol";
 * import type { Frame, FrameInit } from "@sluice/websocket/protocol";
 * import { acceptOffers, PerMessageDeflate, useExtensions } from "@sluice/websocket/extensions";
 * import { assertEquals } from "@std/assert";
 *
 * const offers = [{ name: "permessage-deflate", params: [] }];
 * const agreements = acceptOffers([new PerMessageDeflate({ threshold: 0 })], offers);
 * const deflate = useExtensions(agreements)!;
 * const payload = new TextEncoder().encode("Hello");
 * deflate.send({ opcode: Opcode.Text, payload }, {
 *   // RFC 7692 §7.2.3.1: "A Message Compressed Using One Compressed DEFLATE Block"
 *   enqueue: (frame: FrameInit) =>
 *     assertEquals([...frame.payload!], [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]),
 * });
 * deflate.close();
 * ```
 *
 * @module
 */
export type { Frame, FrameInit, Opcode } from "../protocol/mod.ts";
export type { ExtensionOffer } from "../protocol/extension_offer.ts";
export type { FrameSink } from "../protocol/frame_sink.ts";
export type { PerMessageDeflateOptions } from "./deflate_options.ts";
export type {
  Extension,
  ExtensionAgreement,
  ExtensionInUse,
  ExtensionSendOptions,
  ExtensionUseOptions,
  FrameInitSink,
  SharedFrameInit,
  SharedTransform,
} from "./extension.ts";
export { acceptOffers, acceptResponses, useExtensions } from "./negotiation.ts";
export { PerMessageDeflate } from "./permessage_deflate.ts";
