import type { CloseInfo } from "../connection/close_info.ts";
import { HandshakeError } from "../http/errors.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";

/** The exit codes of the command line. */
export const ExitCode = {
  /** The connection ended cleanly. */
  Clean: 0,
  /** Something else has failed: a port that is in use, input that can't be sent. */
  Failed: 1,
  /** The connection was not opened: the server refused it, or can't be reached. */
  Refused: 2,
  /** The connection was lost: it ended without a Close frame, or the peer did not respond. */
  Abnormal: 3,
  /** One end has broken the protocol or a limit of the other one. */
  Protocol: 4,
  /** The arguments are wrong. */
  Usage: 64,
} as const;

/** The close codes that report a violation of the protocol or of a limit. */
const VIOLATIONS = new Set<number>([
  CloseCode.ProtocolError,
  CloseCode.UnsupportedData,
  CloseCode.InvalidFramePayloadData,
  CloseCode.PolicyViolation,
  CloseCode.MessageTooBig,
  CloseCode.MandatoryExtension,
]);

/** The codes of errors before a connection is open. */
const UNOPENED = new Set(["ERR_CONNECT", "ERR_TLS", "ERR_PERMISSION", "ERR_HANDSHAKE_LEFT"]);

/** Returns whether an error means that a connection was not opened. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof HandshakeError) return true;
  if (error instanceof DOMException) return error.name === "TimeoutError";
  return error instanceof WebSocketError && UNOPENED.has(error.code);
}

/** Returns the exit code for the end of a connection, or of an attempt. */
export function exitCodeOf({ closeCode, wasClean, error }: CloseInfo): number {
  if (isRefusal(error)) return ExitCode.Refused;
  if (VIOLATIONS.has(closeCode)) return ExitCode.Protocol;
  if (error instanceof WebSocketError && VIOLATIONS.has(error.closeCode ?? 0)) {
    return ExitCode.Protocol;
  }
  return wasClean ? ExitCode.Clean : ExitCode.Abnormal;
}
