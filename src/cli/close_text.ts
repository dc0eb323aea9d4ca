import type { ClosePayload } from "../protocol/close_code.ts";
import { CloseCode } from "../protocol/close_code.ts";

const NAMES = new Map<number, string>(
  Object.entries(CloseCode).map((
    [name, code],
  ) => [code, name.replace(/(?<=[a-z])(?=[A-Z])/g, " ")]),
);

/** Returns the name of a close code, as in IANA's registry. */
export function closeName(code: number): string {
  const name = NAMES.get(code);
  if (name !== undefined) return name;
  if (code >= 4000 && code <= 4999) return "private use";
  return code >= 3000 && code <= 3999 ? "registered use" : "not defined";
}

/** Returns a close code with its name and the reason. */
export function closeText({ closeCode, reason }: ClosePayload): string {
  return `${closeCode} ${closeName(closeCode)}${
    reason === "" ? "" : `, ${JSON.stringify(reason)}`
  }`;
}
