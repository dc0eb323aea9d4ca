import type { Overflow } from "../../src/connection/connection_options.ts";
import { ConnectionCounters } from "../../src/connection/counters.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { Sender } from "../../src/connection/sender.ts";
import { timers } from "../../src/util/timers.ts";
import { toHex } from "../harness.ts";
import { FakeTransport } from "./fake_transport.ts";

/** A Sender over a transport that goes nowhere, and what it has reported to its connection. */
export function makeSender(limits: Partial<Limits> = {}) {
  const transport = new FakeTransport();
  const drains: boolean[] = [];
  /** The memory usage at each recount. */
  const recounts: number[] = [];
  /** The payloads of the Close frames that the sender has asked for. */
  const closes: string[] = [];
  let idles = 0;
  const core = {
    settings: {
      role: "server" as const,
      limits: resolveLimits(limits),
      timers,
      overflow: "close" as Overflow,
      counters: new ConnectionCounters(),
    },
    transport,
    socket: undefined,
    reportError() {},
    isOpen: true,
    isIdle: true,
    get idles(): number {
      return idles;
    },
    onIdle: (): void => void idles++,
    onWritten: (wasFull: boolean) => void drains.push(wasFull),
    updateMemoryUsage: (): void => void recounts.push(sender.memoryUsage),
    sendClose(payload: Uint8Array): void {
      closes.push(toHex(payload));
      core.isOpen = false;
    },
  };
  const sender: Sender = new Sender(core, undefined);
  transport.handler = {
    data() {},
    end() {},
    close() {},
    drain: () => sender.onDrain(),
  };
  return { transport, sender, core, drains, recounts, closes };
}
