import { Buffer } from "node:buffer";
import type { InspectedFrame } from "../connection/frame_inspector.ts";
import { decodeClosePayload } from "../protocol/close_code.ts";
import type { ClosePayload } from "../protocol/close_code.ts";
import { Opcode } from "../protocol/opcode.ts";
import { closeName, closeText } from "./close_text.ts";
import type { Style, Terminal } from "./terminal.ts";

/** The end that has sent a frame, or the proxy itself. */
export type FrameOrigin = "client" | "server" | "proxy to client" | "proxy to server";

const NAMES = new Map<number, string>(Object.entries(Opcode).map(([name, code]) => [code, name]));
const ARROWS: Record<FrameOrigin, string> = {
  "client": "client → server",
  "server": "client ← server",
  "proxy to client": "client ← proxy ",
  "proxy to server": " proxy → server",
};
const STYLES: Record<string, Style> = {
  Text: "green",
  Binary: "magenta",
  Continuation: "blue",
  Ping: "yellow",
  Pong: "yellow",
  Close: "red",
};

/** Returns the heading of the columns of {@linkcode frameLine}. */
export function frameHeading(terminal: Terminal): string {
  const columns = [
    "time".padEnd(12),
    "#".padStart(3),
    "direction".padEnd(15),
    "opcode".padEnd(12),
    "flags".padEnd(8),
    "payload".padStart(9),
    "frame".padStart(9),
  ];
  return terminal.paint("bold", columns.join("  "));
}

/** Returns a frame as a line of output. */
export function frameLine(
  terminal: Terminal,
  connection: number,
  origin: FrameOrigin,
  frame: InspectedFrame,
): string {
  const name = NAMES.get(frame.opcode) ?? `0x${frame.opcode.toString(16)}`;
  const flags = `${frame.fin ? "FIN" : "-  "} ${frame.rsv1 ? "RSV1" : "-"}`;
  const content = contentOf(frame);
  return [
    terminal.paint("dim", timeOf(frame.time)),
    `${connection}`.padStart(3),
    terminal.paint(origin.startsWith("proxy") ? "dim" : "cyan", ARROWS[origin]),
    terminal.paint(STYLES[name] ?? "bold", name.padEnd(12)),
    flags.padEnd(8),
    `${frame.payloadLength}`.padStart(9),
    terminal.paint("dim", `${frame.frameLength}`.padStart(9)),
    ...(content === "" ? [] : [terminal.show(content)]),
  ].join("  ");
}

/** Returns a frame as an object, for a line of JSON. */
export function frameJson(
  connection: number,
  origin: FrameOrigin,
  frame: InspectedFrame,
): Record<string, unknown> {
  const { time, opcode, fin, rsv1, payloadLength, frameLength, payload } = frame;
  const close = closeOf(frame);
  return {
    time: new Date(time).toISOString(),
    connection,
    from: origin,
    opcode,
    name: NAMES.get(opcode),
    fin,
    rsv1,
    payloadLength,
    frameLength,
    ...(payload !== undefined && close === undefined &&
      { payload: Buffer.from(payload).toString("hex") }),
    ...(close !== undefined &&
      { closeCode: close.closeCode, closeName: closeName(close.closeCode), reason: close.reason }),
  };
}

/** Returns the local time of day, with milliseconds. */
export function timeOf(time: number): string {
  const date = new Date(time);
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((
    n,
  ) => `${n}`.padStart(2, "0"));
  return `${hours}:${minutes}:${seconds}.${`${date.getMilliseconds()}`.padStart(3, "0")}`;
}

/** Returns the content of a control frame. */
function contentOf(frame: InspectedFrame): string {
  if (frame.payload === undefined || frame.payload.length === 0) {
    return frame.opcode === Opcode.Close ? "1005 No Status Received" : "";
  }
  const close = closeOf(frame);
  return close === undefined ? Buffer.from(frame.payload).toString("hex") : closeText(close);
}

/** Returns the code and the reason of a Close frame; `undefined` for any other, or a malformed one. */
function closeOf({ opcode, payload }: InspectedFrame): ClosePayload | undefined {
  if (opcode !== Opcode.Close || payload === undefined) return undefined;
  try {
    return decodeClosePayload(payload);
  } catch {
    return undefined; // It is shown in hex. The connection fails.
  }
}
